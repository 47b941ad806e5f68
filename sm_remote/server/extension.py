"""Loads the panel's routes into a Jupyter server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sm_remote.server.changes import SCHEMA_FILE, announce_through
from sm_remote.server.panel import Panel
from sm_remote.server.routes import list_routes


def _load_jupyter_server_extension(app: Any) -> None:
    """Called by Jupyter once, before its event loop runs."""
    app.event_logger.register_event_schema(SCHEMA_FILE)
    root = Path(getattr(app, "root_dir", None) or os.getcwd()).expanduser()
    panel = Panel(environ=os.environ, root=root, announce=announce_through(app.event_logger, lambda: app.io_loop))
    app.web_app.settings["sm_remote_panel"] = panel
    app.web_app.add_handlers(".*$", list_routes(app.web_app.settings["base_url"]))
