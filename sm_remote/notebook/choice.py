"""Which of the notebook's names a cell is given."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sm_remote.capture.names import MeasuredNames, measure_names
from sm_remote.errors import ConfigError, UndefinedName
from sm_remote.notebook.analysis import CellNames
from sm_remote.notebook.flags import Flags
from sm_remote.runtime.changes import is_hidden

NOT_SENT = frozenset({"get_ipython", "display", "exit", "quit"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a cell is given.

    Attributes:
        names: The names, measured.
        doubts: What may be missing, each a sentence.
    """

    names: MeasuredNames
    doubts: tuple[str, ...] = ()


def choose_names(found: CellNames, flags: Flags, home: dict[str, Any]) -> Choice:
    """Finds the names that a cell needs.

    Args:
        found: What the cell does with names.
        flags: Of its line; ``--in`` replaces what was found.
        home: The notebook's names.

    Raises:
        UndefinedName: The cell reads a name that nothing can have defined.
        ConfigError: ``--in`` names what is not there.
    """
    if flags.sends is not None:
        absent = [name for name in flags.sends if name not in home]
        if absent:
            raise ConfigError(
                f"--in names {absent[0]!r}, which the notebook does not have; nothing was sent.",
                fix=_advise(absent[0], _list_names(home)),
                name=absent[0],
            )
        return Choice(names=measure_names(flags.sends, home))
    _check_defined(found, home)
    wanted = [name for name in (*found.reads, *found.optional) if name in home and name not in NOT_SENT]
    doubts = [_doubt(name) for name in found.deferred if not _is_known(name, home) and name not in found.assigns]
    if found.dynamic and not found.may_define_any:
        doubts.append(
            f"the cell calls {found.dynamic[0]}(): names that only its text mentions are not seen; name them: --in a,b"
        )
    return Choice(names=measure_names(wanted, home), doubts=tuple(doubts))


def _check_defined(found: CellNames, home: Mapping[str, Any]) -> None:
    if found.may_define_any:
        return
    missing = {
        name: line for name, line in found.reads.items() if not _is_known(name, home) and name not in found.assigns
    }
    if not missing:
        return
    name, line = next(iter(missing.items()))
    others = [f"{other!r} (line {at})" for other, at in list(missing.items())[1:6]]
    raise UndefinedName(
        f"Line {line} of the cell reads {name!r}, which is not defined; nothing was sent.",
        why=f"So are {', '.join(others)}." if others else "",
        fix=_advise(name, [*_list_names(home), *dir(builtins)]),
        name=name,
        line=line,
        missing=tuple(missing),
    )


def _is_known(name: str, home: Mapping[str, Any]) -> bool:
    return name in home or hasattr(builtins, name)


def _doubt(name: str) -> str:
    return f"a function of the cell looks up {name!r}, which is not defined yet"


def _list_names(home: Mapping[str, Any]) -> list[str]:
    """The notebook's own names, without those that IPython puts there."""
    return [each for each in home if not each.startswith("_") and not is_hidden(each)]


def _advise(name: str, candidates: Sequence[str]) -> str:
    near = get_close_matches(name, candidates, n=1, cutoff=0.7)
    return f"Did you mean {near[0]!r}?" if near else "Run the cell that defines it first, or define it in this one."
