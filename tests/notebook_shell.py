"""An IPython shell without a front end, with `sm_remote` loaded: what a notebook's cells meet."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Notebook:
    """Runs cells one after the other, as a person does."""

    def __init__(self, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self.names: dict[str, Any] = shell.user_ns
        self._capsys = capsys

    def run(self, source: str) -> str:
        """Runs a cell that must not raise; gives its output."""
        __tracebackhide__ = True
        text, error = self.run_all(source)
        if error is not None:
            pytest.fail(f"the cell raised {type(error).__name__}:\n{text}")
        return text

    def fail(self, source: str) -> tuple[str, BaseException]:
        """Runs a cell that must raise; gives its output, traceback and all, and what it raised."""
        __tracebackhide__ = True
        text, error = self.run_all(source)
        if error is None:
            pytest.fail(f"the cell raised nothing:\n{text}")
        return text, error

    def run_all(self, source: str) -> tuple[str, BaseException | None]:
        """Runs a cell."""
        self._capsys.readouterr()
        result = self.shell.run_cell(dedent(source).lstrip("\n"), store_history=True)
        seen = self._capsys.readouterr()
        return _COLOURS.sub("", seen.out + seen.err), result.error_before_exec or result.error_in_exec


@pytest.fixture
def notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """A notebook in which ``%load_ext sm_remote`` was run."""
    from sm_remote.settings import set_notebook_settings, set_session_settings

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    for name in ("displayhook", "excepthook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    config = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
    shell = InteractiveShell.instance(config=config)
    sys.modules["__main__"] = shell.user_module
    try:
        shell.run_line_magic("load_ext", "sm_remote")
        yield Notebook(shell, capsys)
    finally:
        set_session_settings({})
        set_notebook_settings({})
        shell.reset()
        shell._atexit_once()
        InteractiveShell.clear_instance()
