"""What a request asks for that is paid by time: its machines, how long they may run, and how long they are kept. Pure.

It is read from the request itself, so it holds whatever `extra_request` has made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_RUNTIME_S = 86400
"""Source: API_StoppingCondition, MaxRuntimeInSeconds: the default is one day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What is paid for.

    Attributes:
        machines: Each instance type with how many of it.
        runtime_s: MaxRuntimeInSeconds; of all attempts of RetryStrategy in total.
        keep_alive_s: For how long its warm pool may stay.
        is_prepaid: Whether its machines are of a training plan, which is paid for in advance.
    """

    machines: tuple[tuple[str, int], ...]
    runtime_s: int = DEFAULT_RUNTIME_S
    keep_alive_s: int = 0
    is_prepaid: bool = False

    @property
    def instances(self) -> int:
        """How many machines there are."""
        return sum(count for _, count in self.machines)


def read_demand(request: Mapping[str, Any]) -> Demand:
    """What a CreateTrainingJob request asks for. Source: API_ResourceConfig, API_StoppingCondition."""
    resources = request.get("ResourceConfig") or {}
    stopping = request.get("StoppingCondition") or {}
    groups = resources.get("InstanceGroups") or (resources,)
    return Demand(
        machines=tuple(
            (str(group.get("InstanceType") or "unknown"), int(group.get("InstanceCount") or 1)) for group in groups
        ),
        runtime_s=int(stopping.get("MaxRuntimeInSeconds") or DEFAULT_RUNTIME_S),
        keep_alive_s=int(resources.get("KeepAlivePeriodInSeconds") or 0),
        is_prepaid=bool(resources.get("TrainingPlanArn")),
    )


def name_machines(demand: Demand) -> str:
    """``ml.m5.large``, ``2 x ml.m5.large + ml.g5.xlarge``."""
    return " + ".join(name if count == 1 else f"{count} x {name}" for name, count in demand.machines)
