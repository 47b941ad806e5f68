"""The kernel's end of its connection to the panel: a Jupyter comm over which the notebook's settings come.

The kernel opens it and the panel answers with the settings, now and whenever they change, so a change holds for the
next call without a restart. What arrives has been confirmed in the panel where that is needed; a message can only come
from the person's own browser. While a cell runs nothing arrives: until the first answer the notebook's file is read.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from sm_remote.errors import RemoteError
from sm_remote.settings.notebook import forget_notebook_settings, set_notebook_settings

logger = logging.getLogger("sm_remote")

COMM_TARGET = "sm_remote"
PROTOCOL = 1

_connected: Any = None
_told: list[str] = []


def connect_panel() -> None:
    """Opens the connection once in a Jupyter kernel; does nothing elsewhere, and never costs a call its job.

    Not where nobody looks, as in nbconvert and papermill, which would log that they know no such connection: a person's
    front end can be asked for input, those cannot.
    """
    global _connected
    if _connected is not None or "ipykernel" not in sys.modules:
        return
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not getattr(getattr(shell, "kernel", None), "_allow_stdin", False):
        return
    try:
        _connected = _open_comm()
    except Exception:
        logger.debug("No panel can be reached from this kernel.", exc_info=True)


def _open_comm() -> Any:
    from comm import create_comm

    comm = create_comm(target_name=COMM_TARGET, data={"protocol": PROTOCOL})
    comm.on_msg(lambda message: take_message(message["content"]["data"], comm.send))
    comm.on_close(lambda _: _disconnect())
    return comm


def tell_overridden(names: Iterable[str]) -> None:
    """Tells the panel which of the notebook's settings a call did not use, because it sets them itself."""
    global _told
    overridden = sorted(names)
    if _connected is None or overridden == _told:
        return
    _told = overridden
    try:
        _connected.send({"overridden": overridden})
    except Exception:
        logger.debug("The panel could not be told what a call overrides.", exc_info=True)


def take_message(data: Mapping[str, Any], reply: Any) -> None:
    """Takes up settings that the panel sent, and tells it whether they hold here.

    Args:
        data: ``{"settings": {...}}``; what else it holds is of a newer panel and is left alone.
        reply: Called with the answer.
    """
    settings = data.get("settings")
    if not isinstance(settings, dict):
        return
    try:
        set_notebook_settings(settings)
    except RemoteError as error:  # this kernel's sm_remote is older than the panel's
        reply({"accepted": False, "what": error.what, "why": error.why, "fix": error.fix})
    else:
        reply({"accepted": True})


def _disconnect() -> None:
    """The panel closed the connection: a panel that is not there, or one that went."""
    global _connected, _told
    _connected, _told = None, []
    forget_notebook_settings()
