"""Exact versions for requirements, by uv, for the job's Python and platform."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sm_remote.capture.choice import Pin
from sm_remote.capture.credentials import redact
from sm_remote.capture.distributions import normalise
from sm_remote.capture.fitting import TargetPlatform
from sm_remote.capture.pip_settings import read_pip_settings
from sm_remote.capture.uv_program import LIMIT_S, UvAnswer, has_own_main_index, index_arguments, run_uv
from sm_remote.errors import DependencyInstallFailed

_logger = logging.getLogger("sm_remote")

_TORCH = re.compile(r"^(torch|torchvision|torchaudio)\b", re.IGNORECASE)
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._\-]+)(?:\[[^\]]*\])?\s*(?:==\s*(?P<version>[^\s;]+)|@\s*(?P<url>\S+))")
_BARE = re.compile(r"^(?P<url>(?:\w+://|/|\.)\S+\.(?:whl|tar\.gz|zip))")
_ABSENT = re.compile(r"not found in the package registry", re.IGNORECASE)
_REFUSED = re.compile(r"\b(401|403)\b|unauthorized|forbidden|authentication|credentials", re.IGNORECASE)
_ADVICE = tuple(
    (re.compile(form, re.IGNORECASE), advice)
    for form, advice in (
        (
            # First: numbers and words of the others stand in what a build prints.
            r"failed to build|build backend",
            "No wheel is there for this Python and platform, so it was built from its source, and that failed: ask for "
            "a version that has a wheel, run another Python, or install here what the build needs.",
        ),
        (
            _REFUSED.pattern,
            "The index wants credentials: put them into the environment (UV_INDEX_<NAME>_USERNAME and _PASSWORD), "
            "~/.netrc or the keyring.",
        ),
        (
            r"requires-python|python version|matching python|python abi|python implementation",
            "No wheel is there for this Python: ask for another version of the package, or run another Python.",
        ),
        (
            rf"{_ABSENT.pattern}|not found in the provided package locations",
            "Correct the name, or tell where the package is: UV_INDEX, pip.conf, "
            "dependencies=['--extra-index-url https://...', ...].",
        ),
        (
            r"dns error|error sending request|connection (?:refused|reset)|timed out|failed to fetch",
            "The index cannot be reached: look at the network and the proxy (HTTPS_PROXY), or install here what is "
            "asked for: what is installed needs no index.",
        ),
        (r"unsatisfiable|no solution", "Change the requirements so that one set fulfils them all."),
        (
            r"",
            "Correct the requirement or the index settings (UV_INDEX, pip.conf), or use an image that has the package.",
        ),
    )
)
"""What to do, by the first form of words that uv's explanation has."""
_VIA = re.compile(r"^\s+#\s+(?:via\s+)?(?P<who>\S.*)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is to be resolved.

    Attributes:
        lines: Requirements.
        minor: The job's Python.
        target: The job's platform.
        options: Lines of options as in a requirements file.
        constraints: Requirements that hold where a package is needed.
        preferred: Versions to take where they fit, by name: those of the image, those that are installed here.
        find_links: Folders of wheels that were built on the fly.
        has_gpu: Whether the job's machine has a GPU; None where that is not known.
    """

    lines: tuple[str, ...]
    minor: str
    target: TargetPlatform
    options: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    preferred: Mapping[str, str] = field(default_factory=dict)
    find_links: tuple[str, ...] = ()
    has_gpu: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What uv found.

    Attributes:
        pins: All packages.
        parents: For each, the names of those that require it; empty where it was asked for itself.
    """

    pins: tuple[Pin, ...]
    parents: Mapping[str, frozenset[str]]


def compile_pins(question: Question, *, limit_s: float = LIMIT_S) -> Answer:
    """Runs ``uv pip compile``.

    Raises:
        DependencyInstallFailed: There is no such set; the message ends with uv's explanation.
    """
    backend = choose_torch(question, os.environ)
    if backend:
        try:
            return _compile(question, ["--torch-backend", backend], limit_s)
        except DependencyInstallFailed as error:
            if "torch" not in error.why:
                raise
            answer = _compile(question, [], limit_s)  # it fails in the same way where torch is not to blame
            _logger.warning("The build of torch for a machine without GPU cannot be had, so the job gets another.")
            _logger.info("uv said of it: %s", error.why)
            return answer
    return _compile(question, [], limit_s)


def _compile(question: Question, arguments: list[str], limit_s: float) -> Answer:
    with tempfile.TemporaryDirectory(prefix="sm_remote-") as folder:
        output = Path(folder, "preferred.txt")
        output.write_text("".join(f"{name}=={version}\n" for name, version in question.preferred.items()))
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(question.constraints))
        command = ["pip", "compile", "-", "--output-file", str(output), "--constraints", str(constraints)]
        command += ["--no-header", "--annotation-style", "split", "--quiet", *platform_arguments(question), *arguments]
        stdin = "\n".join([*question.options, *question.lines])
        count = len(question.lines)
        doing = f"Resolving {count} requirement{'s' if count != 1 else ''}"
        answer = run_uv(command, doing=doing, stdin=stdin, limit_s=limit_s)
        if answer.code and _ABSENT.search(answer.said):
            # Where uv compares all indexes, it does not say that one of them has refused to answer.
            ordered = [*command, "--index-strategy", "first-index"]
            again = run_uv(ordered, doing=doing, stdin=stdin, limit_s=limit_s)
            answer = again if again.code and _REFUSED.search(again.said) else answer
        if answer.code:
            raise explain_failure(question, answer)
        return parse_pins(output.read_text(), base=Path.cwd())


