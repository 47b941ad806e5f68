"""One attempt of a training job, from its inputs to its outputs, in a thread of its own.

Crash safety: the intent is committed, then its effect made under a deterministic name, then the outcome committed. So
each step can be repeated, and a restarted service enters `Attempt.run` at the phase that the database has. Two more
threads follow the log and wait for the container; they, and whoever wants the job stopped, write to one mailbox.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sm_remote.service import failures, states
from sm_remote.service.collecting import takes_no_time
from sm_remote.service.companions import Companion
from sm_remote.service.containers import render_first_lines
from sm_remote.service.early_outcome import build_value_test, take_outcome
from sm_remote.service.endings import find_reason, publish, with_artifacts, with_end, with_uploading
from sm_remote.service.engine import ContainerExit, EngineError
from sm_remote.service.follower import ContainerEnded, ContainerGone, Follower, Mail, StopWanted, ValueSeen
from sm_remote.service.hosts import Host, list_hosts
from sm_remote.service.logs import LogSpool
from sm_remote.service.metrics import open_metrics
from sm_remote.service.notifier import log_topic
from sm_remote.service.objects import ObjectError
from sm_remote.service.preparation import (
    JobFailedError,
    build_companions,
    prepare_image,
    stage_inputs,
    start_container,
)
from sm_remote.service.records import HOST, JobRecord, Metric, Phase, StopCause
from sm_remote.service.working_tree import WorkingTree, clear_away, find_tree
from sm_remote.service.workshop import Workshop
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status

logger = logging.getLogger("sm_remote.service")

_DRAIN_S = 5.0
"""How long a container's last lines may take after it has ended, and its end after its value was seen."""
_STOP_AGAIN_S = 2.0
_DEFAULT_MAX_RUNTIME_S = 86400
"""Source: API_StoppingCondition."""
_KILLED = ContainerExit(code=137)


class _StoppedEarlyError(Exception):
    """Somebody wants the job stopped, and no container was started."""


