"""Every route of the panel."""

from __future__ import annotations

from jupyter_server.utils import url_path_join

from sm_remote.server.card_routes import CARD_ROUTES
from sm_remote.server.handler import PanelHandler
from sm_remote.server.job_routes import JOB_ROUTES
from sm_remote.server.log_routes import LOG_ROUTES
from sm_remote.server.settings_routes import SETTINGS_ROUTES

PREFIX = "sm-remote"


def list_routes(base_url: str) -> list[tuple[str, type[PanelHandler]]]:
    """The routes below a server's base URL."""
    routes = [*JOB_ROUTES, *CARD_ROUTES, *LOG_ROUTES, *SETTINGS_ROUTES]
    return [(url_path_join(base_url, PREFIX, path), handler) for path, handler in routes]
