"""Proves a call before anything is sent: would its job find the modules that the function and its arguments need?

Where the job runs this process's own Python, a throw-away interpreter with only what the job will have unpickles the
function (`preflight_child`). Of another image only what its list of packages says is known. A call is refused where a
module is certain to be missing; all else that looks wrong is a warning. What was proved once is not proved again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sm_remote import __version__
from sm_remote.capture import preflight_child
from sm_remote.capture.blame import name_argument
from sm_remote.capture.certain_imports import list_certain_imports
from sm_remote.capture.distributions import Distribution, normalise, providers_of, read_index
from sm_remote.capture.interpreter import TargetPython, describe_interpreter, runs_in_containers
from sm_remote.capture.plan import Plan
from sm_remote.errors import PreflightFailed
from sm_remote.home import Home, make_private
from sm_remote.wire.payload import scan_globals

_logger = logging.getLogger("sm_remote")

LIMIT_S = 10.0
"""A cold disk may need longer for the imports; the call is not kept waiting for that."""
_MOST_OPCODES = 50_000
"""Of a pickle so many are looked at, 50 ms at most: classes are named where their first object is."""
_KEPT_S = 30 * 24 * 3600
_OUTPUT_CHARACTERS = 2000
_DYNAMIC = frozenset({"sm_remote", "cloudpickle"})
_proved: set[str] = set()


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a job will have besides the standard library.

    Attributes:
        python: Its Python.
        runtime: The zip that runs it.
        layer: The directory of its packages; None where it has none.
        layer_key: Names that.
        sources: The zip of the user's own modules; empty where there are none.
        workdir_names: What lies at the top of the working directory that travels.
        environment: Its environment variables.
        may_install: Whether it runs commands first, which may install anything.
    """

    python: TargetPython
    runtime: bytes
    layer: Path | None = None
    layer_key: str | None = None
    sources: bytes = b""
    workdir_names: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)
    may_install: bool = False


@dataclass
class _Findings:
    """What a proof found: modules that are certain to be missing, each with the reason, and what may be wrong."""

    missing: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)


def check_call(plan: Plan, surroundings: Surroundings, *, home: Home, limit_s: float = LIMIT_S) -> None:
    """Proves a call, unless nothing beyond the standard library is reached or it was proved before.

    Args:
        plan: The call.
        surroundings: What its job will have.
        home: Whose cache remembers what was proved.
        limit_s: How long the interpreter may take.

    Raises:
        PreflightFailed: A module is certain to be missing in the job.
    """
    reach = plan.reach
    if not reach.installed and not reach.local and not reach.missing:
        return
    quick = _quick_key(plan, surroundings)
    if quick in _proved:
        return
    needed = _Needed.read(plan)
    if not _runs_this_python(surroundings):
        _conclude(plan, surroundings, _look_up(plan, surroundings, needed))
        _proved.add(quick)
        return
    key = _proof_key(plan, surroundings, needed)
    marker = home.cache / "proofs" / key
    if marker.exists():
        _proved.add(quick)
        return
    try:
        findings = _prove(plan, surroundings, needed, home, limit_s)
    except OSError as error:  # a full disk, an interpreter that is gone: no reason to keep the call
        findings = _Findings(doubts=[f"it could not be made: {error}"])
    _conclude(plan, surroundings, findings)
    _proved.add(quick)
    if not findings.doubts:
        _remember(marker)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Needed:
    """What the payloads name.

    Attributes:
        function: What the function's pickle refers to; loading it imports these modules.
        arguments: The same of the arguments.
        modules: Modules that both hold as values.
        body: Modules that the function's body is sure to import.
    """

    function: frozenset[tuple[str, str]]
    arguments: frozenset[tuple[str, str]]
    modules: frozenset[str]
    body: tuple[str, ...]

    @classmethod
    def read(cls, plan: Plan) -> _Needed:
        return cls(
            function=scan_globals(plan.function.source(), most_opcodes=_MOST_OPCODES),
            arguments=scan_globals(plan.arguments.source(), most_opcodes=_MOST_OPCODES),
            modules=plan.module_objects,
            body=list_certain_imports(plan.target.func),
        )

    @property
    def tops(self) -> frozenset[str]:
        """The top-level modules that are certain to be imported."""
        modules = [module for module, _ in self.function | self.arguments]
        return frozenset(name.partition(".")[0] for name in (*modules, *self.modules, *self.body)) - _DYNAMIC