def platform_arguments(question: Question) -> list[str]:
    """The options that say for which Python and platform, and where wheels lie that were built on the fly."""
    # The interpreter that runs this is named, or uv would look through all there are.
    arguments = ["--python", sys.executable, "--python-version", question.minor]
    if not question.target.is_host:
        arguments += ["--python-platform", question.target.uv_name]
    for folder in question.find_links:
        arguments += ["--find-links", folder]
    return arguments + index_arguments(os.environ, read_pip_settings())


def choose_torch(question: Question, environ: Mapping[str, str]) -> str | None:
    """``cpu`` where the job's machine has no GPU: that build of torch is on an index of its own.

    It is a tenth of the size of the ordinary one, and uv looks at that index for torch and its kin alone, whoever
    requires them. With a GPU the ordinary index has the right build. A backend, a torch index or a main index that the
    user has set decides instead, and a torch that is installed here and can be linked.
    """
    own = "UV_TORCH_BACKEND" in environ or question.options or has_own_main_index(environ, read_pip_settings())
    linked = question.target.is_host and "torch" in question.preferred
    return "cpu" if question.has_gpu is False and not own and not linked else None


def torch_arguments(pins: Iterable[Pin]) -> list[str]:
    """What uv must be told to find the builds of torch that `compile_pins` has chosen."""
    is_cpu = any(_TORCH.match(pin.name) and pin.version.endswith("+cpu") for pin in pins)
    return ["--torch-backend", "cpu"] if is_cpu else []


def parse_pins(text: str, *, base: Path) -> Answer:
    """Reads what ``uv pip compile`` wrote.

    Args:
        text: With split annotations.
        base: Against which paths in it are meant.
    """
    pins: list[Pin] = []
    parents: dict[str, set[str]] = {}
    for line in text.splitlines():
        via = _VIA.match(line)
        if via and pins:
            who = via["who"].strip()
            if who != "via" and re.fullmatch(r"[A-Za-z0-9._\-]+", who) and not who.startswith("-"):
                parents[pins[-1].name].add(normalise(who))
            elif who != "via":
                parents[pins[-1].name].add("")
            continue
        pin = _parse_pin(line, base)
        if pin is not None:
            pins.append(pin)
            parents[pin.name] = set()
    asked = {name: frozenset() if "" in who else frozenset(who) for name, who in parents.items()}
    return Answer(pins=tuple(pins), parents=asked)


def _parse_pin(line: str, base: Path) -> Pin | None:
    match = _PINNED.match(line)
    if match:
        url = match["url"] or ""
        return Pin(name=normalise(match["name"]), version=match["version"] or _version_in(url), url=url)
    bare = _BARE.match(line)
    if bare is None:
        return None
    url = bare["url"]
    whole = url if "://" in url else (base / url).resolve().as_uri()
    name = re.split(r"-(?=\d)", url.rsplit("/", 1)[-1], maxsplit=1)[0]
    return Pin(name=normalise(name), version=_version_in(url), url=whole)


def _version_in(url: str) -> str:
    """What a URL says of the version: a wheel's own, or the commit."""
    match = re.search(r"/[^/]+?-(\d[^\-/]*)-[^/]*\.whl|@([0-9a-f]{7,40})|-(\d[\w.+!]*?)\.(?:tar\.gz|zip)", url)
    return next((group for group in match.groups() if group), "") if match else ""


def drop_below(answer: Answer, stop: Iterable[str]) -> tuple[Pin, ...]:
    """The pins that are left when some packages bring themselves what they require."""
    stopped = set(stop)
    kept = {name for name, who in answer.parents.items() if not who} | stopped
    grown = True
    while grown:
        more = {name for name, who in answer.parents.items() if (who & kept) - stopped} - kept
        kept |= more
        grown = bool(more)
    return tuple(pin for pin in answer.pins if pin.name in kept)


def explain_failure(question: Question, answer: UvAnswer) -> DependencyInstallFailed:
    """What people are told when uv finds no set, or cannot install one."""
    failing = redact(find_failing_requirement(question.lines, answer.tail))
    return DependencyInstallFailed(
        f"The requirement {failing!r} could not be installed for Python {question.minor}"
        f"{'' if question.target.is_host else f' on {question.target.uv_name}'}.",
        why=f"uv said:\n{answer.tail}",
        fix=f"{_advise(answer.said)} Nothing was uploaded or started.",
        requirement=failing,
    )


def _advise(said: str) -> str:
    return next(advice for form, advice in _ADVICE if form.search(said))


def find_failing_requirement(lines: tuple[str, ...], output: str) -> str:
    """The requirement that the installer's output speaks of first."""
    places: list[tuple[int, str]] = []
    for line in lines:
        name = re.split(r"[\s\[<>=!~;@]", line, maxsplit=1)[0]
        match = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", output, re.IGNORECASE) if name else None
        if match is not None:
            places.append((match.start(), line))
    return min(places)[1] if places else ", ".join(lines)
