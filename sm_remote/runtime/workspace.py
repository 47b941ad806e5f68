"""The directory in which the function runs, and the shell commands that run there before it is loaded."""

from __future__ import annotations

import json
import os
import signal
from typing import IO, Any

from sm_remote.errors import JobFailed
from sm_remote.runtime.archives import unpack
from sm_remote.wire.layout import blob_path
from sm_remote.wire.manifest import PRE_EXECUTION, WORKDIR, Manifest

_TAIL_CHARACTERS = 400
_COMMAND_CHARACTERS = 160
_OUTPUT_GRACE_S = 1.0
"""How long output is waited for when the shell has ended: what it left running may hold the pipe for ever."""


def enter_workspace(manifest: Manifest, workspace: str) -> str | None:
    """Unpacks the working directory, makes it the current one, and runs what is to run first.

    Args:
        manifest: Its objects are verified.
        workspace: A private directory.

    Returns:
        The directory, to be put on ``sys.path``; None where the function runs where the image says.

    Raises:
        JobFailed: A command failed, or the image has no shell.
    """
    archives, first = manifest.all(WORKDIR), manifest.all(PRE_EXECUTION)
    if not archives and not first:
        return None
    directory = os.path.join(workspace, "work")
    os.mkdir(directory)
    for ref in archives:
        unpack(blob_path(ref.digest), directory)
    os.chdir(directory)
    for ref in first:
        with open(blob_path(ref.digest), encoding="utf-8") as file:
            _run_first(json.load(file), workspace)
    return directory


def _run_first(content: dict[str, Any], workspace: str) -> None:
    """Runs commands, or a script, by ``bash -eu`` (``sh -eu`` where there is no bash) in the current directory."""
    commands: list[str] = content.get("commands", [])
    step = os.path.join(workspace, "step")
    text = content["script"] if "script" in content else _number_commands(commands, step)
    program = os.path.join(workspace, content.get("name") or "pre_execution.sh")
    with open(program, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
    title = f"{len(commands)} pre-execution command(s)" if commands else f"the pre-execution script {content['name']}"
    os.write(1, f"sm_remote: running {title}\n".encode("utf-8", "backslashreplace"))
    exit_code, tail = _run_shell(program)
    if exit_code != 0:
        raise _explain(commands, _read_step(step), content.get("name"), exit_code, tail)
    import importlib

    importlib.invalidate_caches()  # it may have installed what the function imports


def _number_commands(commands: list[str], step: str) -> str:
    """One program of all commands, so that each finds what those before it have set; it notes where it is."""
    import shlex

    return "".join(f"echo {number} >{shlex.quote(step)}\n{each}\n" for number, each in enumerate(commands))


def _read_step(step: str) -> int:
    try:
        with open(step, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _run_shell(program: str) -> tuple[int, str]:
    """Runs the program and passes its output on as it comes. Gives its exit code and the end of its output."""
    import shutil
    import subprocess
    import threading

    shell = shutil.which("bash") or "/bin/sh"
    try:
        process = subprocess.Popen(
            [shell, "-eu", program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise JobFailed(
            "The pre-execution commands could not be run: the image has no shell.",
            why=f"{shell}: {error.strerror or error}.",
            fix="Use an image with /bin/sh, or leave pre_execution_commands and pre_execution_script out.",
        ) from error
    tail = _Tail()
    assert process.stdout is not None  # noqa: S101 - it was asked for above
    reader = threading.Thread(target=tail.follow, args=(process.stdout,), daemon=True)
    reader.start()
    exit_code = process.wait()
    reader.join(_OUTPUT_GRACE_S)
    tail.finish_line()
    return exit_code, tail.text()


class _Tail:
    """Passes output on to the log and keeps the end of it."""

    def __init__(self) -> None:
        self._end = b""

    def follow(self, stream: IO[bytes]) -> None:
        while data := os.read(stream.fileno(), 1 << 16):
            self._end = (self._end + data)[-4 * _TAIL_CHARACTERS :]
            while data:
                data = data[os.write(1, data) :]

    def finish_line(self) -> None:
        """What follows in the log has a line of its own."""
        if self._end and not self._end.endswith(b"\n"):
            os.write(1, b"\n")

    def text(self) -> str:
        text = self._end.decode("utf-8", "replace").strip()
        if len(text) <= _TAIL_CHARACTERS:
            return text
        cut = text[-_TAIL_CHARACTERS:]
        return cut.partition("\n")[2] or cut


def _explain(commands: list[str], step: int, name: str | None, exit_code: int, tail: str) -> JobFailed:
    if commands:
        command = commands[min(step, len(commands) - 1)]
        what = f"The pre-execution command {step + 1} of {len(commands)}"
    else:
        command = name or ""
        what = "The pre-execution script"
    shown = command if len(command) <= _COMMAND_CHARACTERS else f"{command[:_COMMAND_CHARACTERS]}..."
    ending = f"was ended by {_name_signal(-exit_code)}" if exit_code < 0 else f"failed with exit code {exit_code}"
    return JobFailed(
        f"{what} {ending}, so the function was not run: {shown}",
        why=f"Its output ended with:\n{tail}" if tail else "It printed nothing.",
        command=command,
        exit_code=exit_code,
        tail=tail,
    )


def _name_signal(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
