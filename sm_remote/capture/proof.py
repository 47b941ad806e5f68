"""Asks a throw-away interpreter, which has only what the job will have, whether it can load a function."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sm_remote.capture import preflight_child
from sm_remote.capture.findings import Findings, judge_answer
from sm_remote.capture.interpreter import describe_interpreter
from sm_remote.capture.needed_modules import Needed, find_distributions
from sm_remote.capture.plan import Plan
from sm_remote.capture.surroundings import Surroundings
from sm_remote.home import Home, make_private

_logger = logging.getLogger("sm_remote")

_OUTPUT_CHARACTERS = 2000


def prove(plan: Plan, surroundings: Surroundings, needed: Needed, home: Home, limit_s: float) -> Findings:
    """Asks a throw-away interpreter."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="preflight-", dir=make_private(home.cache)) as name:
        directory = Path(name)
        distributions = find_distributions(plan, needed)
        request = _write_request(plan, surroundings, directory, [one.name for one in distributions])
        answer, trouble = _ask(request, directory, surroundings.environment, home, limit_s)
    if answer is None:
        return Findings(doubts=[f"it could not be finished: {trouble}"])
    _logger.info("Preflight of %s took %.2f s", plan.target.name, time.monotonic() - started)
    return judge_answer(plan, surroundings, needed, answer, distributions)


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
