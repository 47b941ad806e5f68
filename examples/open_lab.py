"""Opens JupyterLab with the quickstart, and the training-jobs panel beside it."""

from __future__ import annotations

import json
import os
import sys
import tempfile
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


def main() -> None:
    """Imports the workspace and becomes JupyterLab; what stands behind the script's name goes to it."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(build_workspace(), file)
    jupyter = [sys.executable, "-m", "jupyter"]
    os.spawnv(os.P_WAIT, sys.executable, [*jupyter, "lab", "workspaces", "import", file.name])
    os.unlink(file.name)
    options = [f"--ServerApp.root_dir={HERE}", "--LabApp.default_url=/lab/workspaces/sm-remote-quickstart"]
    os.execv(sys.executable, [*jupyter, "lab", *options, *sys.argv[1:]])


if __name__ == "__main__":
    main()
