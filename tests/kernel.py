"""A real Jupyter kernel, spoken to as a front end does: what a cell's output area holds at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from textwrap import dedent
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

LIMIT_S = 120.0


@dataclass
class Shown:
    """What one cell shows.

    Attributes:
        outputs: In order: ``("stream", text)``, ``("display", data)``, ``("error", (name, text))``.
        counts: How many messages of each kind came.
    """

    outputs: list[tuple[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All that was printed."""
        return "".join(content for kind, content in self.outputs if kind == "stream")

    @property
    def displays(self) -> list[dict[str, Any]]:
        """All that was displayed."""
        return [content for kind, content in self.outputs if kind == "display"]

    @property
    def error(self) -> tuple[str, str] | None:
        """Name and traceback of what was raised."""
        return next((content for kind, content in self.outputs if kind == "error"), None)


class Kernel:
    """A kernel with `sm_remote` loaded."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self._places: dict[str, tuple[Shown, int]] = {}

    def run(self, source: str, *, interrupt_at: str | None = None, reader: bool = False) -> Shown:
        """Runs a cell and waits for its end.

        Args:
            source: The cell.
            interrupt_at: Once this has been printed, the kernel is interrupted.
            reader: Whether a person's front end runs it, which can be asked for input; nbconvert's cannot.
        """
        request = self.client.execute(dedent(source).lstrip("\n"), allow_stdin=reader)
        shown = Shown()
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            shown.counts[kind] = shown.counts.get(kind, 0) + 1
            if kind == "status" and content["execution_state"] == "idle":
                return shown
            self.take(shown, kind, content)
            if interrupt_at is not None and interrupt_at in shown.text:
                interrupt_at = None
                self.manager.interrupt_kernel()
        raise TimeoutError(f"the cell did not end in {LIMIT_S} s: {shown}")

    def wait_for(self, shown: Shown, text: str) -> None:
        """Takes what comes after a cell's end, until one of its displays holds a text."""
        deadline = time.monotonic() + LIMIT_S
        while not any(text in str(data) for data in shown.displays):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} did not come: {shown}")
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except Empty:
                continue
            shown.counts[message["msg_type"]] = shown.counts.get(message["msg_type"], 0) + 1
            self.take(shown, message["msg_type"], message["content"])

    def take(self, shown: Shown, kind: str, content: dict[str, Any]) -> None:
        """Puts one message where a front end puts it."""
        if kind == "stream":
            shown.outputs.append(("stream", content["text"]))
        elif kind in ("display_data", "execute_result"):
            place = content.get("transient", {}).get("display_id")
            if place is not None:
                self._places[place] = (shown, len(shown.outputs))
            shown.outputs.append(("display", content["data"]))
        elif kind == "update_display_data":
            owner, position = self._places[content["transient"]["display_id"]]
            owner.outputs[position] = ("display", content["data"])
        elif kind == "error":
            shown.outputs.append(("error", (content["ename"], "\n".join(content["traceback"]))))
        elif kind == "clear_output":
            shown.outputs.clear()


@pytest.fixture
def kernel(tmp_path: Path, process_engine_by_default: None) -> Iterator[Kernel]:
    """A kernel that was started for this test."""
    manager = KernelManager(kernel_name="python3")
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    manager.start_kernel(env=environment, cwd=str(tmp_path))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        started = Kernel(manager, client)
        loaded = started.run("%load_ext sm_remote")
        assert loaded.error is None, loaded.error
        yield started
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
