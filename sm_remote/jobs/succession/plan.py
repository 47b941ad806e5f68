"""What follows a job that could not be had or has failed: the next instance type, capacity on demand, a larger type.

There is one mechanism for all of them. A `Plan` says where a job stands and what may still follow; how it ended
decides, by `plan_successor` alone, what its successor is. The plan travels with the job as a variable of its
environment, so any process can go on. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.catalogue import find_instance_type, find_larger
from sm_remote.errors import ConfigError, JobError, JobFailed, JobStopped, OutOfMemory, RemoteError, SubmitError
from sm_remote.settings import ResolvedSettings
from sm_remote.settings.succession_kinds import name_class
from sm_remote.spec import SecondaryStatus, TrainingJobSpec, TrainingJobStatus
from sm_remote.wire.layout import RUN_VARIABLE, SUCCESSION_VARIABLE

CONTINUES_TAG = "sm_remote:continues"
LONGEST_SUFFIX = 3
"""Characters of a job's name that its successors need: ``-12``."""
LONGEST_PLAN = 512
"""Source: API_CreateTrainingJob, Environment: a value has at most 512 characters."""
LONGEST_CAUSE = 80
OUT_OF_MEMORY = OutOfMemory.__name__

_SHORTAGE = re.compile(r"CapacityError|InsufficientCapacity|InsufficientInstanceCapacity")
_GPU_MEMORY = re.compile(r"(^|\.)OutOfMemoryError$|(^|\.)ResourceExhaustedError$")
_GPU_WORDS = re.compile(r"CUDA out of memory|CUDA error: out of memory|RESOURCE_EXHAUSTED: Out of memory")


class Cause(str, Enum):
    """Why a job is followed by another."""

    CAPACITY = "CapacityError"
    QUOTA = "ResourceLimitExceeded"
    WAIT = "MaxWaitTimeExceeded"
    MEMORY = "OutOfMemory"
    GPU_MEMORY = "GpuOutOfMemory"
    ERROR = "Error"

    def __str__(self) -> str:
        return self.value


