"""What Tab offers on a line of `%%remote` or `%remote`: flags, their values, names, jobs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sm_remote.catalogue import list_instance_types
from sm_remote.errors import RemoteError
from sm_remote.jobs.attach import list_jobs
from sm_remote.notebook.flags import list_flags, setting_of
from sm_remote.notebook.session import COMMANDS
from sm_remote.settings import describe_settings

_LISTED_JOBS = 50
_LINE = re.compile(r"%%?remote\b")
_WORD = re.compile(r"[^\s=,]*$")


def complete_line(line: str, names: Iterable[str]) -> list[str]:
    """Lists what may stand at the end of a line.

    Args:
        line: Up to the cursor.
        names: The notebook's.
    """
    word = find_word(line)
    before = line[: len(line) - len(word)]
    return [each for each in _list_candidates(before, word, names) if each.startswith(word)]


def find_word(line: str) -> str:
    """What of a line is being completed."""
    found = _WORD.search(line)
    return found[0] if found else ""


def _list_candidates(before: str, word: str, names: Iterable[str]) -> list[str]:
    if word.startswith("-"):
        return [f"--{flag}" for flag in list_flags()]
    previous = re.search(r"--([\w-]+)(?:=|\s+)(?:[^\s]*,)?$", before)
    if previous is not None:
        return _list_values(previous[1], names)
    tokens = before.split()
    if tokens == ["%remote"]:
        return [*COMMANDS, *(f"--{flag}" for flag in list_flags())]
    if tokens[-1:] in (["attach"], ["stop"]):
        return _list_job_names()
    return [f"--{flag}" for flag in list_flags()]


def _list_values(flag: str, names: Iterable[str]) -> list[str]:
    if flag in ("in", "out"):
        return [name for name in names if not name.startswith("_")]
    setting = setting_of(flag)
    if setting == "instance_type":
        return [one.name for one in list_instance_types()]
    for one in describe_settings():
        if one.name == setting:
            return ["true", "false"] if one.is_flag else list(one.choices)
    return []


def _list_job_names() -> list[str]:
    try:
        return [row.name for row in list_jobs(limit=_LISTED_JOBS)]
    except RemoteError:
        return []


def build_matcher(shell: Any) -> Any:
    """Makes what IPython asks for completions; on lines of ours nothing else is offered.

    Args:
        shell: IPython's.
    """
    from IPython.core.completer import SimpleCompletion, context_matcher

    def match(context: Any) -> dict[str, Any]:
        line = context.text_until_cursor
        if not _LINE.match(line):
            return {"completions": []}
        found = [SimpleCompletion(text=each, type="keyword") for each in complete_line(line, shell.user_ns)]
        return {"completions": found, "matched_fragment": find_word(line), "suppress": True}

    return context_matcher(identifier="sm_remote")(match)
