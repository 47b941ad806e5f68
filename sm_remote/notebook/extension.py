"""What ``%load_ext sm_remote`` does."""

from __future__ import annotations

import functools
from typing import Any

from sm_remote.jobs.calls.foreground import Audience, set_audience
from sm_remote.notebook.audience import find_audience
from sm_remote.notebook.completion import build_matcher
from sm_remote.notebook.magics import RemoteMagics
from sm_remote.settings.panel_comm import connect_panel

_ATTRIBUTE = "_sm_remote_matcher"


def load(shell: Any) -> None:
    """Registers the magics and their completion in an IPython shell, and connects it to the panel, if there is one."""
    unload(shell)
    shell.register_magics(RemoteMagics)
    if hasattr(shell.Completer, "custom_matchers"):  # IPython 8.6
        matcher = build_matcher(shell)
        shell.Completer.custom_matchers.append(matcher)
        setattr(shell, _ATTRIBUTE, matcher)
    set_audience(functools.partial(find_audience, shell=shell))
    connect_panel()


def unload(shell: Any) -> None:
    """Takes the magics back."""
    set_audience(lambda job, settings: Audience())
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("remote", None)
    matcher = vars(shell).pop(_ATTRIBUTE, None)
    if matcher is not None:
        shell.Completer.custom_matchers.remove(matcher)
