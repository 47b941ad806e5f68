"""`%remote`: the session's settings, and its jobs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from sm_remote.cli.config_rendering import SettingRow, render_config
from sm_remote.cli.job_rendering import render_jobs
from sm_remote.cli.queries import fetch_jobs
from sm_remote.errors import ConfigError
from sm_remote.jobs.attach import connect_with, resolve_name
from sm_remote.jobs.succession.chain import list_chain, stop_for_good
from sm_remote.notebook.cell_run import attach_cell
from sm_remote.notebook.flags import Flags, parse_flags, setting_of
from sm_remote.settings import check_combinations, describe_settings, resolve_settings
from sm_remote.settings.session import read_session_settings, set_session_settings

MAGIC = "%remote"
LISTED_JOBS = 20

Answer = tuple[Any, BaseException | None]


def run_line(line: str, shell: Any) -> Answer:
    """Does what a line of `%remote` asks for.

    Args:
        line: What stands behind ``%remote``.
        shell: IPython's.

    Returns:
        A value to be shown, and what an attached job raised.

    Raises:
        ConfigError: The line is wrong.
        JobNotFound: No job has the name.
    """
    flags = parse_flags(line, shell.user_ns, magic=MAGIC)
    _refuse_flags_of_cells(flags)
    if not flags.words:
        if flags.settings:
            set_session_settings({**read_session_settings(), **flags.settings})
            check_combinations(resolve_settings({}))  # two that contradict are told now, not at the next cell
        _say(_show_settings())
        return None, None
    word, *names = flags.words
    act = _COMMANDS.get(word)
    if act is None:
        setting, equals, value = word.partition("=")
        flag = f"A setting is a flag: `{MAGIC} --{setting.replace('_', '-')} {value}`. " if equals else ""
        raise ConfigError(
            f"{MAGIC} knows no {word!r}.",
            fix=f"{flag}It knows {', '.join(_COMMANDS)}, and flags; `{MAGIC}?` tells all.",
        )
    return act(names, flags, shell)


def _refuse_flags_of_cells(flags: Flags) -> None:
    given = {"--in": flags.sends, "--out": flags.wants, "--detach": flags.detach, "--dry-run": flags.dry_run}
    wrong = [flag for flag, value in given.items() if value]
    if flags.yes and flags.words[:1] != ("attach",):
        wrong.append("--yes")
    if wrong:
        raise ConfigError(f"{wrong[0]} is about one cell, not about the session.", fix="Put it on a line of %%remote.")


def _list_jobs(names: list[str], flags: Flags, shell: Any) -> Answer:
    connection = connect_with(resolve_settings(flags.settings))
    jobs = fetch_jobs(connection, name_contains=names[0] if names else None, limit=LISTED_JOBS)
    _say(render_jobs(jobs, now=datetime.now(timezone.utc), limit=LISTED_JOBS, colours=False))
    return None, None


def _attach(names: list[str], flags: Flags, shell: Any) -> Answer:
    return attach_cell(_one(names, "attach"), flags, shell)


def _stop(names: list[str], flags: Flags, shell: Any) -> Answer:
    connection = connect_with(resolve_settings(flags.settings))
    name = resolve_name(connection, _one(names, "stop"), live=True)
    newest = list_chain(connection, connection.training_jobs.describe(name))[-1]
    stop_for_good(connection, newest)
    _say(f"sm_remote: training job {newest.name} is being stopped\n")
    return None, None


def _reset(names: list[str], flags: Flags, shell: Any) -> Answer:
    kept = dict(read_session_settings())
    for name in names:
        setting = setting_of(name.removeprefix("--"))
        if setting is None:
            raise ConfigError(f"{name!r} is not a setting.", fix=f"`{MAGIC}` shows those that this session has set.")
        kept.pop(setting, None)
    set_session_settings(kept if names else {})
    _say(_show_settings())
    return None, None


_COMMANDS: Mapping[str, Callable[[list[str], Flags, Any], Answer]] = {
    "jobs": _list_jobs,
    "attach": _attach,
    "stop": _stop,
    "reset": _reset,
}
COMMANDS = tuple(_COMMANDS)


def _one(names: list[str], command: str) -> str:
    if len(names) != 1:
        raise ConfigError(f"{MAGIC} {command} takes the name of one job.", fix=f"`{MAGIC} jobs` lists the newest.")
    return names[0]


def _show_settings() -> str:
    settings = resolve_settings({})
    rows = [
        SettingRow(name=one.name, value=settings.value(one.name), origin=settings.origin(one.name), help=one.help)
        for one in describe_settings()
    ]
    chosen = [row for row in rows if row.origin != "default" or row.name in ("target", "instance_type")]
    return render_config(chosen, colours=False) + f"All others have their defaults; `{MAGIC}?` tells what they are.\n"


def _say(text: str) -> None:
    sys.stdout.write(text)
