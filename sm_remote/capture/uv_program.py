"""Runs uv: the one resolver and installer there is on this side. Every run is bounded, shows what it does, and is
explained by what uv itself said, without credentials.

uv reads its own settings; where the user has only told pip where packages are (pip.conf, PIP_INDEX_URL), the same is
passed on, with pip's meaning: the best version of all indexes counts.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_remote.capture.credentials import redact
from sm_remote.capture.pip_settings import read_pip_settings
from sm_remote.errors import DependencyInstallFailed

_logger = logging.getLogger("sm_remote")

LIMIT_S = 900.0
_QUIET_S = 1.0
"""A run that is over by then is not worth a line."""
_TICK_S = 0.2
_TAIL_LINES = 25
_HEAD_LINES = 3
_ERROR = re.compile(r"\s*(?:error\b|\u00d7)")
"""With which uv's explanation begins, after lines that tell how far it came."""
_FROM_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
}
_UV_ALSO = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
_INDEX_NAME = re.compile(r"^[\w.\-]+=(?=\w+://)")
_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


@dataclass(frozen=True, kw_only=True, slots=True)
class UvAnswer:
    """What a run of uv gave.

    Attributes:
        code: Its exit code.
        output: Its standard output.
        said: Its standard error, without credentials.
    """

    code: int
    output: str
    said: str

    @property
    def tail(self) -> str:
        """The end of what it said, after how its error began: a build that fails is named first and explained last."""
        lines = self.said.strip().splitlines()
        began = next((number for number, line in enumerate(lines) if _ERROR.match(line)), 0)
        lines = lines[began:]
        if len(lines) > _TAIL_LINES:
            lines = [*lines[:_HEAD_LINES], "...", *lines[_HEAD_LINES + 1 - _TAIL_LINES :]]
        return "\n".join(lines)


def run_uv(
    arguments: Sequence[str], *, doing: str, stdin: str | None = None, cwd: Path | None = None, limit_s: float = LIMIT_S
) -> UvAnswer:
    """Runs uv to its end, with a line of progress when it takes a while.

    Args:
        arguments: After ``uv``.
        doing: What it does, for people: ``Installing 3 packages``.
        stdin: What it reads from standard input.
        cwd: Where relative paths are meant.
        limit_s: After so long it is ended.

    Raises:
        DependencyInstallFailed: uv is not there, or did not end in time.
    """
    command = [find_uv(), *arguments, "--no-progress", "--color", "never"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=build_uv_environment(os.environ, read_pip_settings()),
        text=True,
        errors="replace",
        cwd=cwd,
    )
    reader = _Reader(process, stdin or "")
    try:
        _watch(reader, redact(doing), limit_s)
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        reader.join()
    return UvAnswer(code=process.returncode, output=reader.output, said=redact("".join(reader.lines)))


class _Reader:
    """Feeds a process and collects what it says, line by line, while somebody else watches the clock."""

    def __init__(self, process: subprocess.Popen[str], stdin: str) -> None:
        self.lines: list[str] = []
        self.output = ""
        self._process = process
        self._ended = threading.Event()
        works = ((self._feed, (stdin,)), (self._read_output, ()), (self._read_lines, ()), (self._await, ()))
        self._threads = [threading.Thread(target=target, args=arguments, daemon=True) for target, arguments in works]
        for thread in self._threads:
            thread.start()

    def wait(self, timeout_s: float) -> bool:
        return self._ended.wait(timeout_s)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(5)

    def _await(self) -> None:
        self._process.wait()  # with a limit it would only look every 50 ms, a fifth of a short run
        self._ended.set()

    def _feed(self, text: str) -> None:
        if self._process.stdin is not None:
            try:
                with self._process.stdin as stdin:
                    stdin.write(text)
            except BrokenPipeError:
                return  # it has refused its arguments, and says so

    def _read_output(self) -> None:
        if self._process.stdout is not None:
            with self._process.stdout as stdout:
                self.output = stdout.read()

    def _read_lines(self) -> None:
        if self._process.stderr is not None:
            with self._process.stderr as stderr:
                for line in stderr:
                    self.lines.append(line)


def _watch(reader: _Reader, doing: str, limit_s: float) -> None:
    began = time.monotonic()
    if reader.wait(min(_QUIET_S, limit_s)):
        return
    _logger.info("%s for the job", doing)
    with _open_bar(doing) as bar:
        while not reader.wait(_TICK_S):
            bar.set_postfix_str(redact(reader.lines[-1].strip()) if reader.lines else "")
            if time.monotonic() - began > limit_s:
                raise DependencyInstallFailed(
                    f"{doing} took longer than {limit_s:g} s and was ended. Nothing was uploaded or started.",
                    why=f"uv had said:\n{redact(''.join(reader.lines[-_TAIL_LINES:]))}".strip(),
                    fix="Give it more time (install_limit_s=...), look at the network and the index, or use an image "
                    "that has the packages.",
                )
    _logger.info("%s took %.1f s", doing, time.monotonic() - began)


def _open_bar(doing: str) -> Any:
    from tqdm import TqdmWarning
    from tqdm.auto import tqdm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # a notebook without ipywidgets gets the plain bar
        return tqdm(total=None, desc=doing, bar_format="{desc} ({elapsed}){postfix}", leave=False, disable=None)


def find_uv() -> str:
    """The program.

    Raises:
        DependencyInstallFailed: It is not there.
    """
    try:
        import uv

        return os.fspath(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise DependencyInstallFailed(
            "The packages that the function needs could not be installed.",
            why="The program uv is not there.",
            fix="Run `pip install uv`.",
        )
    return found


def build_uv_environment(environ: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv: its own settings where there are any, pip's where there are none."""
    made = dict(environ)
    for key, name in _FROM_PIP.items():
        value = pip.get(key)
        if not value or name in environ or _UV_ALSO.get(name, name) in environ:
            continue
        made[name] = value.replace(" ", ",") if name == "UV_FIND_LINKS" else value
    if "UV_INDEX" in made and "UV_INDEX" not in environ:
        made.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return made


def index_arguments(environ: Mapping[str, str], pip: Mapping[str, str]) -> list[str]:
    """What uv has no variable for: pip's ``no-index``, unless uv was told of an index."""
    is_told = any(environ.get(name) for name in _INDEX_VARIABLES if name != "UV_FIND_LINKS")
    return ["--no-index"] if not is_told and pip.get("no-index", "").lower() in _TRUE else []


def has_own_main_index(environ: Mapping[str, str], pip: Mapping[str, str]) -> bool:
    """Whether somebody has replaced the public index, or named the one that has torch's builds."""
    made = build_uv_environment(environ, pip)
    replaced = any(made.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_OFFLINE"))
    names_torch = any("pytorch" in made.get(name, "") for name in _INDEX_VARIABLES)
    return replaced or names_torch or bool(index_arguments(environ, pip))


def list_indexes(environ: Mapping[str, str], pip: Mapping[str, str]) -> tuple[str, ...]:
    """Where packages are looked for, as far as somebody has set it, without credentials; the main index first.

    Folders are left out: they are this machine's.
    """
    made = build_uv_environment(environ, pip)
    words = " ".join(made.get(name, "").replace(",", " ") for name in _INDEX_VARIABLES).split()
    urls = (_INDEX_NAME.sub("", word) for word in words)
    return tuple(dict.fromkeys(redact(url) for url in urls if url.startswith(("https://", "http://"))))
