"""What ``%load_ext sm_remote`` does."""

from __future__ import annotations

from typing import Any

from sm_remote.notebook.magics import RemoteMagics
from sm_remote.settings.panel_comm import connect_panel


def load(shell: Any) -> None:
    """Registers the magics in an IPython shell, and connects it to the panel, where there is one."""
    shell.register_magics(RemoteMagics)
    connect_panel()


def unload(shell: Any) -> None:
    """Takes the magics back."""
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("remote", None)
