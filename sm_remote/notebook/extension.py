"""What ``%load_ext sm_remote`` does."""

from __future__ import annotations

from typing import Any

from sm_remote.notebook.magics import RemoteMagics


def load(shell: Any) -> None:
    """Registers the magics in an IPython shell."""
    shell.register_magics(RemoteMagics)


def unload(shell: Any) -> None:
    """Takes the magics back."""
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("remote", None)
