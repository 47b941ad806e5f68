"""What a cell's shell commands and magics call in a job: as much of IPython's shell as makes sense there.

The notebook has made calls of ``get_ipython()`` of them, and refused those magics that are not in `LINE_MAGICS`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from string import Formatter
from typing import Any

LINE_MAGICS = frozenset(("time", "matplotlib", "cd", "pwd", "env", "set_env", "sx", "system", "config"))
CELL_MAGICS = frozenset(("time", "bash", "sh"))
IGNORED = frozenset(("matplotlib", "config"))
"""They are about the notebook's own display, which is as it is."""
_VARIABLE = re.compile(r"(?<![$\\])\$([A-Za-z_]\w*)")
_EXPRESSION = re.compile(r"(?<![${])\{[^{}]+\}(?!\})")


def build_get_ipython(home: dict[str, Any]) -> Callable[[], Shell]:
    """Makes the ``get_ipython`` of a cell.

    Args:
        home: The cell's globals.
    """
    shell = Shell(home)
    return lambda: shell


class Shell:
    """The part of IPython's ``InteractiveShell`` that a cell's transformed lines call."""

    def __init__(self, home: dict[str, Any]) -> None:
        self.user_ns = home
        self.config: dict[str, Any] = {}

    def system(self, command: str) -> None:
        """``!command``: its output goes to the log; its exit code is ``_exit_code``."""
        _flush()
        self.user_ns["_exit_code"] = _run(self.var_expand(command))

    def getoutput(self, command: str, **_: Any) -> list[str]:
        """``lines = !command``: the lines of its output."""
        _flush()
        done = subprocess.run(
            [_find_shell(), "-c", self.var_expand(command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.user_ns["_exit_code"] = done.returncode
        return done.stdout.decode("utf-8", "replace").splitlines()

    def run_line_magic(self, name: str, line: str) -> Any:
        """``%name line``."""
        if name in IGNORED:
            return None
        line = self.var_expand(line)
        if name == "time":
            return self._time(line)
        if name == "cd":
            os.chdir(os.path.expanduser(line.strip() or "~"))
            return None
        if name == "pwd":
            return os.getcwd()
        if name in ("env", "set_env"):
            return _set_variable(line)
        return self.getoutput(line) if name == "sx" else self.system(line)

    def run_cell_magic(self, name: str, line: str, cell: str) -> Any:
        """``%%name line`` above a cell."""
        if name == "time":
            return self._time(cell)
        program = [_find_shell() if name == "bash" else "/bin/sh", *line.split()]
        _flush()
        code = subprocess.run(program, input=cell.encode(), check=False).returncode
        if code:
            raise subprocess.CalledProcessError(code, program)
        return None

    def var_expand(self, text: str) -> str:
        """Puts the values of ``{expression}`` and ``$name`` into a line; what is neither stays as it is."""
        expanded = _EXPRESSION.sub(self._evaluate, text)
        return _VARIABLE.sub(lambda found: str(self.user_ns.get(found[1], found[0])), expanded)

    def _evaluate(self, found: re.Match[str]) -> str:
        try:
            ((_, expression, spec, conversion),) = Formatter().parse(found[0])
            value = eval(expression or "", self.user_ns)  # noqa: S307 - the user's own code, as everything in the cell
            return format(Formatter().convert_field(value, conversion), spec or "")
        except Exception:  # noqa: BLE001 - braces that are the shell's own
            return found[0]

    def _time(self, code: str) -> Any:
        """Runs code and says how long it took."""
        wall, cpu = time.perf_counter(), time.process_time()
        value = None
        try:
            compiled = compile(code.strip(), "<timed>", "eval", dont_inherit=True)
        except SyntaxError:
            exec(compile(code, "<timed>", "exec", dont_inherit=True), self.user_ns)  # noqa: S102 - the user's own code
        else:
            value = eval(compiled, self.user_ns)  # noqa: S307 - the user's own code
        spent = f"CPU times: {_show(time.process_time() - cpu)}\nWall time: {_show(time.perf_counter() - wall)}\n"
        sys.stdout.write(spent)
        return value


def _run(command: str) -> int:
    return subprocess.run([_find_shell(), "-c", command], stdin=subprocess.DEVNULL, check=False).returncode


def _find_shell() -> str:
    import shutil

    return shutil.which("bash") or "/bin/sh"


def _set_variable(line: str) -> Any:
    name, separator, value = line.strip().partition("=")
    if not separator:
        name, separator, value = line.strip().partition(" ")
    if not name:
        return dict(os.environ)
    if not separator:
        return os.environ[name]
    os.environ[name.strip()] = value.strip()
    return None


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _show(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"
