"""The settings form: what holds for a notebook, what would be wrong, what it would cost. Python's rules decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from sm_remote import __version__
from sm_remote.errors import ConfigError, RemoteError
from sm_remote.home import find_home
from sm_remote.server.handler import PanelHandler, answers_problems
from sm_remote.server.problems import explain, render_problem
from sm_remote.server.settings_view import (
    check_each,
    estimate,
    find_held,
    find_private,
    list_groups,
    list_settings,
    list_types,
)
from sm_remote.server.user_file import write_user_settings
from sm_remote.settings import ResolvedSettings, check_combinations, find_user_file
from sm_remote.settings.trust import confirm


class StateHandler(PanelHandler):
    """Whom the panel talks to."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self) -> None:
        """The version, and where jobs run by default."""
        self.finish(json.dumps(await self.panel.run(self._describe)))

    def _describe(self) -> dict[str, Any]:
        try:
            target, problem = self.panel.resolve().target, None
        except RemoteError as error:
            target, problem = "local", render_problem(explain(error))
        return {"version": __version__, "target": target, "problem": problem}


class SettingsHandler(PanelHandler):
    """The settings of one notebook."""

    @web.authenticated
    @authorized
    @answers_problems
    async def post(self) -> None:
        """Judges a notebook's settings: ``{"path": ..., "values": {...}, "trusted": ...}``. Nothing is kept."""
        body = self.read_body()
        values = body.get("values")
        if not isinstance(values, dict):
            raise ConfigError("The notebook's settings are no JSON object.")
        directory = self._find_directory(str(body.get("path") or ""))
        self.finish(json.dumps(await self.panel.run(self._judge, values, directory, body.get("trusted") is True)))

    def _find_directory(self, path: str) -> Path:
        """The directory of a notebook below the server's root, where its project's file is looked for."""
        root = self.panel.root.resolve()
        found = (root / path).resolve().parent if path else root
        return found if found.is_relative_to(root) else root

    def _judge(self, values: dict[str, Any], directory: Path, trusted: bool) -> dict[str, Any]:
        accepted, problems = check_each(values)
        usual = self.panel.resolve(directory=directory)
        held = find_held(find_home(), accepted, usual, trusted=trusted)
        taken = {name: value for name, value in accepted.items() if name not in held}
        settings, refused, conflict = self._resolve(taken, directory, usual)
        taken = {name: value for name, value in taken.items() if name not in refused}
        return {
            "settings": list_settings(settings),
            "usual": {entry["name"]: [entry["value"], entry["origin"]] for entry in list_settings(usual)},
            "groups": list_groups(),
            "problems": {**problems, **refused},
            "conflict": conflict,
            "held": _plain(held),
            "private": find_private(accepted),
            "taken": _plain({} if conflict else taken),
            "estimate": estimate(settings),
        }

    def _resolve(
        self, taken: dict[str, Any], directory: Path, usual: ResolvedSettings
    ) -> tuple[ResolvedSettings, dict[str, dict[str, Any]], dict[str, Any] | None]:
        """The settings together, and the notebook's ones that do not go with the others, each with its problem.

        Third is a contradiction in which the notebook has no part: then the settings are those without it.
        """
        refused: dict[str, dict[str, Any]] = {}
        while True:
            kept = {name: value for name, value in taken.items() if name not in refused}
            try:
                settings = self.panel.resolve(kept, directory=directory)
                check_combinations(settings)
                return settings, refused, None
            except ConfigError as error:
                problem = render_problem(explain(error))
                name = next((each for each in error.facts.get("settings", ()) if each in kept), None)
                if name is None:
                    return usual, refused, problem
                refused[name] = problem


class ConfirmHandler(PanelHandler):
    """A person has seen settings of a notebook, and wants them."""

    @web.authenticated
    @authorized
    @answers_problems
    async def post(self) -> None:
        """Remembers ``{"values": {...}}``."""
        values = self.read_body().get("values")
        if not isinstance(values, dict):
            raise ConfigError("The confirmed settings are no JSON object.")
        accepted, _ = check_each(values)
        await self.panel.run(confirm, find_home(), accepted)
        self.set_status(204)
        self.finish()


class UserSettingsHandler(PanelHandler):
    """The user's own file, which holds what no notebook may carry."""

    @web.authenticated
    @authorized
    @answers_problems
    async def patch(self) -> None:
        """Changes single settings: ``{"values": {"role": "...", "environment_variables": {"NAME": null}}}``."""
        values = self.read_body().get("values")
        if not isinstance(values, dict):
            raise ConfigError("The settings are no JSON object.")
        await self.panel.run(write_user_settings, find_user_file(self.panel.environ), values)
        self.set_status(204)
        self.finish()


class InstanceTypesHandler(PanelHandler):
    """The catalogue."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self) -> None:
        """Every instance type with what is known of it."""
        self.finish(json.dumps({"types": await self.panel.run(list_types)}))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


SETTINGS_ROUTES: list[tuple[str, type[PanelHandler]]] = [
    (r"state", StateHandler),
    (r"settings", SettingsHandler),
    (r"settings/confirm", ConfirmHandler),
    (r"settings/user", UserSettingsHandler),
    (r"instance-types", InstanceTypesHandler),
]