class Attempt:
    """Runs one job's current attempt.

    Args:
        workshop: What to work with.
        name: The job's.
        release: Called once the job has ended for everybody else, before it is cleared up: from then on its share of
            the machine may be given away.
    """

    def __init__(self, workshop: Workshop, name: str, release: Callable[[], None] = lambda: None) -> None:
        self._shop = workshop
        self._name = name
        self._release = release
        self._mailbox: queue.SimpleQueue[Mail] = queue.SimpleQueue()
        self._stop_wanted = threading.Event()
        self._log: LogSpool | None = None
        self._follower: Follower | None = None
        self._signalled = False
        self._companions: tuple[Companion, ...] = ()

    def stop_soon(self) -> None:
        """Says that the job's stop has been committed. From any thread."""
        self._stop_wanted.set()
        self._mailbox.put(StopWanted())

    def run(self, container_exists: bool) -> None:
        """Takes the job from wherever it stands to its end, and clears up after it.

        Args:
            container_exists: Whether the engine knows a container of this attempt.

        Raises:
            sqlite3.Error: The database cannot be written: the job stands where it stood.
        """
        try:
            record = self._run_phases(container_exists)
        except _StoppedEarlyError:
            record = self._end(None)
        except JobFailedError as failure:
            record = self._end(str(failure))
        except sqlite3.Error:
            raise
        except Exception as error:
            logger.exception("The attempt failed", extra={"job_name": self._name})
            record = self._end(failures.render_internal_failure(f"{type(error).__name__}: {error}"))
        self._release()
        self._clear_up(record)

    def _run_phases(self, container_exists: bool) -> JobRecord:
        record = self._shop.store.find(self._name)
        if record.phase is Phase.QUEUED:
            record = self._claim()
        self._companions = build_companions(record, self._host(record), self._tree(record), self._shop, self._say)
        if record.phase is Phase.PREPARING:
            record = self._prepare(record, container_exists)
        if record.phase is Phase.RUNNING:
            record = self._follow(record)
        if record.phase is Phase.COLLECTING:
            record = self._collect(record)
        return record

    def _change(self, function: Callable[[JobRecord, float], JobRecord]) -> JobRecord:
        now = self._shop.clock()
        return self._shop.store.change(self._name, lambda record: function(record, now), now)

    def _tree(self, record: JobRecord) -> WorkingTree:
        return find_tree(self._shop.home, record.name, record.attempt, HOST)

    def _host(self, record: JobRecord) -> Host:
        return list_hosts(record.request)[0]

    def _claim(self) -> JobRecord:
        def claim(record: JobRecord, now: float) -> JobRecord:
            if record.stop_cause is not None:
                raise _StoppedEarlyError
            stream = f"{HOST}-{int(now)}"
            record = replace(
                record, phase=Phase.PREPARING, attempt=record.attempt + 1, stream=stream, training_started_at=now
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
            self._check_stop(record)
            stage_inputs(record, self._host(record), tree, self._companions, self._shop, self._go_on, self._say)
            prepare_image(record, self._shop, self._say_slow_step)
            self._check_stop(self._shop.store.find(self._name))
        start_container(record, self._host(record), tree, self._companions, self._shop)
        self._shop.reach("container.after_start")

        def record_start(record: JobRecord, now: float) -> JobRecord:
            record = replace(record, phase=Phase.RUNNING, container_started_at=now)
            if record.stop_cause is not None:
                return record
            return record.advanced(Status.IN_PROGRESS, Secondary.TRAINING, states.TRAINING_MESSAGE, now)

        return self._change(record_start)

    def _go_on(self) -> None:
        """Between two objects of a channel: ends a job that is to stop."""
        self._shop.reach("stage.mid_download")
        if self._stop_wanted.is_set():
            raise _StoppedEarlyError

    def _check_stop(self, record: JobRecord) -> None:
        if record.stop_cause is not None:
            raise _StoppedEarlyError

    def _say(self, text: str) -> None:
        """Appends the service's own words to the job's log."""
        if self._log is not None:
            self._log.say(self._now_ms(), f"sm_remote: {text}")

    def _say_slow_step(self, text: str) -> None:
        """Tells of a step that takes long enough to be wondered about, such as a pull."""
        self._say(text)

        def download(record: JobRecord, now: float) -> JobRecord:
            if record.stop_cause is not None or record.state.transitions[-1].message == states.IMAGE_MESSAGE:
                return record
            return record.advanced(Status.IN_PROGRESS, Secondary.DOWNLOADING, states.IMAGE_MESSAGE, now)

        self._change(download)

    def _log_path(self, record: JobRecord) -> Path:
        return self._shop.home.logs / record.name / f"{record.stream}.log"

    def _open_log(self, record: JobRecord) -> LogSpool:
        if self._log is None:
            path = self._log_path(record)
            topic = log_topic(record.name)
            self._log = LogSpool(path, lambda: self._shop.notifier.announce(topic))
            if self._log.is_new:
                self._log.say(self._now_ms(), render_first_lines(record, self._shop.engine, self._shop.host))
        return self._log

    def _follow(self, record: JobRecord) -> JobRecord:
        """Waits for the container's end, for a value, for a stop, or for the job's time to be over."""
        self._start_following(record)
        for companion in self._companions:
            companion.start()
        if record.stop_cause is not None:
            self._signal_stop(record)
        limit_s = record.request["StoppingCondition"].get("MaxRuntimeInSeconds", _DEFAULT_MAX_RUNTIME_S)
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
                if take_outcome(self._tree(record)):
                    self._shop.reach("run.value_taken")
                    return self._collect_early(record)

    def _start_following(self, record: JobRecord) -> None:
        self._follower = Follower(
            engine=self._shop.engine,
            container=record.container_name,
            log=self._open_log(record),
            metrics=open_metrics(record.request, self._log_path(record)),
            is_value=build_value_test(record.request, self._tree(record)),
            post=self._mailbox.put,
        )
        self._follower.start()

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
        self._shop.reach("stop.before_signal")
        self._signal_stop(record)
        return record

    def _signal_stop(self, record: JobRecord) -> None:
        if self._signalled:
            return
        self._signalled = True
        try:
            self._shop.engine.stop(record.container_name, self._shop.stop_grace_s)
        except EngineError:
            # A daemon that restarts may leave the container running: only a stop that was taken ends it.
            logger.exception("The container could not be stopped; trying again", extra={"job_name": self._name})
            self._signalled = False
            again = threading.Timer(_STOP_AGAIN_S, self.stop_soon)
            again.daemon = True
            again.start()

    def _drain_log(self) -> None:
        if self._follower is not None:
            self._follower.join_log(_DRAIN_S)

    def _record_exit(self, ended: ContainerExit) -> JobRecord:
        self._shop.reach("exit.before_record")

        def collect(record: JobRecord, now: float) -> JobRecord:
            record = replace(record, phase=Phase.COLLECTING, exit=ended, metrics=self._final_metrics())
            return with_uploading(record, now)

        return self._change(collect)

    def _record_loss(self, why: str) -> JobRecord:
        if self._shop.store.find(self._name).stop_cause is not None:
            return self._record_exit(_KILLED)
        raise JobFailedError(failures.render_internal_failure(f"the job's container is gone: {why}"))

    def _collect_early(self, record: JobRecord) -> JobRecord:
        """Takes a value as the job's good end before its container has ended.

        Where collecting is a few renames, nobody would see the job uploading: one commit does for both.
        """
        ended = ContainerExit(code=0)
        if not takes_no_time(record.request):
            return self._record_exit(ended)
        failure = self._finish_companions()
        failure = publish(record, self._tree(record), self._shop) or failure
        self._shop.reach("publish.before_terminal")

        def finish(record: JobRecord, now: float) -> JobRecord:
            record = replace(with_artifacts(record), exit=ended, metrics=self._final_metrics())
            return with_end(with_uploading(record, now), failure, now)

        return self._change(finish)

    def _collect(self, record: JobRecord) -> JobRecord:
        tree = self._tree(record)
        flush_failure = self._finish_companions()
        # What the job did wrong is its reason; that its output could not be written either comes second.
        reason = find_reason(record, tree, self._shop)
        upload_failure = publish(record, tree, self._shop) or flush_failure
        self._shop.reach("publish.before_terminal")
        return self._change(lambda record, now: with_end(with_artifacts(record), reason or upload_failure, now))

    def _finish_companions(self) -> str | None:
        """Has everything flushed that lies beside the container, or says why that failed."""
        failure = None
        for companion in self._companions:
            try:
                companion.finish()
            except ObjectError as error:
                failure = failure or failures.render_upload_failure(str(error))
        return failure

    def _end(self, reason: str | None) -> JobRecord:
        """Ends a job of which nothing is uploaded; one that has ended already stays as it is."""

        def end(record: JobRecord, now: float) -> JobRecord:
            return record if record.phase is Phase.ENDED else with_end(record, reason, now)

        return self._change(end)

    def _final_metrics(self) -> tuple[Metric, ...]:
        return self._follower.metrics.final() if self._follower is not None else ()

    def _clear_up(self, record: JobRecord) -> None:
        """Frees what the job held. Off the path of its result: the job has ended for everybody else."""
        self._shop.reach("terminal.after_commit")
        if record.attempt:
            self._remove_container(record.container_name)
        self._finish_companions()
        self._drain_log()
        if self._log is not None:
            self._log.close()
        self._shop.reach("cleanup.mid")
        clear_away(self._shop.home.jobs / record.name, self._shop.home)
        self._shop.store.mark_cleaned(record.name)

    def _remove_container(self, name: str) -> None:
        try:
            if self._follower is None or not self._follower.join_end(_DRAIN_S):
                self._shop.engine.stop(name, 0.0)
            if self._follower is not None:
                self._follower.join_end(_DRAIN_S)
            self._shop.engine.remove(name)
        except EngineError:
            # The scheduler's sweep finds what is left.
            logger.exception("The container %s could not be removed", name)

    def _now_ms(self) -> int:
        return int(self._shop.clock() * 1000)
