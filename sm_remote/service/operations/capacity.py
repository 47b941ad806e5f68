"""Operations that AWS does not have and that stand for what its spot market and its data centres do by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from sm_remote.service.api.errors import invalid, not_found
from sm_remote.service.api.replies import Reply
from sm_remote.service.jobs.interruptions import with_interruption
from sm_remote.service.jobs.scheduler import Scheduler
from sm_remote.service.jobs.shortages import Effect, Market, Shortage, Shortages
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.records.job import JobRecord, Phase
from sm_remote.service.records.store import NoSuchJobError

_AVAILABLE = "available"
Member = TypeVar("Member", bound=Enum)


class CapacityOperations:
    """Takes capacity away and gives it back.

    Args:
        workshop: What jobs are made of.
        scheduler: Runs them.
        shortages: What is not to be had.
    """

    def __init__(self, workshop: Workshop, scheduler: Scheduler, shortages: Shortages) -> None:
        self._shop = workshop
        self._scheduler = scheduler
        self._shortages = shortages

    def interrupt(self, request: Mapping[str, Any]) -> Reply:
        """SmRemote.InterruptTrainingJob: takes a job's spot capacity away; durable before anything is signalled."""
        name = request.get("TrainingJobName")
        if not isinstance(name, str):
            raise invalid("TrainingJobName must be a string.")
        now = self._shop.clock()

        def intend(record: JobRecord) -> JobRecord:
            if not record.is_spot:
                raise invalid(
                    f"The training job {name} does not run on spot capacity, so nothing interrupts it. "
                    "Create it with EnableManagedSpotTraining, which use_spot_instances=True does."
                )
            if record.phase is not Phase.RUNNING or record.stop_cause is not None:
                raise invalid(
                    f"The training job {name} cannot be interrupted: it is {record.state.secondary}. "
                    "Only a job that is Training can."
                )
            return with_interruption(record, now)

        try:
            record = self._shop.store.change(name, intend, now)
        except NoSuchJobError:
            raise not_found() from None
        self._shop.reach("interruption.after_intent")
        self._scheduler.heed(record)
        return Reply(body={})

    def set_capacity(self, request: Mapping[str, Any]) -> Reply:
        """SmRemote.SetCapacity: makes an instance type unavailable (``error`` or ``pending``), or available again."""
        instance_type = request.get("InstanceType")
        if not isinstance(instance_type, str) or not instance_type:
            raise invalid("InstanceType must be the name of an instance type, or * for all.")
        market = _choose(Market, request.get("Market", str(Market.ANY)), "Market")
        capacity = request.get("Capacity")
        if capacity == _AVAILABLE:
            self._shortages.clear(instance_type, market)
        else:
            effect = _choose(Effect, capacity, "Capacity", _AVAILABLE)
            self._shortages.set(Shortage(instance_type=instance_type, market=market, effect=effect))
        self._scheduler.look_again()
        return self.list_shortages({})

    def list_shortages(self, _: Mapping[str, Any]) -> Reply:
        """SmRemote.ListShortages."""
        return Reply(
            body={
                "Shortages": [
                    {"InstanceType": each.instance_type, "Market": str(each.market), "Capacity": str(each.effect)}
                    for each in self._shortages.list_all()
                ]
            }
        )


def _choose(choices: type[Member], value: Any, what: str, *more: str) -> Member:
    try:
        return choices(value)
    except ValueError:
        allowed = ", ".join([*more, *(str(choice) for choice in choices)])
        raise invalid(f"{what} must be one of {allowed}; it is {value!r}.") from None
