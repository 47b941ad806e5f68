"""One attempt of a training job, from its inputs to its outputs, in a thread of its own.

Crash safety: the intent is committed, then its effect made under a deterministic name, then the outcome committed. So
each step can be repeated, and a restarted service enters `Attempt.run` at the phase that the database has. Two more
threads follow the log and wait for the container; they, and whoever wants the job stopped, write to one mailbox.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from sm_remote.home import Home
from sm_remote.service import failures, states
from sm_remote.service.capacity import Capacity
from sm_remote.service.channels import find_layer_mounts, stage_channels
from sm_remote.service.collecting import find_output, is_compressed, publish_outputs, takes_no_time
from sm_remote.service.config_files import write_config
from sm_remote.service.containers import build_container, find_share, render_first_lines
from sm_remote.service.engine import ContainerExit, Engine, EngineError, ImageMissing
from sm_remote.service.follower import ContainerEnded, ContainerGone, Follower, Mail, StopWanted, ValueSeen
from sm_remote.service.logs import LogSpool
from sm_remote.service.marker import build_value_test
from sm_remote.service.metrics import MetricReader
from sm_remote.service.notifier import Notifier, log_topic
from sm_remote.service.objects import Buckets, ObjectError
from sm_remote.service.outputs import model_uri
from sm_remote.service.records import HOST, JobRecord, Metric, Phase, StopCause
from sm_remote.service.store import JobStore
from sm_remote.service.working_tree import WorkingTree, find_tree, remove_tree
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status

logger = logging.getLogger("sm_remote.service")

_DRAIN_S = 5.0
"""How long a container's last lines may take after it has ended, and its end after its value was seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workshop:
    """What every attempt works with.

    Attributes:
        home: Where directories are.
        store: The jobs' truth.
        engine: Runs containers.
        buckets: Inputs and outputs.
        notifier: Wakes long polls.
        host: What this machine has.
        owner: Labels containers as this user's.
        clock: Seconds since the epoch.
        stop_grace_s: From SIGTERM to SIGKILL. Source: API_StopTrainingJob, 120 seconds.
        reach: Told the name of each point at which a crash must do no harm; tests crash there.
    """

    home: Home
    store: JobStore
    engine: Engine
    buckets: Buckets
    notifier: Notifier
    host: Capacity
    owner: str
    clock: Callable[[], float]
    stop_grace_s: float
    reach: Callable[[str], None]


class _StoppedEarlyError(Exception):
    """Somebody wants the job stopped, and no container was started."""


class _JobFailedError(Exception):
    """The job cannot go on, for the reason that is the exception's text; nothing is uploaded."""


