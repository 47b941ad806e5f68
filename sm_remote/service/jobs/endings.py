"""How a training job ends: which outcome its record gets, and what of its output is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sm_remote.service.hosts.host import list_hosts
from sm_remote.service.hosts.working_tree import WorkingTree
from sm_remote.service.jobs.collecting import find_output, is_compressed, publish_outputs
from sm_remote.service.jobs.containers import find_host_share
from sm_remote.service.jobs.outputs import model_uri
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.records import failures, states
from sm_remote.service.records.attempts import AttemptEnd
from sm_remote.service.records.job import JobRecord, Phase, StopCause
from sm_remote.service.records.warm_pools import with_pool_kept
from sm_remote.service.storage.objects import ObjectError
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status

_LIMIT_ENDS = {
    StopCause.USER: (Secondary.STOPPED, states.STOPPED_MESSAGE),
    StopCause.MAX_RUNTIME: (Secondary.MAX_RUNTIME_EXCEEDED, states.MAX_RUNTIME_MESSAGE),
    StopCause.MAX_WAIT: (Secondary.MAX_WAIT_TIME_EXCEEDED, states.MAX_WAIT_MESSAGE),
    StopCause.MAX_PENDING: (Secondary.STOPPED, states.MAX_PENDING_MESSAGE),
}


def publish(record: JobRecord, trees: Sequence[WorkingTree], shop: Workshop) -> str | None:
    """Writes the outputs of all hosts, or says why that failed."""
    try:
        publish_outputs(record.request, record.name, trees, shop.buckets, shop.reach)
    except (ObjectError, OSError) as error:
        return failures.render_upload_failure(str(error))
    return None


def find_reason(record: JobRecord, trees: Mapping[str, WorkingTree], shop: Workshop) -> str | None:
    """Why a job whose containers have ended is a failure, or None; of several hosts, the one that failed first."""
    failed = next(((host, ended) for host, ended in record.current.exits.items() if ended.code), None)
    if failed is None:
        return None
    name, ended = failed
    host = next(each for each in list_hosts(record.request) if each.name == name)
    limit = find_host_share(host, shop.host).memory_bytes
    return failures.render_exit(ended, trees[name].read_failure(), memory_limit_bytes=limit)


def with_uploading(record: JobRecord, now: float) -> JobRecord:
    """A record whose outputs are being written."""
    return record.advanced(record.state.status, Secondary.UPLOADING, states.UPLOADING_MESSAGE, now)


def with_artifacts(record: JobRecord) -> JobRecord:
    """A record that says where its model is; SageMaker says so even where the job left none."""
    output = find_output(record.request, record.name)
    return replace(record, model_artifacts=model_uri(output, is_compressed(record.request)))


def with_stop(record: JobRecord, cause: StopCause, now: float) -> JobRecord:
    """A record that is to stop; one that is to stop already stays as it is."""
    if record.stop_cause is not None:
        return record
    record = replace(record, stop_cause=cause)
    return record.advanced(Status.STOPPING, Secondary.STOPPING, states.STOPPING_MESSAGE, now)


def with_next_attempt(record: JobRecord, end: AttemptEnd, now: float) -> JobRecord:
    """A record whose attempt is over, and that waits for the next one."""
    record = replace(record.with_attempt(end=end, ended_at=now), phase=Phase.QUEUED)
    return record.advanced(Status.IN_PROGRESS, Secondary.STARTING, states.STARTING_MESSAGE, now)


def with_end(record: JobRecord, reason: str | None, now: float) -> JobRecord:
    """A record at its end, with its capacity kept where it has a warm pool.

    A stop that was asked for wins over whatever the containers' ends say.
    """
    record = replace(record, phase=Phase.ENDED, training_ended_at=now)
    if record.attempts and record.current.ended_at is None:
        record = record.with_attempt(ended_at=now)
    return with_pool_kept(_with_final_state(record, reason, now), now)


def _with_final_state(record: JobRecord, reason: str | None, now: float) -> JobRecord:
    if record.stop_cause is not None:
        secondary, message = _LIMIT_ENDS[record.stop_cause]
        return record.advanced(Status.STOPPED, secondary, message, now)
    if reason is not None:
        record = replace(record, failure_reason=reason)
        return record.advanced(Status.FAILED, Secondary.FAILED, states.FAILED_MESSAGE, now)
    return record.advanced(Status.COMPLETED, Secondary.COMPLETED, states.COMPLETED_MESSAGE, now)
