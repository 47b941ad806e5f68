"""The error of a call whose job would lack modules: which, what brought each, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sm_remote.capture.blame import name_part
from sm_remote.capture.distributions import providers_of, read_index
from sm_remote.capture.plan import Plan
from sm_remote.capture.surroundings import Surroundings
from sm_remote.errors import PreflightFailed


def explain_missing(plan: Plan, surroundings: Surroundings, missing: Mapping[str, str]) -> PreflightFailed:
    """The error.

    Args:
        plan: The call.
        surroundings: What its job will have.
        missing: Each module with what needs it, as far as that is known.
    """
    name = plan.target.name
    because = {each: name_part(plan, each) or why or "needed to load the call" for each, why in missing.items()}
    modules = ", ".join(map(repr, because))
    place = "in Python" if surroundings.run_this_python else f"in the image {surroundings.python.image}".rstrip()
    return PreflightFailed(
        f"{name}() would not find the module{'s' if len(because) > 1 else ''} {modules} in its job; nothing was sent.",
        why=" ".join(f"{each}: {why}." for each, why in because.items())
        + f" Neither the packages that go with the call nor its own modules have it, nor is it {place}.",
        fix=_advise(plan, because),
        missing=because,
    )


def _advise(plan: Plan, missing: Iterable[str]) -> str:
    pins, unowned = [], []
    for name in missing:
        located = plan.reach.installed.get(name)
        owners = providers_of(name, located.file, read_index()) if located is not None else []
        pins += [one.pin for one in owners]
        if located is not None and not owners:
            unowned.append(str(located.file or name))
    skip = "preflight=False sends the call all the same."
    if pins:
        return f"Name the packages in dependencies (here: {', '.join(pins)}), or leave dependencies out. {skip}"
    if unowned:
        return f"{', '.join(unowned)} belongs to no installed package and so cannot be sent: install one. {skip}"
    return f"Install the package here, or name it in dependencies. {skip}"
