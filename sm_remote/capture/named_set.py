"""Packages that are asked for by name: resolved once for each text, Python and platform, then a choice like any other.

Where everything that is asked for is installed here in a version that fits, that is the set: no index is asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sm_remote.capture.choice import Choice, Pin, choose, say_image_wins
from sm_remote.capture.credentials import redact
from sm_remote.capture.distributions import Index, normalise, read_index
from sm_remote.capture.environment import collect_environment
from sm_remote.capture.fitting import TargetPlatform
from sm_remote.capture.frameworks import FRAMEWORKS, public
from sm_remote.capture.interpreter import TargetPython
from sm_remote.capture.pip_settings import read_pip_settings
from sm_remote.capture.requirements import Requirements
from sm_remote.capture.resolver import Answer, Question, compile_pins, drop_below
from sm_remote.capture.uv_program import list_indexes
from sm_remote.capture.wheels import Wheel, build_tree, is_tree
from sm_remote.errors import ConfigError
from sm_remote.home import make_private, write_private

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_PATH = re.compile(r"^(?:[\w.\-]+(?:\[[^\]]*\])?\s*@\s*)?(?P<path>(?:file:/|/).*?)(?:\[[^\]]*\])?\s*(?:;.*)?$")


def choose_named(
    requirements: Requirements, *, python: TargetPython, target: TargetPlatform, cache: Path, limit_s: float
) -> Choice:
    """Decides on exact versions and where they come from.

    Args:
        requirements: What is asked for.
        python: The job's.
        target: The job's.
        cache: Where wheels and earlier answers are kept.
        limit_s: For each run of uv.

    Raises:
        ConfigError: A requirement cannot be read.
        DependencyInstallFailed: There is no such set.
    """
    lines, wheels = build_paths(requirements.lines, cache / "wheels", limit_s)
    index = read_index()
    in_image = _take_from_image(lines, python)
    left = tuple(line for line in lines if not _is_fulfilled(line, in_image))
    named = {name for name in in_image if name in _parse_all(lines)}
    indexes: tuple[str, ...] = ()
    pins = _installed_pins(left, index, target, python) if not requirements.options and not wheels else None
    if pins is None and (left or wheels):
        installed = {one.key: one.version for one in index.by_name.values() if not one.url and "+" not in one.version}
        question = Question(
            lines=(*left, *(wheel.path.as_uri() for wheel in wheels)),
            minor=python.minor,
            target=target,
            options=requirements.options,
            constraints=tuple(f"{name}=={public(version)}" for name, version in in_image.items()),
            preferred={**installed, **(python.installed or {})},
            has_gpu=python.has_gpu,
        )
        answer = _recall_or_compile(question, cache / "resolved", limit_s)
        in_image = {**in_image, **_same_in_image(answer.pins, python)}
        pins = drop_below(answer, [name for name in in_image if name in FRAMEWORKS or name in python.asked])
        indexes = list_indexes(os.environ, read_pip_settings())
    pins = pins or ()
    needed = {pin.name for pin in pins} | named
    return choose(
        pins,
        index=index,
        target=target,
        python=python.minor,
        in_image={name: version for name, version in in_image.items() if name in needed},
        wheels=wheels,
        options=requirements.options,
        indexes=(*(redact(option) for option in requirements.options if "://" in option), *indexes),
    )


def build_paths(lines: tuple[str, ...], cache: Path, limit_s: float) -> tuple[tuple[str, ...], tuple[Wheel, ...]]:
    """Builds a wheel of each requirement that is a source tree; gives the other lines and the wheels."""
    left: list[str] = []
    wheels: list[Wheel] = []
    for line in lines:
        path = path_in(line)
        tree = path if path is not None and is_tree(path) else None
        if tree is not None:
            wheels.append(build_tree(tree, cache, limit_s=limit_s))
        elif path is not None and not path.exists():
            raise ConfigError(
                f"The requirement {redact(line)!r} names a path where nothing is.",
                fix="Correct the path.",
                line=redact(line),
            )
        else:
            left.append(line)
    return tuple(left), tuple(wheels)


def path_in(line: str) -> Path | None:
    """The path that a requirement names; None where it names a package or a place elsewhere."""
    match = _PATH.match(line)
    if match is None:
        return None
    path = match["path"]
    return Path(unquote(urlsplit(path).path)) if path.startswith("file:") else Path(path)


def _take_from_image(lines: tuple[str, ...], python: TargetPython) -> dict[str, str]:
    """What the image has in a version that fits, and its frameworks and what was asked for in it in any case.

    Raises:
        ConfigError: The requirements and the image ask for different versions of a package.
    """
    if not python.installed:
        return {}
    named = _parse_all(lines)
    taken: dict[str, str] = {}
    for name, version in python.installed.items():
        asked = named.get(name)
        if asked is None:
            fits = name in FRAMEWORKS or name in python.asked
        else:
            fits = all(not one.url and one.specifier.contains(public(version), prereleases=True) for one in asked)
            if not fits and name in python.asked:
                raise _refuse_both(name, version, str(asked[0]), python)
        if fits:
            taken[name] = version
    for name, version in taken.items():
        here = read_index().by_name.get(name)
        if here is not None:
            say_image_wins(name, here.version, version, python.image, python.asked.get(name, ""))
    return taken


def _refuse_both(name: str, version: str, line: str, python: TargetPython) -> ConfigError:
    return ConfigError(
        f"dependencies asks for {redact(line)}; the image has {name} {version}, which Image.pip asks for.",
        why=f"Image.pip({redact(python.asked[name])!r}) and dependencies name the same package. Nothing was sent.",
        fix=f"Name {name} in one of them.",
        package=name,
        image_version=version,
    )


def _is_fulfilled(line: str, in_image: Mapping[str, str]) -> bool:
    """Whether the image alone fulfils a requirement: what the package needs is then there too."""
    return any(name in in_image and not one.extras for name, found in _parse_all((line,)).items() for one in found)


def _same_in_image(pins: tuple[Pin, ...], python: TargetPython) -> dict[str, str]:
    there = python.installed or {}
    return {pin.name: there[pin.name] for pin in pins if there.get(pin.name) == pin.version and not pin.url}


def _parse_all(lines: tuple[str, ...]) -> dict[str, list[Requirement]]:
    from packaging.requirements import InvalidRequirement, Requirement

    parsed: dict[str, list[Requirement]] = {}
    for line in lines:
        try:
            one = Requirement(line.partition(" --")[0])
        except InvalidRequirement:
            continue  # a path or a URL, which uv reads
        parsed.setdefault(normalise(one.name), []).append(one)
    return parsed


def _installed_pins(
    lines: tuple[str, ...], index: Index, target: TargetPlatform, python: TargetPython
) -> tuple[Pin, ...] | None:
    """The installed set that fulfils the requirements, or None where there is none that is whole."""
    from packaging.requirements import InvalidRequirement, Requirement

    if not target.is_hosts_kind or python.installed:
        return None
    roots: dict[str, str] = {}
    extras: list[tuple[str, str]] = []
    for line in lines:
        try:
            one = Requirement(line)
        except InvalidRequirement:
            return None
        if one.marker is not None and not one.marker.evaluate({"extra": ""}):
            continue
        here = index.by_name.get(normalise(one.name))
        if one.url or here is None or not one.specifier.contains(here.version, prereleases=True):
            return None
        if here.editable_root is not None:
            return None
        roots[here.key] = "asked for by dependencies="
        extras += [(here.key, extra) for extra in one.extras]
    environment = collect_environment(roots, index, extras=extras)
    if environment.editable or not _is_whole(environment.why, extras, index):
        return None
    return tuple(Pin(name=one.key, version=one.version) for one in environment.distributions)


def _is_whole(names: Mapping[str, str], extras: list[tuple[str, str]], index: Index) -> bool:
    """Whether everything that these distributions require is installed in a version that they accept."""
    from sm_remote.capture.environment import unmet_requirements

    asked = {**dict.fromkeys(((name, "") for name in names), True), **dict.fromkeys(extras, True)}
    return not any(unmet_requirements(index.by_name[name], extra, index) for name, extra in asked)


def _recall_or_compile(question: Question, cache: Path, limit_s: float) -> Answer:
    """The answer to the same question is the same until its text changes: what ran yesterday runs today."""
    path = cache / f"{_key_of(question)}.json"
    try:
        facts = json.loads(path.read_text())
        pins = tuple(Pin(**row) for row in facts["pins"])
        return Answer(pins=pins, parents={name: frozenset(who) for name, who in facts["parents"].items()})
    except (OSError, ValueError, KeyError, TypeError):
        answer = compile_pins(question, limit_s=limit_s)
    if all(pin.url == redact(pin.url) for pin in answer.pins):
        make_private(cache)
        rows = [{"name": pin.name, "version": pin.version, "url": pin.url} for pin in answer.pins]
        parents = {name: sorted(who) for name, who in answer.parents.items()}
        write_private(path, json.dumps({"pins": rows, "parents": parents}))
    return answer


def _key_of(question: Question) -> str:
    state = [question.minor, question.target.name, question.has_gpu, question.lines, question.options]
    state += [question.constraints, list_indexes(os.environ, read_pip_settings())]
    for option in question.options:
        name, _, path = option.partition(" ")
        if name == "--constraint" and Path(path).is_file():
            state.append(Path(path).read_text())
    return hashlib.sha256(json.dumps(state, default=list).encode()).hexdigest()[:32]
