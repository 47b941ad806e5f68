"""What all handlers of the panel's routes have in common.

Authenticated, authorised as the resource ``sm_remote``, checked against cross-site requests by Jupyter's own handlers;
names are matched before anything else sees them, and what goes wrong is answered as a `Problem`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from jupyter_server.base.handlers import APIHandler
from tornado import web

from sm_remote.errors import ConfigError, RemoteError
from sm_remote.server.panel import TARGETS, Panel
from sm_remote.server.problems import Problem, explain, render_problem

JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
"""Source: API_CreateTrainingJob, TrainingJobName."""

H = TypeVar("H", bound="PanelHandler")


class PanelHandler(APIHandler):
    """The base of the panel's handlers."""

    auth_resource = "sm_remote"

    @property
    def panel(self) -> Panel:
        """What the routes share."""
        panel: Panel = self.settings["sm_remote_panel"]
        return panel

    def refuse(self, problem: Problem) -> None:
        """Answers with a problem."""
        self.set_status(problem.status)
        self.finish(json.dumps(render_problem(problem)))

    def read_body(self) -> dict[str, Any]:
        """The request's JSON object.

        Raises:
            ConfigError: It is none.
        """
        try:
            body = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError) as error:
            raise ConfigError("The request is no JSON.", why=str(error)[:200]) from error
        if not isinstance(body, dict):
            raise ConfigError("The request is no JSON object.")
        return body


def answers_problems(method: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Makes a handler's method answer an error of ours as a problem instead of a page with a number.

    Once an answer has begun, an error breaks the connection off.
    """

    @functools.wraps(method)
    async def answer(self: PanelHandler, *args: str, **kwargs: str) -> None:
        try:
            await method(self, *args, **kwargs)
        except RemoteError as error:
            if self._headers_written:
                # Half a download has gone out: whatever followed would pass for the rest of the file.
                self.log.warning("An answer breaks off: %s", error)
                self.request.connection.stream.close()  # type: ignore[union-attr]
                return
            self.refuse(explain(error))

    return answer


def check_target(target: str) -> str:
    """Refuses what is no target.

    Raises:
        HTTPError: 404.
    """
    if target not in TARGETS:
        raise web.HTTPError(404, reason="No such target")
    return target


def check_name(name: str) -> str:
    """Refuses what can be no job's name, before it is put into a path, a request or a message.

    Raises:
        ConfigError: It is none.
    """
    if not JOB_NAME.fullmatch(name):
        raise ConfigError(
            "That is no name of a training job.",
            why="A name has 1 to 63 letters and digits, with dashes between them.",
        )
    return name
