"""How a training job ends: which outcome its record gets, and what of its output is kept."""

from __future__ import annotations

from dataclasses import replace

from sm_remote.service import failures, states
from sm_remote.service.collecting import find_output, is_compressed, publish_outputs
from sm_remote.service.containers import find_share
from sm_remote.service.objects import ObjectError
from sm_remote.service.outputs import model_uri
from sm_remote.service.records import JobRecord, Phase, StopCause
from sm_remote.service.working_tree import WorkingTree
from sm_remote.service.workshop import Workshop
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status


def publish(record: JobRecord, tree: WorkingTree, shop: Workshop) -> str | None:
    """Writes the outputs, or says why that failed."""
    try:
        publish_outputs(record.request, record.name, tree, shop.buckets, shop.reach)
    except (ObjectError, OSError) as error:
        return failures.render_upload_failure(str(error))
    return None


def find_reason(record: JobRecord, tree: WorkingTree, shop: Workshop) -> str | None:
    """Why a job whose container has ended is a failure, or None."""
    if record.exit is None:
        return None
    share = find_share(record.request, shop.host)
    return failures.render_exit(record.exit, tree.read_failure(), memory_limit_bytes=share.memory_bytes)


def with_uploading(record: JobRecord, now: float) -> JobRecord:
    """A record whose outputs are being written."""
    return record.advanced(record.state.status, Secondary.UPLOADING, states.UPLOADING_MESSAGE, now)


def with_artifacts(record: JobRecord) -> JobRecord:
    """A record that says where its model is; SageMaker says so even where the job left none."""
    output = find_output(record.request, record.name)
    return replace(record, model_artifacts=model_uri(output, is_compressed(record.request)))


def with_end(record: JobRecord, reason: str | None, now: float) -> JobRecord:
    """A record at its end. A stop that was asked for wins over whatever the container's end says."""
    record = replace(record, phase=Phase.ENDED, training_ended_at=now)
    if record.stop_cause is StopCause.MAX_RUNTIME:
        return record.advanced(Status.STOPPED, Secondary.MAX_RUNTIME_EXCEEDED, states.MAX_RUNTIME_MESSAGE, now)
    if record.stop_cause is StopCause.USER:
        return record.advanced(Status.STOPPED, Secondary.STOPPED, states.STOPPED_MESSAGE, now)
    if reason is not None:
        record = replace(record, failure_reason=reason)
        return record.advanced(Status.FAILED, Secondary.FAILED, states.FAILED_MESSAGE, now)
    return record.advanced(Status.COMPLETED, Secondary.COMPLETED, states.COMPLETED_MESSAGE, now)