def _runs_this_python(surroundings: Surroundings) -> bool:
    """Whether an interpreter here has all that the job's has: its image has no packages of its own."""
    python = surroundings.python
    return python.same_as_host and not python.installed and runs_in_containers(describe_interpreter())


def _quick_key(plan: Plan, surroundings: Surroundings) -> str:
    """Names a proof within this process, without looking into the payloads."""
    reach = plan.reach
    names = "\n".join(sorted([*reach.local, *reach.installed, *reach.missing]))
    environment = repr(sorted(surroundings.environment.items()))
    sources = hashlib.sha256(surroundings.sources).hexdigest()
    parts = [plan.function.ref().digest, str(surroundings.layer_key), sources, environment, names]
    parts.append(surroundings.python.image)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _proof_key(plan: Plan, surroundings: Surroundings, needed: _Needed) -> str:
    """Names a proof by what decides it: not the function's code, only what that refers to.

    So a function that is edited, as in a notebook, is proved again only when it needs something else.
    """
    reach = plan.reach
    parts = [
        ["sm_remote/proof/v1", __version__, describe_interpreter().key, surroundings.layer_key],
        hashlib.sha256(surroundings.sources).hexdigest(),
        sorted(needed.function),
        sorted(needed.arguments),
        sorted([*reach.local, *reach.installed, *reach.missing]),
        sorted(surroundings.environment.items()),
        [sorted(surroundings.workdir_names), surroundings.may_install],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def _prove(plan: Plan, surroundings: Surroundings, needed: _Needed, home: Home, limit_s: float) -> _Findings:
    """Asks a throw-away interpreter."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="preflight-", dir=make_private(home.cache)) as name:
        directory = Path(name)
        distributions = _distributions_of(plan, needed)
        request = _write_request(plan, surroundings, directory, [one.name for one in distributions])
        answer, trouble = _ask(request, directory, surroundings.environment, home, limit_s)
    if answer is None:
        return _Findings(doubts=[f"it could not be finished: {trouble}"])
    _logger.info("Preflight of %s took %.2f s", plan.target.name, time.monotonic() - started)
    return _judge(plan, surroundings, needed, answer, distributions)


def _write_request(plan: Plan, surroundings: Surroundings, directory: Path, distributions: list[str]) -> Path:
    import io
    import zipfile

    sources = []
    if surroundings.sources:
        sources.append(str(directory / "sources"))
        with zipfile.ZipFile(io.BytesIO(surroundings.sources)) as archive:
            archive.extractall(sources[0])
    (directory / "runtime.zip").write_bytes(surroundings.runtime)
    function = plan.function.source()
    if isinstance(function, bytes):
        (directory / "function").write_bytes(function)
        function = directory / "function"
    (directory / "work").mkdir()
    request = {
        "runtime": str(directory / "runtime.zip"),
        "layer": None if surroundings.layer is None else str(surroundings.layer),
        "sources": sources,
        "function": str(function),
        "buffers": {digest: str(path) for digest, path in _stand_in(plan, directory)},
        "modules": sorted({*plan.reach.local, *plan.reach.installed, *plan.reach.missing}),
        "distributions": distributions,
        "directory": str(directory / "work"),
    }
    path = directory / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    return path


def _stand_in(plan: Plan, directory: Path) -> Iterator[tuple[str, Path]]:
    """Files as large as the large buffers, and empty: what an array holds does not decide whether it can be loaded."""
    for digest, view in plan.buffers.items():
        path = directory / digest
        with open(path, "wb") as file:
            file.truncate(view.nbytes)
        yield digest, path


def _ask(
    request: Path, directory: Path, environment: Mapping[str, str], home: Home, limit_s: float
) -> tuple[dict[str, Any] | None, str]:
    """Runs the interpreter. Gives its answer, or None and the reason."""
    answer = directory / "answer.json"
    command = [describe_interpreter().executable, "-I", "-S", preflight_child.__file__, str(request), str(answer)]
    with open(directory / "output", "w+b") as output:
        process = subprocess.Popen(
            command,
            env=_build_environment(environment, directory, home),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt of the notebook is not for it
        )
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None, f"the imports took longer than {limit_s:g} s"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with whatever the modules have started
            process.wait()
        try:
            return json.loads(answer.read_bytes()), ""
        except (OSError, ValueError):
            output.seek(0)
            text = output.read().decode("utf-8", "replace").strip()[-_OUTPUT_CHARACTERS:]
            return None, f"the interpreter ended with {process.returncode}. {text}".strip()


def _build_environment(environment: Mapping[str, str], directory: Path, home: Home) -> dict[str, str]:
    # A home that stays: fonts and compiled code that libraries cache there are made once.
    own = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "CUDA_VISIBLE_DEVICES": ""}
    own |= {"HOME": str(make_private(home.cache / "preflight-home")), "TMPDIR": str(directory)}
    return {**own, **environment}


def _judge(
    plan: Plan,
    surroundings: Surroundings,
    needed: _Needed,
    answer: Mapping[str, Any],
    distributions: Iterable[Distribution],
) -> _Findings:
    findings = _Findings()
    reach = plan.reach
    known_here = {*reach.local, *reach.installed}
    for error in answer["errors"]:
        _judge_error(plan, surroundings, error, findings, is_certain=not answer["extends_path"])
    for name in _outermost(answer["absent"]):
        why = reach.why.get(name, "")
        if name in findings.missing or name.partition(".")[0] in surroundings.workdir_names:
            continue
        if "." not in name and name in needed.tops and not answer["extends_path"]:
            findings.missing[name] = why
        elif name in known_here and not surroundings.may_install:
            findings.doubts.append(f"the job will not find the module {name!r} ({why})")
        else:
            _logger.info("Preflight: %r is nowhere (%s); the import may be optional", name, why)
    for one in distributions:
        there = answer["versions"].get(one.name)
        if there is not None and there != one.version:
            findings.doubts.append(
                f"{one.name} is {one.version} here and {there} in the job, and the call holds objects of it"
            )
    return findings


def _judge_error(
    plan: Plan, surroundings: Surroundings, error: Mapping[str, Any], findings: _Findings, *, is_certain: bool
) -> None:
    name = error["name"] or ""
    top = name.partition(".")[0]
    if name in _DYNAMIC:
        return
    importer = f"imported by {error['importer']}" if error["importer"] else "needed to load the function"
    if is_certain and error["is_absent"] and "." not in name and top not in surroundings.workdir_names:
        findings.missing[name] = plan.reach.why.get(name) or importer
        return
    # Hardware, a library of the system, a version that lacks a name: in the job it may be otherwise.
    findings.doubts.append(f"loading the function gave {error['type']}: {error['text']} ({importer})")


def _outermost(names: Iterable[str]) -> Iterator[str]:
    """Without the parts of packages that are themselves among the names."""
    every = set(names)
    for name in sorted(every):
        parts = name.split(".")
        if not any(".".join(parts[:count]) in every for count in range(1, len(parts))):
            yield name


def _distributions_of(plan: Plan, needed: _Needed) -> list[Distribution]:
    """The installed distributions whose objects the payloads hold."""
    modules = {module for module, _ in needed.function | needed.arguments} | needed.modules
    index = read_index() if plan.reach.installed else None
    if index is None:
        return []
    found = {
        one.key: one
        for name in modules
        if name in plan.reach.installed
        for one in providers_of(name, plan.reach.installed[name].file, index)
    }
    return [found[key] for key in sorted(found)]


def _look_up(plan: Plan, surroundings: Surroundings, needed: _Needed) -> _Findings:
    """What can be said of another image: certain is only what its list of packages and this call's own rule out."""
    findings = _Findings()
    installed = surroundings.python.installed
    if installed is None or not surroundings.python.knows_all:
        return findings
    own = {name.partition(".")[0] for name in plan.reach.local} | set(surroundings.workdir_names)
    layer = (
        set() if surroundings.layer is None else {entry.name.partition(".")[0] for entry in _scan(surroundings.layer)}
    )
    for top in sorted(needed.tops - own - layer - sys.stdlib_module_names):
        located = plan.reach.installed.get(top)
        if located is None:
            continue  # it is not known here, so nobody knows which package would have it
        owners = providers_of(top, located.file, read_index())
        if owners and not any(_may_be_in(one, installed) for one in owners):
            findings.missing[top] = plan.reach.why.get(top, "")
    return findings


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _may_be_in(one: Distribution, installed: Mapping[str, str]) -> bool:
    """Whether an image may have it: under its name, or under one like it (``opencv-python-headless``)."""
    stem = normalise(one.name).partition("-")[0]
    return any(name.partition("-")[0] == stem for name in installed)


def _conclude(plan: Plan, surroundings: Surroundings, findings: _Findings) -> None:
    """Refuses the call, or warns."""
    if findings.missing and (surroundings.may_install or "PYTHONPATH" in surroundings.environment):
        names = ", ".join(map(repr, findings.missing))
        _logger.info("Preflight of %s: only what the job itself adds can bring %s", plan.target.name, names)
        findings.missing.clear()
    for doubt in findings.doubts:
        _logger.warning("Preflight of %s: %s. The call goes on.", plan.target.name, doubt)
    if findings.missing:
        raise _explain(plan, surroundings, findings.missing)


def _explain(plan: Plan, surroundings: Surroundings, missing: Mapping[str, str]) -> PreflightFailed:
    name = plan.target.name
    because = {each: name_argument(plan, each) or why or "needed to load the call" for each, why in missing.items()}
    modules = ", ".join(map(repr, because))
    place = "in Python" if _runs_this_python(surroundings) else f"in the image {surroundings.python.image}".rstrip()
    return PreflightFailed(
        f"{name}() would not find the module{'s' if len(because) > 1 else ''} {modules} in its job; nothing was sent.",
        why=" ".join(f"{each}: {why}." for each, why in because.items())
        + f" Neither the packages that go with the call nor its own modules have it, nor is it {place}.",
        fix=_advise(plan, because),
        missing=because,
    )


def _advise(plan: Plan, missing: Iterable[str]) -> str:
    pins, unowned = [], []
    for name in missing:
        located = plan.reach.installed.get(name)
        owners = providers_of(name, located.file, read_index()) if located is not None else []
        pins += [one.pin for one in owners]
        if located is not None and not owners:
            unowned.append(str(located.file or name))
    skip = "preflight=False sends the call all the same."
    if pins:
        return f"Name the packages in dependencies (here: {', '.join(pins)}), or leave dependencies out. {skip}"
    if unowned:
        return f"{', '.join(unowned)} belongs to no installed package and so cannot be sent: install one. {skip}"
    return f"Install the package here, or name it in dependencies. {skip}"


def _remember(marker: Path) -> None:
    """Writes down that this was proved on this machine, and forgets what was long ago."""
    try:
        make_private(marker.parent)
        marker.touch()
        for other in _scan(marker.parent):
            if other.stat().st_mtime < time.time() - _KEPT_S:
                os.unlink(other.path)
    except OSError as error:
        _logger.debug("The proof is not remembered: %s", error)
