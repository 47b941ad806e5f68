"""A real JupyterLab server of a test's own: its own configuration, notebooks and sm_remote home; process engine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TOKEN = "panel-test"
START_LIMIT_S = 90


@dataclass(frozen=True, kw_only=True)
class LabServer:
    """Where a server is."""

    url: str
    notebooks: Path
    home: Path
    environ: Mapping[str, str]

    def write_notebook(self, name: str, *cells: str, metadata: Mapping[str, object] | None = None) -> Path:
        """A notebook with these code cells."""
        content = {
            "cells": [
                {"cell_type": "code", "id": f"c{index}", "metadata": {}, "outputs": [], "source": cell}
                | {"execution_count": None}
                for index, cell in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
                **(metadata or {}),
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path = self.notebooks / name
        path.write_text(json.dumps(content))
        return path

    def stop_jobs(self) -> None:
        """Stops every live job of the server's home."""
        from sm_remote.aws.local_service import find_service
        from sm_remote.home import find_home
        from tests.fakes.service import make_client

        found = find_service(find_home({"SM_REMOTE_HOME": str(self.home)}))
        if found is None:
            return
        client = make_client(found[0])
        for row in client.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]:
            with contextlib.suppress(client.exceptions.ClientError):  # it has just ended
                client.stop_training_job(TrainingJobName=row["TrainingJobName"])

    def read_metadata(self, name: str) -> dict[str, object]:
        """A saved notebook's metadata."""
        found: dict[str, object] = json.loads((self.notebooks / name).read_text())["metadata"]
        return found


@contextlib.contextmanager
def serve_lab(
    directory: Path,
    *,
    app: str = "lab",
    environ: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    python: str = sys.executable,
) -> Iterator[LabServer]:
    """Runs a server until the block ends; its kernels end with it, and its local training service too.

    Args:
        directory: Where everything of it lies.
        app: ``lab``, ``notebook`` or ``server``.
        environ: Variables beyond this process's.
        options: Further options of the server.
        python: Of the environment whose Jupyter it is.
    """
    notebooks, home = directory / "notebooks", directory / "home"
    notebooks.mkdir(parents=True)
    settings = directory / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY"))},
        **{f"JUPYTER_{name}_DIR": str(directory / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")},
        "JUPYTERLAB_SETTINGS_DIR": str(directory / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(directory / "workspaces"),
        "IPYTHONDIR": str(directory / "ipython"),
        "SM_REMOTE_HOME": str(home),
        "SM_REMOTE_ENGINE": "process",
        **(environ or {}),
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (directory / "server.log").open("wb")
    process = subprocess.Popen(
        [
            *(python, "-m", "jupyter", app, "--no-browser", "--ip=127.0.0.1", f"--port={port}"),
            *("--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={notebooks}"),
            *options,
            *(["--allow-root"] if os.getuid() == 0 else []),
            *(["--expose-app-in-browser"] if app in ("lab", "notebook") else []),
        ],
        env=env,
        cwd=notebooks,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(url, process, directory / "server.log")
        yield LabServer(url=url, notebooks=notebooks, home=home, environ=env)
    finally:
        _end(process)
        log.close()
        _stop_service(home)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/api/status?token={TOKEN}", timeout=5).close()
            return
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The server by a signal that has it end its kernels, then whatever is left of its session."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(120)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(120)


def _stop_service(home: Path) -> None:
    from sm_remote.aws.local_service import find_service, stop_service
    from sm_remote.home import find_home

    found = find_service(find_home({"SM_REMOTE_HOME": str(home)}))
    if found is not None:
        stop_service(find_home({"SM_REMOTE_HOME": str(home)}), found[0])
