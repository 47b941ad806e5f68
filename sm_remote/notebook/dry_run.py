"""`%%remote --dry-run`: what would travel and come back, and what the job would cost. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sm_remote.capture.explanation import Explanation, Item, explain_call
from sm_remote.capture.inputs import list_input_items
from sm_remote.capture.names import MeasuredNames
from sm_remote.costs import describe_most
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.calls.foresight import foresee_call
from sm_remote.jobs.creation.charges import read_limits
from sm_remote.jobs.environments.image_choice import choose_image
from sm_remote.jobs.submission.inputs import describe_inputs
from sm_remote.jobs.submission.preparation import describe_workspace
from sm_remote.jobs.succession.plan import build_plan
from sm_remote.notebook.analysis import CellNames
from sm_remote.notebook.flags import Flags
from sm_remote.settings import ResolvedSettings, check_combinations

_HIDDEN = ("arguments", "buffer")
"""The names themselves are listed instead."""


def explain_cell(call: tuple[Any, Any], names: MeasuredNames, found: CellNames, settings: ResolvedSettings) -> Any:
    """Lists what a cell would send.

    Args:
        call: The cell's code and its names, as they would travel.
        names: The names, measured.
        found: What the cell does with names.
        settings: Of the cell.

    Raises:
        CaptureError: Something cannot be pickled.
        ConfigError: A setting cannot hold.
    """
    check_combinations(settings)
    code, namespace = call
    connection = connect_with(settings)
    _, python = choose_image(settings, connection)
    explained = explain_call(
        code,
        (namespace,),
        {},
        home=connection.home,
        dependencies=settings.dependencies,
        python=python,
        workspace=describe_workspace(settings),
        inputs=list_input_items(describe_inputs(settings)),
    )
    items = [item for item in explained if item.kind not in _HIDDEN]
    return Explanation(function_name=explained.function_name, items=(*_list_names(names, found), *items))


def _list_names(names: MeasuredNames, found: CellNames) -> Iterator[Item]:
    for name, size_bytes in names.sizes_bytes.items():
        line = found.reads.get(name)
        why = names.because.get(name) or ("--in" if line is None else f"line {line} of the cell")
        yield Item(kind="name", name=name, why=why, size_bytes=size_bytes)


def describe_return(found: CellNames, flags: Flags, names: MeasuredNames) -> str:
    """What would come back, as far as the cell's code tells."""
    if flags.wants is not None:
        return f"sm_remote: would get {', '.join(flags.wants)}"
    assigned = ", ".join(found.assigns) or "no new names"
    return f"sm_remote: would get {assigned}" + (", and what it changes in place" if names.values else "")


def describe_cost(code: Any, settings: ResolvedSettings) -> str:
    """What the job would cost, by list prices and by what earlier runs of the cell have cost.

    Args:
        code: The cell's code.
        settings: Of the cell.
    """
    found = foresee_call(code, settings)
    machines = found.rate.machines
    if settings.target == "local":
        return f"sm_remote: {machines} on this machine: no charge; on SageMaker {found.rate.describe()}"
    most = describe_most(found.most_usd, read_limits(settings), may_be_followed=build_plan(settings) is not None)
    refusal = "" if found.refusal is None else f"; it would be refused: {found.refusal.what}"
    spot = "; on spot capacity less" if settings.use_spot_instances else ""
    estimate = found.estimate.describe()
    price = "" if found.rate.usd_per_hour is None else f"; {found.rate.describe()}"
    return f"sm_remote: {machines} on SageMaker: {estimate}{most}{price}{spot}{refusal}"
