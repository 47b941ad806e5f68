"""Opens JupyterLab with the quickstart, and the training-jobs panel beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOTEBOOK = "quickstart.ipynb"
PANEL = "sm-remote-panel"
WIDTHS = [0.3, 0.7]


def build_workspace() -> dict[str, object]:
    """A workspace in which the notebook is open and the panel is shown."""
    notebook = f"notebook:{NOTEBOOK}"
    layout = {
        "main": {"dock": {"type": "tab-area", "currentIndex": 0, "widgets": [notebook]}, "current": notebook},
        "left": {"collapsed": False, "current": PANEL, "widgets": [PANEL]},
        "relativeSizes": [*WIDTHS, 0],
    }
    return {
        "data": {
            "layout-restorer:data": layout,
            notebook: {"data": {"path": NOTEBOOK, "factory": "Notebook"}},
        },
        "metadata": {"id": "sm-remote-quickstart"},
    }


def can_open_browser(environ: Mapping[str, str], platform: str) -> bool:
    """Whether there is a display on which a browser could be opened."""
    return platform == "darwin" or any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def main() -> None:
    """Imports the workspace and becomes JupyterLab; what stands behind the script's name goes to it."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(build_workspace(), file)
    jupyter = [sys.executable, "-m", "jupyter"]
    imported = subprocess.run([*jupyter, "lab", "workspaces", "import", file.name], capture_output=True, text=True)
    os.unlink(file.name)
    if imported.returncode:
        sys.exit(f"The workspace with the quickstart could not be made:\n{imported.stderr.strip()}")
    options = [f"--ServerApp.root_dir={HERE}", "--LabApp.default_url=/lab/workspaces/sm-remote-quickstart"]
    if not can_open_browser(os.environ, sys.platform):
        options.append("--no-browser")
        print(
            "There is no display here: open one of the addresses below in a browser. From another machine that takes\n"
            "a tunnel, `ssh -L PORT:localhost:PORT` to this one, with the PORT of the address. Ctrl-C ends JupyterLab.",
            flush=True,
        )
    os.execv(sys.executable, [*jupyter, "lab", *options, *sys.argv[1:]])


if __name__ == "__main__":
    main()
