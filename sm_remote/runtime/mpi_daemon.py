"""The command by which mpirun has a daemon started on another host, taken apart: no shell ever sees it.

Source: Open MPI documentation, "Launching with SSH": the agent is given a host and a line for a shell, which may set
variables for an installation's place before it names ``orted`` (Open MPI 4) or ``prted`` (5) and its arguments.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from sm_remote.errors import JobFailed

DAEMONS = ("orted", "prted")
_PLACES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PRTE_PREFIX", "PMIX_PREFIX", "OPAL_PREFIX", "OMPI_PREFIX")
_PROFILE = "( test ! -r ./.profile || . ./.profile;"
"""What the line begins with where the user's shell is sh, and `)` its end: nobody has logged in, so there is none."""
_LEAVING = ("--daemonize", "-daemonize")


@dataclass(frozen=True, kw_only=True, slots=True)
class DaemonCommand:
    """A daemon to start.

    Attributes:
        name: One of `DAEMONS`.
        arguments: What it is given.
        variables: Where its installation is.
    """

    name: str
    arguments: tuple[str, ...]
    variables: dict[str, str]


def parse_daemon_command(line: str) -> DaemonCommand:
    """Reads the line that mpirun gives its agent.

    Raises:
        JobFailed: It is anything else.
    """
    try:
        words = _split(_strip_profile(line.strip()))
        while words and words[0] == ";":
            words.pop(0)
        variables: dict[str, str] = {}
        while words and "=" in words[0] and words[1] == ";":
            name, _, value = words[0].partition("=")
            if name not in _PLACES:
                raise ValueError(f"it sets {name}")
            variables[name] = value.replace(f"${name}", os.environ.get(name, "")).strip(":")
            words = words[2:]
            if words[0] == "export":
                if words[1] != name or words[2] != ";":
                    raise ValueError("it exports something else")
                words = words[3:]
        program, arguments = words[0], words[1:]
    except (ValueError, IndexError) as error:
        raise _refuse(line, str(error)) from error
    name = os.path.basename(program)
    if name not in DAEMONS or ";" in arguments:
        raise _refuse(line, f"it runs {program}")
    return DaemonCommand(
        name=name, arguments=tuple(word for word in arguments if word not in _LEAVING), variables=variables
    )


def _strip_profile(line: str) -> str:
    return line[len(_PROFILE) : -1] if line.startswith(_PROFILE) and line.endswith(")") else line


def _split(line: str) -> list[str]:
    """Words as a shell makes them, a semicolon by itself being one; quoted ones belong to their word."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";")
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def _refuse(line: str, why: str) -> JobFailed:
    return JobFailed(
        "What mpirun wants to have started on another host is not its daemon, so it was not.",
        why=f"{why}: {line[:300]!r}",
    )
