"""The Jupyter server's side of the panel: jobs, logs and settings over REST, changes as Jupyter events.

It is a thin layer over the same client library that notebooks use. The browser never talks to AWS or to the local
training service, and sees no credentials.
"""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "sm_remote.server.extension"}]
