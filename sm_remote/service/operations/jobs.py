"""CreateTrainingJob, DescribeTrainingJob, StopTrainingJob and DeleteTrainingJob."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sm_remote.service.api import errors as api_errors
from sm_remote.service.api.replies import OUTCOME_HEADER, VERSION_HEADER, Patience, Reply
from sm_remote.service.jobs.deletion import purge_job
from sm_remote.service.jobs.endings import with_stop
from sm_remote.service.jobs.requests import check_job_request, find_lack
from sm_remote.service.jobs.scheduler import Scheduler
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.logs.stream import read_backward
from sm_remote.service.operations.descriptions import describe_job
from sm_remote.service.operations.preferences import select_instance
from sm_remote.service.records.job import JobRecord, StopCause
from sm_remote.service.records.pool import PoolStatus
from sm_remote.service.records.store import NameTakenError, NoSuchJobError
from sm_remote.service.records.warm_pools import find_keep_alive_s, with_keep_alive
from sm_remote.spec import TrainingJobStatus as Status
from sm_remote.wire.marker import format_marker, split_marker

_NEWEST_LINES = 50
_NEWEST_BYTES = 16 << 10


class JobOperations:
    """The operations on one training job.

    Args:
        workshop: What jobs are made of.
        scheduler: Runs them.
    """

    def __init__(self, workshop: Workshop, scheduler: Scheduler) -> None:
        self._shop = workshop
        self._scheduler = scheduler

    def create(self, request: Mapping[str, Any]) -> Reply:
        """CreateTrainingJob: when it answers, the job is durable and will run."""
        name = request["TrainingJobName"]
        self._refuse_taken(name)
        check_job_request(request, self._shop.host, self._shop.buckets)
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}
        rest = select_instance({key: value for key, value in request.items() if key != "Tags"}, self._is_available)
        self._shop.reach("insert.before_commit")
        try:
            record = self._shop.store.insert(name, rest, tags, self._shop.clock())
        except NameTakenError as taken:
            raise api_errors.name_in_use(taken.record.arn) from None
        self._shop.reach("insert.after_commit")
        self._scheduler.enqueue(record)
        return Reply(body={"TrainingJobArn": record.arn})

    def _is_available(self, request: Mapping[str, Any]) -> bool:
        return find_lack(request, self._shop.host) is None and not self._scheduler.is_short(request)

    def _refuse_taken(self, name: str) -> None:
        """A name that is taken is said before anything else is wrong; the insertion decides who is first."""
        try:
            raise api_errors.name_in_use(self._shop.store.find_folded(name).arn)
        except NoSuchJobError:
            return

    async def describe(self, request: Mapping[str, Any], patience: Patience) -> Reply:
        """DescribeTrainingJob; with patience, held until there is news or the job has ended."""
        name = request["TrainingJobName"]

        def look() -> tuple[bool, JobRecord | None]:
            try:
                record = self._shop.store.find(name)
            except NoSuchJobError:
                return True, None
            return record.is_terminal or record.version > patience.seen, record

        record = await self._shop.notifier.wait_until(name, look, patience.wait_s)
        if record is None:
            raise api_errors.not_found()
        headers = {VERSION_HEADER: str(record.version)}
        marker = self._find_marker(record) if record.is_terminal else None
        if marker:
            headers[OUTCOME_HEADER] = marker
        return Reply(body=describe_job(record), headers=headers)

    def _find_marker(self, record: JobRecord) -> str | None:
        """What an ended job's log says last of its outcome: it spares the client two calls."""
        arguments = record.request["AlgorithmSpecification"].get("ContainerArguments", ())
        if not arguments:
            return None
        path = self._shop.home.logs / record.name / f"{record.stream}.log"
        try:
            page = read_backward(path, sys.maxsize, limit=_NEWEST_LINES, window_bytes=_NEWEST_BYTES)
        except OSError:
            return None
        found = (split_marker(event.message, arguments[-1]) for event in reversed(page.events))
        return next((format_marker(marker[1], arguments[-1]) for marker in found if marker), None)

    def stop(self, request: Mapping[str, Any]) -> Reply:
        """StopTrainingJob: the stop is durable before anything is signalled."""
        name = request["TrainingJobName"]
        now = self._shop.clock()

        def intend(record: JobRecord) -> JobRecord:
            if record.is_terminal:
                raise api_errors.wrong_status(str(record.state.status))
            return with_stop(record, StopCause.USER, now)

        try:
            record = self._shop.store.change(name, intend, now)
        except NoSuchJobError:
            raise api_errors.not_found() from None
        self._shop.reach("stop.after_intent")
        self._scheduler.heed(record)
        return Reply()

    def update(self, request: Mapping[str, Any]) -> Reply:
        """UpdateTrainingJob: how long capacity is kept, while the job runs or its warm pool is kept."""
        name = request["TrainingJobName"]
        now = self._shop.clock()
        resources = request.get("ResourceConfig")

        def change(record: JobRecord) -> JobRecord:
            kept = record.pool is not None and record.pool.status is PoolStatus.AVAILABLE
            if record.is_terminal and not kept:
                raise api_errors.wrong_status(str(record.state.status))
            changed = {key: value for key, value in request.items() if key not in ("TrainingJobName", "ResourceConfig")}
            if resources is not None:
                changed["ResourceConfig"] = {**record.request["ResourceConfig"], **resources}
            record = replace(record, request={**record.request, **changed})
            return with_keep_alive(record, find_keep_alive_s(record.request))

        try:
            record = self._shop.store.change(name, change, now)
        except NoSuchJobError:
            raise api_errors.not_found() from None
        self._scheduler.update_pool(record)
        return Reply(body={"TrainingJobArn": record.arn})

    def delete(self, request: Mapping[str, Any]) -> Reply:
        """DeleteTrainingJob: of an ended job only; its outputs stay."""
        name = request["TrainingJobName"]
        now = self._shop.clock()

        def intend(record: JobRecord) -> JobRecord:
            if not record.is_terminal:
                raise api_errors.wrong_status(str(record.state.status))
            if record.state.status is Status.DELETING:
                return record
            if record.pool is not None and record.pool.status is PoolStatus.AVAILABLE:
                raise api_errors.invalid(
                    f"The training job {name} cannot be deleted while its warm pool is Available. "
                    "Set KeepAlivePeriodInSeconds to 0 by UpdateTrainingJob first."
                )
            return record.advanced(Status.DELETING, record.state.secondary, "", now)

        try:
            record = self._shop.store.change(name, intend, now)
            # Read again: the attempt's thread may have finished clearing up in between.
            if self._shop.store.find(record.name).cleaned:
                purge_job(self._shop.home, self._shop.store, name)
        except NoSuchJobError:
            raise api_errors.not_found() from None
        return Reply()