class Attempt:
    """Runs one job's current attempt.

    Args:
        workshop: What to work with.
        name: The job's.
    """

    def __init__(self, workshop: Workshop, name: str) -> None:
        self._shop = workshop
        self._name = name
        self._mailbox: queue.SimpleQueue[Mail] = queue.SimpleQueue()
        self._stop_wanted = threading.Event()
        self._log: LogSpool | None = None
        self._follower: Follower | None = None

    def stop_soon(self) -> None:
        """Says that the job's stop has been committed. From any thread."""
        self._stop_wanted.set()
        self._mailbox.put(StopWanted())

    def run(self, container_exists: bool) -> None:
        """Takes the job from wherever it stands to its end, and clears up after it.

        Args:
            container_exists: Whether the engine knows a container of this attempt.
        """
        record = self._shop.store.find(self._name)
        try:
            if record.phase is Phase.QUEUED:
                record = self._claim()
            if record.phase is Phase.PREPARING:
                record = self._prepare(record, container_exists)
            if record.phase is Phase.RUNNING:
                record = self._follow(record)
            if record.phase is Phase.COLLECTING:
                record = self._collect(record)
        except _StoppedEarlyError:
            record = self._end(None)
        except _JobFailedError as failure:
            record = self._end(str(failure))
        except Exception as error:
            logger.exception("The attempt failed", extra={"job_name": self._name})
            record = self._end(failures.render_internal_failure(f"{type(error).__name__}: {error}"))
        self._clear_up(record)

    def _change(self, function: Callable[[JobRecord, float], JobRecord]) -> JobRecord:
        now = self._shop.clock()
        return self._shop.store.change(self._name, lambda record: function(record, now), now)

    def _tree(self, record: JobRecord) -> WorkingTree:
        return find_tree(self._shop.home, record.name, record.attempt, HOST)

    def _claim(self) -> JobRecord:
        def claim(record: JobRecord, now: float) -> JobRecord:
            if record.stop_cause is not None:
                raise _StoppedEarlyError
            record = replace(
                record,
                phase=Phase.PREPARING,
                attempt=record.attempt + 1,
                stream=f"{HOST}-{int(now)}",
                training_started_at=now,
            )
            if not record.request.get("InputDataConfig"):
                return record
            return record.advanced(Status.IN_PROGRESS, Secondary.DOWNLOADING, states.DOWNLOADING_MESSAGE, now)

        record = self._change(claim)
        self._shop.reach("claim.after_commit")
        return record

    def _prepare(self, record: JobRecord, container_exists: bool) -> JobRecord:
        """Everything up to the container's start; a container that exists already is only adopted."""
        tree = self._tree(record)
        self._open_log(record)
        if not container_exists:
            self._stage(record, tree)
            self._check_stop()
        self._start(record, tree)
        self._shop.reach("container.after_start")

        def record_start(record: JobRecord, now: float) -> JobRecord:
            record = replace(record, phase=Phase.RUNNING, container_started_at=now)
            if record.state.status is Status.STOPPING:
                return record
            return record.advanced(Status.IN_PROGRESS, Secondary.TRAINING, states.TRAINING_MESSAGE, now)

        return self._change(record_start)

    def _stage(self, record: JobRecord, tree: WorkingTree) -> None:
        try:
            tree.create()
            write_config(tree.config, record.request, host=HOST, hosts=(HOST,))
            stage_channels(record.request, tree.data, self._shop.buckets, self._reach_object)
        except (ObjectError, OSError) as error:
            raise _JobFailedError(failures.render_download_failure(str(error))) from error
        try:
            self._shop.engine.prepare_image(
                record.request["AlgorithmSpecification"]["TrainingImage"], self._say_slow_step
            )
        except EngineError as error:
            raise _JobFailedError(failures.render_image_failure(str(error))) from error

    def _reach_object(self) -> None:
        self._shop.reach("stage.mid_download")
        self._check_stop()

    def _check_stop(self) -> None:
        if self._stop_wanted.is_set() or self._shop.store.find(self._name).stop_cause is not None:
            raise _StoppedEarlyError

    def _say_slow_step(self, text: str) -> None:
        """Tells of a step that takes long enough to be wondered about, such as a pull."""
        if self._log is not None:
            self._log.say(self._now_ms(), f"sm_remote: {text}")

        def download(record: JobRecord, now: float) -> JobRecord:
            last = record.state.transitions[-1]
            if record.state.status is Status.STOPPING or last.message == states.IMAGE_MESSAGE:
                return record
            return record.advanced(Status.IN_PROGRESS, Secondary.DOWNLOADING, states.IMAGE_MESSAGE, now)

        self._change(download)

    def _start(self, record: JobRecord, tree: WorkingTree) -> None:
        layers = find_layer_mounts(record.request, self._shop.buckets)
        spec = build_container(record, tree, layers, host=self._shop.host, owner=self._shop.owner)
        self._shop.reach("container.before_start")
        try:
            self._shop.engine.start(spec)
        except ImageMissing as error:
            raise _JobFailedError(failures.render_image_failure(str(error))) from error
        except EngineError as error:
            raise _JobFailedError(failures.render_start_failure(str(error))) from error

    def _open_log(self, record: JobRecord) -> LogSpool:
        if self._log is None:
            path = self._shop.home.logs / record.name / f"{record.stream}.log"
            topic = log_topic(record.name)
            self._log = LogSpool(path, lambda: self._shop.notifier.announce(topic))
            if self._log.is_new:
                text = render_first_lines(record, self._shop.engine, self._shop.host)
                self._log.say(self._now_ms(), text)
        return self._log

    def _follow(self, record: JobRecord) -> JobRecord:
        """Waits for the container's end, for a value, for a stop, or for the job's time to be over."""
        definitions = record.request["AlgorithmSpecification"].get("MetricDefinitions", ())
        self._follower = Follower(
            engine=self._shop.engine,
            container=record.container_name,
            log=self._open_log(record),
            metrics=MetricReader([(each["Name"], each["Regex"]) for each in definitions]),
            is_value=build_value_test(record.request, self._tree(record).outcome),
            post=self._mailbox.put,
        )
        self._follower.start()
        if record.stop_cause is not None:
            self._signal_stop(record)
        limit_s = record.request["StoppingCondition"].get("MaxRuntimeInSeconds", 86400)
        deadline = (record.container_started_at or self._shop.clock()) + limit_s
        while True:
            mail = self._next_mail(deadline if record.stop_cause is None else None)
            if mail is None or isinstance(mail, StopWanted):
                record = self._stop(record)
            elif isinstance(mail, ContainerEnded):
                self._drain_log()
                return self._record_exit(mail.exit)
            elif isinstance(mail, ContainerGone):
                return self._record_loss(mail.why)
            elif isinstance(mail, ValueSeen) and record.stop_cause is None:
                self._shop.reach("run.value_seen")
                if takes_no_time(record.request):
                    return self._collect_at_once(record)
                return self._record_exit(ContainerExit(code=0))

    def _next_mail(self, deadline: float | None) -> Mail | None:
        """The next mail, or None when the deadline has come first."""
        try:
            if deadline is None:
                return self._mailbox.get()
            return self._mailbox.get(timeout=max(0.0, deadline - self._shop.clock()))
        except queue.Empty:
            return None

    def _stop(self, record: JobRecord) -> JobRecord:
        """Commits that the job is to stop, unless that has been done, and only then signals it."""

        def intend(record: JobRecord, now: float) -> JobRecord:
            if record.stop_cause is not None:
                return record
            record = replace(record, stop_cause=StopCause.MAX_RUNTIME)
            return record.advanced(Status.STOPPING, Secondary.STOPPING, states.STOPPING_MESSAGE, now)

        record = self._change(intend)
        self._shop.reach("stop.after_intent")
        self._signal_stop(record)
        return record

    def _signal_stop(self, record: JobRecord) -> None:
        try:
            self._shop.engine.stop(record.container_name, self._shop.stop_grace_s)
        except EngineError:
            logger.exception("The container could not be stopped", extra={"job_name": self._name})

    def _drain_log(self) -> None:
        if self._follower is not None:
            self._follower.join_log(_DRAIN_S)

    def _record_exit(self, ended: ContainerExit) -> JobRecord:
        self._shop.reach("exit.before_record")

        def collect(record: JobRecord, now: float) -> JobRecord:
            record = replace(record, phase=Phase.COLLECTING, exit=ended, metrics=self._final_metrics())
            return record.advanced(record.state.status, Secondary.UPLOADING, states.UPLOADING_MESSAGE, now)

        return self._change(collect)

    def _record_loss(self, why: str) -> JobRecord:
        if self._shop.store.find(self._name).stop_cause is not None:
            return self._record_exit(ContainerExit(code=137))
        raise _JobFailedError(failures.render_internal_failure(f"the job's container is gone: {why}"))

    def _collect_at_once(self, record: JobRecord) -> JobRecord:
        """Outputs and end in one commit: before the container has ended, while nobody would see the job uploading."""
        why = self._publish(record)

        def finish(record: JobRecord, now: float) -> JobRecord:
            record = replace(record, exit=ContainerExit(code=0), metrics=self._final_metrics())
            record = record.advanced(record.state.status, Secondary.UPLOADING, states.UPLOADING_MESSAGE, now)
            return self._ended(record, why, now)

        return self._change(finish)

    def _collect(self, record: JobRecord) -> JobRecord:
        tree = self._tree(record)
        share = find_share(record.request, self._shop.host)
        reason = None
        if record.exit is not None:
            reason = failures.render_exit(record.exit, tree.read_failure(), memory_limit_bytes=share.memory_bytes)
        upload_failure = self._publish(record)
        self._shop.reach("publish.before_terminal")
        return self._change(lambda record, now: self._ended(record, reason or upload_failure, now))

    def _publish(self, record: JobRecord) -> str | None:
        """Writes the outputs, or says why that failed."""
        try:
            publish_outputs(record.request, record.name, self._tree(record), self._shop.buckets, self._shop.reach)
        except (ObjectError, OSError) as error:
            return failures.render_upload_failure(str(error))
        return None

    def _end(self, reason: str | None) -> JobRecord:
        """Ends a job of which nothing is uploaded."""

        def end(record: JobRecord, now: float) -> JobRecord:
            if record.phase is Phase.ENDED:
                return record
            if record.stop_cause is None and reason is None:
                raise AssertionError(f"{record.name} ends without a reason")
            return _finished(record, reason, now)

        return self._change(end)

    def _ended(self, record: JobRecord, reason: str | None, now: float) -> JobRecord:
        artifacts = model_uri(find_output(record.request, record.name), is_compressed(record.request))
        return _finished(replace(record, model_artifacts=artifacts), reason, now)

    def _final_metrics(self) -> tuple[Metric, ...]:
        return self._follower.metrics.final() if self._follower is not None else ()

    def _clear_up(self, record: JobRecord) -> None:
        """Frees what the job held. Off the path of its result: the job has ended for everybody else."""
        self._shop.reach("terminal.after_commit")
        if record.attempt:
            self._remove_container(record.container_name)
        self._drain_log()
        if self._log is not None:
            self._log.close()
        self._shop.reach("cleanup.mid")
        remove_tree(self._shop.home.jobs / record.name)
        self._shop.store.mark_cleaned(record.name)

    def _remove_container(self, name: str) -> None:
        try:
            if self._follower is None or not self._follower.join_end(_DRAIN_S):
                self._shop.engine.stop(name, 1.0)
            if self._follower is not None:
                self._follower.join_end(2 * _DRAIN_S)
            self._shop.engine.remove(name)
        except EngineError:
            # The scheduler's sweep finds what is left.
            logger.exception("The container %s could not be removed", name)

    def _now_ms(self) -> int:
        return int(self._shop.clock() * 1000)


def _finished(record: JobRecord, reason: str | None, now: float) -> JobRecord:
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
