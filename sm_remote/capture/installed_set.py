"""``dependencies="auto"``: the installed distributions that a function needs, as a choice for the job's platform."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sm_remote.capture.choice import Choice, Pin, choose, say_hidden, say_image_wins
from sm_remote.capture.credentials import redact
from sm_remote.capture.distributions import Distribution, Index, read_index
from sm_remote.capture.environment import Environment, collect_environment, unaccepted_requirements
from sm_remote.capture.fitting import TargetPlatform, fits
from sm_remote.capture.frameworks import FRAMEWORKS, image_wins, public
from sm_remote.capture.interpreter import TargetPython
from sm_remote.capture.wheels import Wheel, build_from_record, build_tree, is_tree
from sm_remote.errors import ConfigError, DependencyInstallFailed


def choose_installed(
    environment: Environment, *, python: TargetPython, target: TargetPlatform, cache: Path, limit_s: float
) -> Choice:
    """Decides where the packages of an environment come from.

    Args:
        environment: What is installed here and needed there.
        python: The job's.
        target: The job's.
        cache: Where wheels are kept.
        limit_s: For each run of uv.

    Raises:
        ConfigError: The image has another version of a framework.
        CaptureError: An installation is damaged.
        DependencyInstallFailed: A wheel cannot be built, or the set does not exist for the job's platform.
    """
    index = read_index()
    in_image = take_from_image(environment.distributions, python)
    if in_image:
        environment = _without_image(environment, in_image, index, python)
        refuse_conflicts(environment.distributions, in_image, python)
    for one in environment.distributions:
        if one.key in index.hidden:
            say_hidden(one, index.hidden[one.key])
    wheels = tuple(
        build_tree(one.editable_root, cache, limit_s=limit_s) for one in environment.editable if one.editable_root
    )
    if target.is_hosts_kind:
        built = tuple(_wheels_of_trees(environment, target, cache, limit_s))
        pins = [Pin(name=one.key, version=one.version, url=_url_of(one)) for one in environment.distributions]
        return choose(
            pins, index=index, target=target, python=python.minor, in_image=in_image, wheels=(*wheels, *built)
        )
    return _choose_elsewhere(environment, index, in_image, wheels, python, target, cache, limit_s)


def _url_of(one: Distribution) -> str:
    return "" if one.url.startswith("file:") else one.url


def _wheels_of_trees(environment: Environment, target: TargetPlatform, cache: Path, limit_s: float) -> list[Wheel]:
    """Wheels of what was installed from a path here and whose files do not work there."""
    paths = [
        urlsplit(one.url).path
        for one in environment.distributions
        if one.url.startswith("file:") and not fits(one, target)
    ]
    return [
        build_tree(tree, cache, limit_s=limit_s) for tree in (Path(unquote(path)) for path in paths) if is_tree(tree)
    ]


def take_from_image(distributions: tuple[Distribution, ...], python: TargetPython) -> dict[str, str]:
    """The packages that the job takes from its image, version by name.

    Raises:
        ConfigError: The image has a framework in another version than here.
    """
    if not python.installed:
        return {}
    taken: dict[str, str] = {}
    for one in distributions:
        if image_wins(one.key, one.version, python.installed, python.image, python.asked):
            taken[one.key] = python.installed[one.key]
            say_image_wins(one.key, one.version, taken[one.key], python.image, python.asked.get(one.key, ""))
    return taken


def refuse_conflicts(
    distributions: tuple[Distribution, ...], in_image: Mapping[str, str], python: TargetPython
) -> None:
    """Refuses a set in which a package that travels does not accept what was asked for in the image.

    Raises:
        ConfigError: With both, and the ways out.
    """
    for one in distributions:
        for name, specifier in unaccepted_requirements(
            one, {key: in_image[key] for key in python.asked if key in in_image}
        ):
            raise ConfigError(
                f"{one.pin}, which is installed here and needed in the job, requires {name}{specifier}; the image has "
                f"{name} {in_image[name]}.",
                why=f"Image.pip({redact(python.asked[name])!r}) asks for it. Nothing was sent.",
                fix=f"Choose one: ask the image for a {name} that fits, have it install {one.name} too "
                f"(Image.pip({one.pin!r})), or leave {name} to the packages that travel.",
                package=name,
                image_version=in_image[name],
                distribution=one.name,
            )


def _without_image(
    environment: Environment, in_image: Mapping[str, str], index: Index, python: TargetPython
) -> Environment:
    """What is left when the image's frameworks, and what was asked for in it, bring what they themselves require."""
    roots = {key: environment.why[key] for key in environment.roots}
    stop = {name for name in in_image if name in FRAMEWORKS or name in python.asked}
    kept = collect_environment(roots, index, stop=stop)
    return Environment(
        distributions=tuple(one for one in kept.distributions if one.key not in in_image),
        why=environment.why,
        roots=tuple(key for key in environment.roots if key not in in_image),
        editable=tuple(one for one in environment.editable if one.key in kept.why),
    )


def _choose_elsewhere(
    environment: Environment,
    index: Index,
    in_image: Mapping[str, str],
    wheels: tuple[Wheel, ...],
    python: TargetPython,
    target: TargetPlatform,
    cache: Path,
    limit_s: float,
) -> Choice:
    """Resolves the roots for another kind of machine, held to the versions that are installed here."""
    from sm_remote.capture.resolver import Question, compile_pins

    roots = [one for one in environment.distributions if one.key in environment.roots]
    question = Question(
        lines=(*(_line_of(one) for one in roots), *(wheel.path.as_uri() for wheel in wheels)),
        constraints=tuple(f"{one.key}=={public(one.version)}" for one in environment.distributions if not one.url),
        minor=python.minor,
        target=target,
        has_gpu=python.has_gpu,
    )
    try:
        answer = compile_pins(question, limit_s=limit_s)
    except DependencyInstallFailed:
        # Perhaps no index has one of them, and the files that are installed here are all there is.
        own = [one for one in environment.distributions if fits(one, target)]
        if not own:
            raise
        folder = {build_from_record(one, cache / "installed").path.parent for one in own}
        known = dataclasses.replace(question, find_links=tuple(str(each) for each in folder))
        answer = compile_pins(known, limit_s=limit_s)
    return choose(answer.pins, index=index, target=target, python=python.minor, in_image=in_image, wheels=wheels)


def _line_of(one: Distribution) -> str:
    if one.url and not one.url.startswith("file:"):
        return f"{one.key} @ {one.url}"
    return f"{one.key}=={public(one.version)}"
