"""The build hook that puts the panel into a wheel, and its bundle into a source distribution.

A bundle that is there is taken if it is a production one. Otherwise node builds it; on a machine without node the wheel
has everything but the panel, which is said. Editable installs are left alone: `make panel` builds and links there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "@sm-remote/labextension"
_TRACES = ("**/*.map", "build_log.json")
"""What only a development build has: sources, and paths of the machine that built it."""


class LabextensionHook(BuildHookInterface):
    """Called by hatchling before it collects files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the bundle, and what has Jupyter load it."""
        if version == "editable":
            return
        source, bundle = Path(self.root, "labextension"), Path(self.root, "sm_remote", "labextension")
        if not is_production(bundle) and not build(source):
            self.app.display_warning("node and npm are not here: the JupyterLab panel is left out of this build.")
            return
        if not is_production(bundle):
            raise RuntimeError(f"{bundle} is no production bundle: remove it, and build again.")
        if self.target_name == "wheel":
            build_data["shared_data"].update(list_shared_data(source, bundle))


def list_shared_data(source: Path, bundle: Path) -> dict[str, str]:
    """Where each thing goes below the environment's prefix."""
    place = f"share/jupyter/labextensions/{PACKAGE}"
    return {
        str(bundle): place,
        str(source / "install.json"): f"{place}/install.json",
        str(source / "server-config" / "sm_remote.json"): "etc/jupyter/jupyter_server_config.d/sm_remote.json",
    }


def is_production(bundle: Path) -> bool:
    """Whether a whole bundle is there, without a trace of who built it."""
    return (bundle / "package.json").is_file() and not any(next(bundle.glob(trace), None) for trace in _TRACES)


def build(source: Path) -> bool:
    """Builds the bundle; False where there is no node."""
    npm = shutil.which("npm")
    if npm is None:
        return False
    for arguments in (["ci"], ["run", "build:prod"]):
        subprocess.run([npm, *arguments], cwd=source, check=True, stdout=sys.stderr)
    return True
