"""Proves a call before anything is sent: would its job find the modules that the function and its arguments need?

Where the job runs this process's own Python, a throw-away interpreter with only what the job will have unpickles the
function (`preflight_child`). Of another image only what its list of packages says is known. A call is refused where a
module is certain to be missing; all else that looks wrong is a warning. What was proved once is not proved again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from pathlib import Path

from sm_remote import __version__
from sm_remote.capture.findings import Findings, look_up
from sm_remote.capture.interpreter import describe_interpreter
from sm_remote.capture.missing_modules import explain_missing
from sm_remote.capture.needed_modules import Needed
from sm_remote.capture.plan import Plan
from sm_remote.capture.proof import prove
from sm_remote.capture.surroundings import Surroundings
from sm_remote.home import Home, make_private

_logger = logging.getLogger("sm_remote")

LIMIT_S = 10.0
"""A cold disk may need longer for the imports; the call is not kept waiting for that."""
_KEPT_S = 30 * 24 * 3600
_proved: set[str] = set()


def check_call(plan: Plan, surroundings: Surroundings, *, home: Home, limit_s: float = LIMIT_S) -> None:
    """Proves a call, unless nothing beyond the standard library is reached or it was proved before.

    Args:
        plan: The call.
        surroundings: What its job will have.
        home: Whose cache remembers what was proved.
        limit_s: How long the interpreter may take.

    Raises:
        PreflightFailed: A module is certain to be missing in the job.
    """
    reach = plan.reach
    if not reach.installed and not reach.local and not reach.missing:
        return
    quick = _quick_key(plan, surroundings)
    if quick in _proved:
        return
    needed = Needed.read(plan)
    if not surroundings.run_this_python:
        _conclude(plan, surroundings, look_up(plan, surroundings, needed))
        _proved.add(quick)
        return
    key = _proof_key(plan, surroundings, needed)
    marker = home.cache / "proofs" / key
    if marker.exists():
        _proved.add(quick)
        return
    try:
        findings = prove(plan, surroundings, needed, home, limit_s)
    except OSError as error:  # a full disk, an interpreter that is gone: no reason to keep the call
        findings = Findings(doubts=[f"it could not be made: {error}"])
    _conclude(plan, surroundings, findings)
    _proved.add(quick)
    if not findings.doubts:
        _remember(marker)


def _quick_key(plan: Plan, surroundings: Surroundings) -> str:
    """Names a proof within this process, without looking into the payloads."""
    reach = plan.reach
    names = "\n".join(sorted([*reach.local, *reach.installed, *reach.missing]))
    environment = repr(sorted(surroundings.environment.items()))
    sources = hashlib.sha256(surroundings.sources).hexdigest()
    parts = [plan.function.ref().digest, str(surroundings.layer_key), sources, environment, names]
    parts.append(surroundings.python.image)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _proof_key(plan: Plan, surroundings: Surroundings, needed: Needed) -> str:
    """Names a proof by what decides it: not the function's code, only what that refers to.

    So a function that is edited, as in a notebook, is proved again only when it needs something else.
    """
    reach = plan.reach
    parts = [
        ["sm_remote/proof/v1", __version__, describe_interpreter().key, surroundings.layer_key],
        hashlib.sha256(surroundings.sources).hexdigest(),
        sorted(needed.function),
        sorted(needed.arguments),
        sorted([*reach.local, *reach.installed, *reach.missing]),
        sorted(surroundings.environment.items()),
        [sorted(surroundings.elsewhere), surroundings.may_install],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def _conclude(plan: Plan, surroundings: Surroundings, findings: Findings) -> None:
    """Refuses the call, or warns."""
    if findings.missing and (surroundings.may_install or "PYTHONPATH" in surroundings.environment):
        names = ", ".join(map(repr, findings.missing))
        _logger.info("Preflight of %s: only what the job itself adds can bring %s", plan.target.name, names)
        findings.missing.clear()
    for doubt in findings.doubts:
        _logger.warning("Preflight of %s: %s. The call goes on.", plan.target.name, doubt)
    if findings.missing:
        raise explain_missing(plan, surroundings, findings.missing)


def _remember(marker: Path) -> None:
    """Writes down that this was proved on this machine, and forgets what was long ago."""
    try:
        make_private(marker.parent)
        marker.touch()
        for other in marker.parent.iterdir():
            if other.stat().st_mtime < time.time() - _KEPT_S:
                other.unlink()
    except OSError as error:
        _logger.debug("The proof is not remembered: %s", error)
