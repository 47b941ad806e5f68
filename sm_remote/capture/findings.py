"""What may go wrong with a call, and what is certain to: from an interpreter's answer, or from an image's contents."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sm_remote.capture.distributions import Distribution, normalise, providers_of, read_index
from sm_remote.capture.needed_modules import DYNAMIC, Needed
from sm_remote.capture.plan import Plan
from sm_remote.capture.surroundings import Surroundings

_logger = logging.getLogger("sm_remote")


@dataclass
class Findings:
    """What a proof found: modules that are certain to be missing, each with the reason, and what may be wrong."""

    missing: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)


def judge_answer(
    plan: Plan,
    surroundings: Surroundings,
    needed: Needed,
    answer: Mapping[str, Any],
    distributions: Iterable[Distribution],
) -> Findings:
    """What the throw-away interpreter's answer means.

    Args:
        plan: The call.
        surroundings: What its job will have.
        needed: What its payloads name.
        answer: Of `preflight_child`.
        distributions: Those whose objects the payloads hold.
    """
    findings = Findings()
    reach = plan.reach
    known_here = {*reach.local, *reach.installed}
    for error in answer["errors"]:
        _judge_error(plan, surroundings, error, findings, is_certain=not answer["extends_path"])
    for name in _outermost(answer["absent"]):
        why = reach.why.get(name, "")
        if name in findings.missing or name.partition(".")[0] in surroundings.elsewhere:
            continue
        if "." not in name and name in needed.tops and not answer["extends_path"]:
            findings.missing[name] = why
        elif name in known_here and not surroundings.may_install:
            findings.doubts.append(f"the job will not find the module {name!r} ({why})")
        else:
            _logger.info("Preflight: %r is nowhere (%s); the import may be optional", name, why)
    for one in distributions:
        there = answer["versions"].get(one.name)
        if there is not None and there != one.version:
            findings.doubts.append(
                f"{one.name} is {one.version} here and {there} in the job, and the call holds objects of it"
            )
    return findings


def _judge_error(
    plan: Plan, surroundings: Surroundings, error: Mapping[str, Any], findings: Findings, *, is_certain: bool
) -> None:
    name = error["name"] or ""
    top = name.partition(".")[0]
    if name in DYNAMIC:
        return
    importer = f"imported by {error['importer']}" if error["importer"] else "needed to load the function"
    if is_certain and error["is_absent"] and "." not in name and top not in surroundings.elsewhere:
        findings.missing[name] = plan.reach.why.get(name) or importer
        return
    # Hardware, a library of the system, a version that lacks a name: in the job it may be otherwise.
    findings.doubts.append(f"loading the function gave {error['type']}: {error['text']} ({importer})")


def _outermost(names: Iterable[str]) -> Iterator[str]:
    """Without the parts of packages that are themselves among the names."""
    every = set(names)
    for name in sorted(every):
        parts = name.split(".")
        if not any(".".join(parts[:count]) in every for count in range(1, len(parts))):
            yield name


def look_up(plan: Plan, surroundings: Surroundings, needed: Needed) -> Findings:
    """What can be said of another image: certain is only what its contents and the call's own modules rule out."""
    findings = Findings()
    python = surroundings.python
    if python.installed is None or python.modules is None or not python.knows_all:
        return findings
    own = {name.partition(".")[0] for name in plan.reach.local} | surroundings.elsewhere
    layer = {name.partition(".")[0] for name in _list_names(surroundings.layer)}
    for top in sorted(needed.tops - own - layer - sys.stdlib_module_names):
        located = plan.reach.installed.get(top)
        if located is None:
            continue  # it is not known here, so nobody knows which package would have it
        owners = providers_of(top, located.file, read_index())
        if owners and not any(_may_be_in(one, python.installed) for one in owners):
            findings.missing[top] = plan.reach.why.get(top, "")
    return findings


def _list_names(folder: Path | None) -> list[str]:
    try:
        return [] if folder is None else os.listdir(folder)
    except OSError:
        return []


def _may_be_in(one: Distribution, installed: Mapping[str, str]) -> bool:
    """Whether an image may have it: under its name, or under one like it (``opencv-python-headless``)."""
    stem = normalise(one.name).partition("-")[0]
    return any(name.partition("-")[0] == stem for name in installed)
