"""What the panel's routes share: the connections, one poller a target, and the threads that may block."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.home import find_home
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.connection import Connection
from sm_remote.server.changes import Announce
from sm_remote.server.poller import Poller
from sm_remote.settings import ResolvedSettings, resolve_settings

P = ParamSpec("P")
T = TypeVar("T")

TARGETS = ("local", "sagemaker")
MOST_THREADS = 24
MOST_STREAMS = 12
"""Log streams at once, each of which holds a thread; a panel that gets none asks for pages instead."""


class Panel:
    """The panel of one Jupyter server.

    Args:
        environ: The server's environment.
        root: Where the server's files lie.
        announce: Told of each change of a list of jobs.
    """

    def __init__(self, *, environ: Mapping[str, str], root: Path, announce: Announce) -> None:
        self.environ = environ
        self.root = root
        self.open_streams = 0
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="sm_remote-panel")
        self._pollers = {
            target: Poller(target, functools.partial(self._find_api, target), announce) for target in TARGETS
        }

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs what may block in a thread: nothing here may hold up the server's event loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(function, *args, **kwargs))

    def poller(self, target: str) -> Poller:
        """The one poller of a target."""
        return self._pollers[target]

    def resolve(self, values: Mapping[str, object] | None = None, *, directory: Path | None = None) -> ResolvedSettings:
        """The settings of a notebook in a directory, as far as this process can know them."""
        return resolve_settings({}, environ=self.environ, cwd=directory or self.root, notebook=values or {})

    def connect(self, target: str) -> Connection:
        """The connection to a target; blocks while a local service starts.

        Raises:
            RemoteError: It cannot be reached.
        """
        settings = resolve_settings({"target": target}, environ=self.environ, cwd=self.root, notebook={})
        return connect_with(settings)

    def _find_api(self, target: str, panel: bool) -> TrainingJobs | None:
        # For the status bar alone no service is started: without one, no job runs.
        if target == "local" and not panel and not self.has_local_service():
            return None
        return self.connect(target).training_jobs

    def has_local_service(self) -> bool:
        """Whether the local training service runs."""
        from sm_remote.aws.local_service import find_service

        return find_service(find_home(dict(self.environ))) is not None