_WORDS = {
    Cause.CAPACITY: "there is no capacity",
    Cause.QUOTA: "the account's quota is used up",
    Cause.WAIT: "max_wait_time_in_seconds is used up",
    Cause.MEMORY: "it ran out of memory",
    Cause.GPU_MEMORY: "its GPU ran out of memory",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a job ended, or why there was none.

    Attributes:
        cause: What kind of an ending it is.
        error: The name of the error that it ended with; empty for want of capacity.
        names: That name and those of all its base classes.
        refused: Whether the job was refused when it was created, so that its name is still free.
    """

    cause: Cause
    error: str = ""
    names: frozenset[str] = frozenset()
    refused: bool = False

    @property
    def label(self) -> str:
        """The cause in a word, as a job's history shows it."""
        return self.error if self.cause is Cause.ERROR else str(Cause.MEMORY if self.is_memory else self.cause)

    @property
    def is_memory(self) -> bool:
        """Whether more memory could help."""
        return self.cause in (Cause.MEMORY, Cause.GPU_MEMORY)

    def describe(self) -> str:
        """The cause, in words."""
        return _WORDS.get(self.cause) or f"it raised {self.error}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Where a job stands among those that one call is, and what may still follow.

    Attributes:
        types: The instance types, in the order in which they are tried; an empty text for groups of instances.
        at: Which of them the job has.
        spot: Whether it is on spot capacity.
        on_demand: Whether it may be followed on demand.
        retry_on: Errors after which it is tried again.
        tries: How often it may be tried, this time included.
        number: Which job of the call it is, from 1 on.
        cause: Why the one before it ended; empty for the first.
        refused: What was refused when it was created: instance types, each with the cause.
        chains_tags: Whether it has SessionChainingConfig, of which DescribeTrainingJob does not tell.
    """

    types: tuple[str, ...]
    at: int = 0
    spot: bool = False
    on_demand: bool = False
    retry_on: tuple[str, ...] = ()
    tries: int = 1
    number: int = 1
    cause: str = ""
    refused: tuple[tuple[str, str], ...] = ()
    chains_tags: bool = False

    @property
    def instance_type(self) -> str:
        """What the job runs on."""
        return self.types[self.at]

    @property
    def may_follow(self) -> bool:
        """Whether anything could."""
        may_move = self.at + 1 < len(self.types) or (self.spot and self.on_demand)
        return may_move or (bool(self.retry_on) and self.tries > 1)

    def describe(self) -> str:
        """What the job runs on, in words."""
        return (self.instance_type or "the same instances") + (
            " on spot capacity" if self.spot else " on demand" if self.on_demand else ""
        )


def build_plan(settings: ResolvedSettings) -> Plan | None:
    """What may follow the job of a call; None where nothing may.

    Raises:
        ConfigError: It is more than can travel with the job.
    """
    plan = Plan(
        types=("",) if settings.instance_groups else (settings.instance_type, *settings.further_instance_types),
        spot=settings.use_spot_instances,
        on_demand=settings.use_spot_instances and settings.fallback == "on_demand",
        retry_on=settings.retry_on,
        tries=settings.max_attempts if settings.retry_on else 1,
        chains_tags=settings.enable_session_tag_chaining,
    )
    if not plan.may_follow:
        return None
    longest = replace(plan, at=len(plan.types), number=99, refused=_list_most_refusals(plan), cause="-" * LONGEST_CAUSE)
    if len(write_plan(longest)) > LONGEST_PLAN:
        raise ConfigError(
            "There are too many instance types or errors in instance_type and retry_on; nothing was sent.",
            why=f"What may follow a job travels with it in {LONGEST_PLAN} characters.",
            fix="Name fewer.",
            settings=("instance_type", "retry_on"),
        )
    return plan


def add_plan(spec: TrainingJobSpec, settings: ResolvedSettings) -> TrainingJobSpec:
    """The same job with what may follow it, where anything may.

    Raises:
        ConfigError: It is more than can travel with the job.
    """
    plan = build_plan(settings)
    if plan is None:
        return spec
    return replace(spec, environment={**spec.environment, SUCCESSION_VARIABLE: write_plan(plan)})


def _list_most_refusals(plan: Plan) -> tuple[tuple[str, str], ...]:
    return tuple((each, "quota") for each in plan.types)


def write_plan(plan: Plan) -> str:
    """The plan as text; what is as it is by default is left out."""
    usual = asdict(Plan(types=()))
    given = {name: value for name, value in asdict(plan).items() if value != usual[name]}
    types = {name: position for position, name in enumerate(plan.types)}
    refused = [f"{types.get(name, name)}:{cause}" for name, cause in plan.refused[-len(plan.types) :]]
    return json.dumps({**given, **({"refused": refused} if refused else {})}, separators=(",", ":"))


def read_plan(environment: Mapping[str, str] | None) -> Plan | None:
    """The plan that travels with a job; None where none does, or none that is understood here."""
    text = (environment or {}).get(SUCCESSION_VARIABLE)
    if not text:
        return None
    try:
        found: dict[str, Any] = json.loads(text)
        types = tuple(found["types"])
        refused = [entry.partition(":") for entry in found.get("refused", ())]
        shown = tuple((types[int(name)] if name.isdigit() else name, cause) for name, _, cause in refused)
        members = {**found, "types": types, "retry_on": tuple(found.get("retry_on", ())), "refused": shown}
        plan = Plan(**members)
        return plan if plan.instance_type is not None else None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None


def find_plan(description: TrainingJobDescription) -> Plan | None:
    """The plan of a job."""
    return read_plan(description.raw.get("Environment"))


def find_run_name(description: TrainingJobDescription) -> str:
    """The name under which a job saves its checkpoints: its own, or that of the first whose work it goes on with."""
    return str((description.raw.get("Environment") or {}).get(RUN_VARIABLE) or description.name)


def build_successor_name(run_name: str, number: int) -> str:
    """The name of a call's job: any process that knows the first one's knows all of them."""
    return run_name if number == 1 else f"{run_name}-{number}"


# -- how it ended ---------------------------------------------------------------------------------------------------


def read_refusal(error: SubmitError) -> Ending | None:
    """Why a job was not created; None for a reason that other capacity would not mend.

    Source: API_CreateTrainingJob, Errors: ResourceLimitExceeded.
    """
    code = str(error.facts.get("code") or "")
    if code == "ResourceLimitExceeded":
        return Ending(cause=Cause.QUOTA, refused=True)
    return Ending(cause=Cause.CAPACITY, refused=True) if _SHORTAGE.search(code) else None


def read_shortage(end: TrainingJobDescription, *, was_handed_over: bool = False) -> Ending | None:
    """Whether a job ended for want of capacity.

    Source: SageMaker Developer Guide, "Managed Spot Training": MaxWaitTimeExceeded; CapacityError as FailureReason.

    Args:
        end: The job.
        was_handed_over: Whether it was stopped so that another goes on with its work.
    """
    if end.secondary_status is SecondaryStatus.MAX_WAIT_TIME_EXCEEDED:
        return Ending(cause=Cause.WAIT)
    if end.status is TrainingJobStatus.STOPPED and was_handed_over:
        return Ending(cause=Cause.WAIT)
    kind = (end.failure_reason or "").partition(":")[0]
    if end.status is TrainingJobStatus.FAILED and _SHORTAGE.fullmatch(kind):
        return Ending(cause=Cause.CAPACITY)
    return Ending(cause=Cause.CAPACITY) if _has_pended_too_long(end) else None


def _has_pended_too_long(end: TrainingJobDescription) -> bool:
    """Whether a job was stopped because it had not begun by its MaxPendingTimeInSeconds.

    SageMaker has no status for it: it is told by the time.
    """
    limit_s = (end.raw.get("StoppingCondition") or {}).get("MaxPendingTimeInSeconds")
    if end.status is not TrainingJobStatus.STOPPED or not limit_s or end.start_time is not None or not end.end_time:
        return False
    return (end.end_time - end.creation_time).total_seconds() >= float(limit_s)


def read_error(error: BaseException) -> Ending | None:
    """How a job ended that raised this; None for one that somebody stopped, and for what no job ends with."""
    if isinstance(error, JobStopped) or (isinstance(error, RemoteError) and not isinstance(error, JobError)):
        return None
    names = [name_class(each) for each in type(error).__mro__]
    if isinstance(error, JobFailed) and error.facts.get("exception_type"):
        names.insert(0, str(error.facts["exception_type"]).removeprefix("builtins."))
    if isinstance(error, OutOfMemory):
        cause = Cause.MEMORY
    elif any(_GPU_MEMORY.search(name) for name in names) or _GPU_WORDS.search(str(error)):
        cause = Cause.GPU_MEMORY
        names.append(OUT_OF_MEMORY)
    else:
        cause = Cause.ERROR
    return Ending(cause=cause, error=names[0], names=frozenset(names))


# -- what follows ---------------------------------------------------------------------------------------------------


def plan_successor(plan: Plan, ending: Ending) -> Plan | None:
    """What follows a job that ended so; None where nothing does."""
    if ending.cause in (Cause.CAPACITY, Cause.QUOTA):
        found = _change_capacity(plan)
    elif ending.cause is Cause.WAIT:
        found = replace(plan, at=0, spot=False) if plan.spot and plan.on_demand else None
    else:
        found = _try_again(plan, ending)
    if found is None:
        return None
    if ending.refused:
        return replace(found, refused=(*plan.refused, (plan.instance_type, _shorten(ending))))
    return replace(found, number=plan.number + 1, cause=ending.label[:LONGEST_CAUSE], refused=())


def _shorten(ending: Ending) -> str:
    return "quota" if ending.cause is Cause.QUOTA else "capacity"


def _change_capacity(plan: Plan) -> Plan | None:
    """The next type; behind the last one, all of them on demand."""
    if plan.at + 1 < len(plan.types):
        return replace(plan, at=plan.at + 1)
    return replace(plan, at=0, spot=False) if plan.spot and plan.on_demand else None


def _try_again(plan: Plan, ending: Ending) -> Plan | None:
    if plan.tries < 2 or not ending.names.intersection(plan.retry_on):
        return None
    again = replace(plan, tries=plan.tries - 1)
    if not ending.is_memory:
        return again
    larger = find_larger(plan.instance_type, gpu=ending.cause is Cause.GPU_MEMORY)
    if larger is None:
        return None
    left = (each for each in plan.types[plan.at + 1 :] if each != larger)
    further = [each for each in left if _is_as_large(each, larger, ending.cause)]
    return replace(again, types=(larger, *further), at=0)


def _is_as_large(name: str, than: str, cause: Cause) -> bool:
    try:
        one, other = find_instance_type(name), find_instance_type(than)
    except KeyError:
        return False
    if cause is Cause.GPU_MEMORY:
        return (one.gpu_memory_gib or 0) >= (other.gpu_memory_gib or 0)
    return (one.memory_gib or 0) >= (other.memory_gib or 0)
