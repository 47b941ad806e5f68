"""Runs a notebook without a browser and shows what its cells print, while they print it.

    python examples/run_notebook.py examples/quickstart.ipynb

The kernel is a fresh one of the Python that runs this file. When a cell fails, its traceback is shown and the exit
code is 1. At the end come the notebook's `accuracy`, where it has one, and the training jobs that it ran with their
phases. The notebook's file is not changed.
"""

from __future__ import annotations

import ast
import asyncio
import sys
import time
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from sm_remote import attach, list_jobs

CELL_LIMIT_S = 900
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


class ThisPython(KernelSpecManager):
    """Offers one kernel, this interpreter's own, whatever kernels the user has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


class StreamingClient(NotebookClient):
    """Shows each output when it arrives; nbclient itself only collects them."""

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        show_output(msg["msg_type"], msg["content"])
        return super().process_message(msg, cell, cell_index)


def show_output(kind: str, content: dict[str, Any]) -> None:
    """Writes one message of the kernel to the terminal."""
    if kind == "stream":
        (sys.stderr if content["name"] == "stderr" else sys.stdout).write(content["text"])
    elif kind in ("display_data", "execute_result"):
        sys.stdout.write(content["data"].get("text/plain", "") + "\n")
    elif kind == "error":
        sys.stdout.write("\n".join(content["traceback"]) + "\n")
    sys.stdout.flush()


def show_source(cell: Any) -> None:
    """Writes a cell as a reader of the notebook sees it: a heading for its text, the code itself."""
    if cell.cell_type == "markdown":
        for line in cell.source.splitlines():
            if line.startswith("#"):
                print(f"\n{BOLD}{line.lstrip('# ')}{PLAIN}")
    elif cell.cell_type == "code":
        print("\n" + "\n".join(f"{DIM}> {line}{PLAIN}" for line in cell.source.splitlines()), flush=True)


async def run(path: Path) -> float | None:
    """Runs the cells in order and returns the kernel's `accuracy`, if it has one.

    Raises:
        CellExecutionError: A cell raised.
    """
    notebook = nbformat.read(path, as_version=4)
    manager = AsyncKernelManager(kernel_spec_manager=ThisPython())
    client = StreamingClient(
        notebook, km=manager, timeout=CELL_LIMIT_S, resources={"metadata": {"path": str(path.parent)}}
    )
    try:
        async with client.async_setup_kernel():
            for index, cell in enumerate(notebook.cells):
                show_source(cell)
                await client.async_execute_cell(cell, index)
            asked = {"accuracy": "float(accuracy)"}
            answer = await client.kc.execute("", silent=True, user_expressions=asked, reply=True)
    finally:
        await manager.shutdown_kernel(now=True)
    found = answer["content"]["user_expressions"]["accuracy"]
    return float(ast.literal_eval(found["data"]["text/plain"])) if found["status"] == "ok" else None


def show_job(name: str) -> None:
    """Writes a job's name, how it ended and its phases, in one line."""
    job = attach(name)
    phases: dict[str, float] = defaultdict(float)
    for phase in job.timeline():
        phases[phase.name] += phase.duration_s
    spent = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in phases.items() if seconds >= 0.05)
    print(f"  {name}\n      {job.status} after {sum(phases.values()):.1f} s ({spent})")


def main(path: Path) -> int:
    began, clock = datetime.now(timezone.utc), time.perf_counter()
    try:
        accuracy = asyncio.run(run(path))
    except CellExecutionError as error:
        print(f"\n{path} failed in the cell above: {error.ename}: {error.evalue}", file=sys.stderr)
        return 1
    except DeadKernelError as error:
        print(f"\n{path} failed: the kernel died. {error}", file=sys.stderr)
        return 1
    print(f"\n{BOLD}{path}: done in {time.perf_counter() - clock:.1f} s{PLAIN}")
    if accuracy is not None:
        print(f"Accuracy: {accuracy:.4f}")
    print("Training jobs (seconds a phase):")
    for row in reversed(list_jobs(created_after=began)):
        show_job(row.name)
    print(f"\nThe same notebook in JupyterLab: `make lab`, then open {path.name}.")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python examples/run_notebook.py NOTEBOOK")
    sys.exit(main(Path(sys.argv[1])))
