"""A training job's current attempt, from its inputs to its outputs, in a thread of its own.

Crash safety: the intent is committed, then its effect made under a deterministic name, then the outcome committed. So
each step can be repeated, and a restarted service enters `Attempt.run` at the phase that the database has. For each
host two more threads follow the log and wait for the container; they, and whoever wants the job stopped or its attempt
interrupted, write to one mailbox.

A long module, because it is one state machine: each step is right only beside the one before it.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Collection
from dataclasses import replace

from sm_remote.service.engines.engine import ContainerExit, EngineError
from sm_remote.service.hosts.gpus import Deal
from sm_remote.service.hosts.host import list_hosts
from sm_remote.service.hosts.working_tree import clear_away
from sm_remote.service.jobs.collecting import takes_no_time
from sm_remote.service.jobs.containers import network_name
from sm_remote.service.jobs.early_outcome import build_value_test, take_outcome
from sm_remote.service.jobs.endings import (
    find_reason,
    publish,
    with_artifacts,
    with_end,
    with_next_attempt,
    with_stop,
    with_uploading,
)
from sm_remote.service.jobs.follower import ContainerEnded, ContainerGone, IntentCommitted, Mail, ValueSeen
from sm_remote.service.jobs.host_run import HostRun, merge_metrics
from sm_remote.service.jobs.interruptions import find_interruption, parse_plan, with_interruption
from sm_remote.service.jobs.preparation import JobFailedError, prepare_image
from sm_remote.service.jobs.standby import pool_directory, prepare_standby
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.records import failures, states
from sm_remote.service.records.attempts import AttemptEnd, plan_attempt
from sm_remote.service.records.job import JobRecord, Metric, Phase
from sm_remote.service.records.limits import find_running_limit
from sm_remote.service.records.pool import PoolStatus
from sm_remote.service.records.warm_pools import open_pool, with_pool_reused
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status

logger = logging.getLogger("sm_remote.service")

_KILLED = ContainerExit(code=137)
_LAST_MOMENTS_S = 5.0


class _StoppedEarlyError(Exception):
    """Somebody wants the job stopped, and no container was started."""


class _PlatformError(JobFailedError):
    """Neither the job nor its request is to blame: the one failure that a RetryStrategy is for."""


class Attempt:
    """Runs one job's current attempt.

    Args:
        workshop: What to work with.
        name: The job's.
        release: Called once the attempt has ended for everybody else, before it is cleared up: from then on its share
            of the machine may be given away.
        gpus: Which of them each host is to have.
        pool: The ended job whose warm pool it has; None for none.
        refusal: Why the job is not to run at all, and fails; None for none.
    """

    def __init__(
        self,
        workshop: Workshop,
        name: str,
        *,
        release: Callable[[JobRecord], None],
        gpus: Deal,
        pool: JobRecord | None = None,
        refusal: str | None = None,
    ) -> None:
        self._shop = workshop
        self._name = name
        self._release = release
        self._gpus = gpus
        self._pool = pool
        self._refusal = refusal
        self._mailbox: queue.SimpleQueue[Mail] = queue.SimpleQueue()
        self._stop_wanted = threading.Event()
        self._hosts: dict[str, HostRun] = {}
        self._exits: dict[str, ContainerExit] = {}

    def heed_soon(self, record: JobRecord) -> None:
        """Says that what is wanted of the job has been committed. From any thread."""
        if record.stop_cause is not None:
            self._stop_wanted.set()
        self._mailbox.put(IntentCommitted())

    def run(self, containers: Collection[str]) -> bool:
        """Takes the attempt from wherever the job stands to its end, and clears up after it.

        Args:
            containers: The names of those that the engine knows.

        Returns:
            Whether the job waits for another attempt.

        Raises:
            sqlite3.Error: The database cannot be written: the job stands where it stood.
        """
        try:
            record = self._run_phases(containers)
        except _StoppedEarlyError:
            record = self._end(None)
        except _PlatformError as failure:
            record = self._retry_or_end(str(failure))
        except JobFailedError as failure:
            record = self._end(str(failure))
        except sqlite3.Error:
            raise
        except Exception as error:
            logger.exception("The attempt failed", extra={"job_name": self._name})
            record = self._retry_or_end(failures.render_internal_failure(f"{type(error).__name__}: {error}"))
        if record.phase is not Phase.QUEUED:
            self._release(record)
        self._clear_up(record)
        return record.phase is Phase.QUEUED

    def _run_phases(self, containers: Collection[str]) -> JobRecord:
        record = self._shop.store.find(self._name)
        if record.phase is Phase.QUEUED:
            record = self._claim()
        if record.attempts:
            hosts = (HostRun(self._shop, record, host, self._mailbox.put) for host in list_hosts(record.request))
            self._hosts = {run.host.name: run for run in hosts}
        if record.phase is Phase.PREPARING:
            self._take_pool(record)
            record = self._prepare(record, containers)
        if record.phase is Phase.RUNNING:
            record = self._follow(record)
        if record.phase is Phase.COLLECTING:
            record = self._collect(record)
        return record

    def _change(self, function: Callable[[JobRecord, float], JobRecord]) -> JobRecord:
        now = self._shop.clock()
        return self._shop.store.change(self._name, lambda record: function(record, now), now)

    def _claim(self) -> JobRecord:
        def claim(record: JobRecord, now: float) -> JobRecord:
            if record.stop_cause is not None:
                raise _StoppedEarlyError
            if self._refusal is not None:
                raise JobFailedError(self._refusal)
            hosts = [host.name for host in list_hosts(record.request)]
            attempt = plan_attempt(record.attempts, hosts, self._gpus, now)
            if self._pool is not None:
                attempt = replace(attempt, pool=self._pool.name)
            record = replace(
                record,
                pool=record.pool or open_pool(record, None if self._pool is None else self._pool.pool, now),
                phase=Phase.PREPARING,
                attempts=(*record.attempts, attempt),
                training_started_at=record.training_started_at or now,
            )
            if not record.request.get("InputDataConfig"):
                return record
            return record.advanced(Status.IN_PROGRESS, Secondary.DOWNLOADING, states.DOWNLOADING_MESSAGE, now)

        record = self._change(claim)
        self._shop.reach("claim.after_commit")
        return record

    def _take_pool(self, record: JobRecord) -> None:
        """Notes with the job that has left its warm pool that it is in use again."""
        if record.current.pool is not None:
            now = self._shop.clock()
            self._shop.store.change(record.current.pool, lambda ended: with_pool_reused(ended, record.name, now), now)
            self._shop.reach("pool.after_claim")

    def _prepare(self, record: JobRecord, containers: Collection[str]) -> JobRecord:
        """Everything up to the containers' start; those that exist already are only adopted."""
        for host in self._hosts.values():
            host.open_log(record)
        # Containers are started only after every host has its inputs.
        if not any(host.container in containers for host in self._hosts.values()):
            self._check_stop(record)
            for host in self._hosts.values():
                host.stage(record, self._go_on)
            prepare_image(record, self._shop, self._say_slow_step)
            self._check_stop(self._shop.store.find(self._name))
        for host in self._hosts.values():
            host.start(record)
        self._shop.reach("container.after_start")

        def record_start(record: JobRecord, now: float) -> JobRecord:
            record = replace(record.with_attempt(container_started_at=now), phase=Phase.RUNNING)
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

    def _say_slow_step(self, text: str) -> None:
        """Tells of a step that takes long enough to be wondered about, such as a pull."""
        for host in self._hosts.values():
            host.say(text)

        def download(record: JobRecord, now: float) -> JobRecord:
            if record.stop_cause is not None or record.state.transitions[-1].message == states.IMAGE_MESSAGE:
                return record
            return record.advanced(Status.IN_PROGRESS, Secondary.DOWNLOADING, states.IMAGE_MESSAGE, now)

        self._change(download)

    def _follow(self, record: JobRecord) -> JobRecord:
        """Waits for the containers' end, for a value, for what else is wanted, or for a limit or interruption."""
        self._exits.update(record.current.exits)
        for host in self._hosts.values():
            host.follow(record, self._build_value_test(record, host))
        self._heed(record)
        while True:
            mail = self._next_mail(self._find_deadline(record))
            if mail is None:
                record = self._meet_deadline()
            elif isinstance(mail, IntentCommitted):
                record = self._heed(self._shop.store.find(self._name))
            elif isinstance(mail, ContainerEnded):
                record = self._note_exit(record, mail)
                if len(self._exits) == len(self._hosts):
                    return self._record_exits()
            elif isinstance(mail, ContainerGone):
                self._note_loss(mail)
                if len(self._exits) == len(self._hosts):
                    return self._record_exits()
            elif isinstance(mail, ValueSeen) and record.stop_cause is None:
                self._shop.reach("run.value_seen")
                if take_outcome(self._only_host().tree):
                    self._shop.reach("run.value_taken")
                    return self._collect_early(record)

    def _only_host(self) -> HostRun:
        (host,) = self._hosts.values()
        return host

    def _build_value_test(self, record: JobRecord, host: HostRun) -> Callable[[bytes], bool]:
        """Whether a log line announces a value: of one host only, since several must all end well."""
        if len(self._hosts) == 1:
            return build_value_test(record.request, host.tree)
        return lambda line: False

    def _find_deadline(self, record: JobRecord) -> float | None:
        if record.stop_cause is not None:
            return None
        limit, _ = find_running_limit(record)
        return min(limit, find_interruption(record) or limit)

    def _next_mail(self, deadline: float | None) -> Mail | None:
        """The next mail, or None when the deadline has come first."""
        try:
            if deadline is None:
                return self._mailbox.get()
            return self._mailbox.get(timeout=max(0.0, deadline - self._shop.clock()))
        except queue.Empty:
            return None

    def _meet_deadline(self) -> JobRecord:
        """Commits what the clock wants, unless something else is wanted already, and only then acts on it."""

        def intend(record: JobRecord, now: float) -> JobRecord:
            limit, cause = find_running_limit(record)
            if now >= limit:
                return with_stop(record, cause, now)
            interruption = find_interruption(record)
            return with_interruption(record, now) if interruption is not None and now >= interruption else record

        return self._heed(self._change(intend))

    def _heed(self, record: JobRecord) -> JobRecord:
        """Has the containers stopped where that is wanted."""
        if record.stop_cause is not None:
            self._shop.reach("stop.before_signal")
            self._stop_hosts(self._shop.stop_grace_s)
        elif record.current.is_interrupted:
            self._shop.reach("interruption.before_signal")
            grace_s = parse_plan(record.tags).grace_s
            self._stop_hosts(self._shop.interruption_grace_s if grace_s is None else grace_s)
        elif any(ended.code for ended in self._exits.values()):
            self._stop_hosts(self._shop.stop_grace_s)
        return record

    def _stop_hosts(self, grace_s: float) -> None:
        for name, host in self._hosts.items():
            if name not in self._exits:
                host.stop(grace_s)

    def _note_exit(self, record: JobRecord, mail: ContainerEnded) -> JobRecord:
        """Notes a container's end; the first host that fails ends the others."""
        if mail.host not in self._exits:
            self._exits[mail.host] = mail.exit
        is_last = len(self._exits) == len(self._hosts)
        if is_last or not mail.exit.code or any(ended.code for ended in record.current.exits.values()):
            return record
        # Committed first: after a crash nobody could tell who failed and who was ended because of it.
        record = self._change(lambda record, now: record.with_attempt(exits=dict(self._exits)))
        return self._heed(record)

    def _note_loss(self, mail: ContainerGone) -> None:
        record = self._shop.store.find(self._name)
        if record.stop_cause is None and not record.current.is_interrupted:
            raise _PlatformError(failures.render_internal_failure(f"the job's container is gone: {mail.why}"))
        self._exits.setdefault(mail.host, _KILLED)

    def _record_exits(self) -> JobRecord:
        for host in self._hosts.values():
            host.drain_log()
        self._shop.reach("exit.before_record")
        again = self._is_to_start_again(self._shop.store.find(self._name))
        if again:
            # Checkpoints are flushed before anybody may restore them.
            self._finish_companions()
            self._shop.reach("interruption.flushed")
        # An interruption that is committed only now comes too late: nothing has been flushed for it.
        return self._change(lambda record, now: self._with_exits(record, now, may_start_again=again))

    def _is_to_start_again(self, record: JobRecord) -> bool:
        """Whether interrupted; a stop wins over that, and so does a value that is there."""
        has_value = any(host.saw_value for host in self._hosts.values()) and not any(
            ended.code for ended in self._exits.values()
        )
        return record.current.is_interrupted and record.stop_cause is None and not has_value

    def _with_exits(self, record: JobRecord, now: float, *, may_start_again: bool) -> JobRecord:
        record = replace(record.with_attempt(exits=dict(self._exits)), metrics=self._merge_metrics(record))
        if may_start_again and self._is_to_start_again(record):
            return with_next_attempt(record, AttemptEnd.INTERRUPTED, now)
        record = replace(record.with_attempt(end=None, ended_at=now), phase=Phase.COLLECTING)
        return with_uploading(record, now)

    def _collect_early(self, record: JobRecord) -> JobRecord:
        """Takes a value as the job's good end before its container has ended.

        Where collecting is a few renames, nobody would see the job uploading: one commit does for both.
        """
        self._exits[self._only_host().host.name] = ContainerExit(code=0)
        if not takes_no_time(record.request):
            return self._record_exits()
        failure = self._finish_companions()
        failure = self._find_broken_input() or publish(record, [self._only_host().tree], self._shop) or failure
        self._shop.reach("publish.before_terminal")

        def finish(record: JobRecord, now: float) -> JobRecord:
            record = record.with_attempt(exits=dict(self._exits), end=None, ended_at=now)
            record = replace(with_artifacts(record), metrics=self._merge_metrics(record))
            return with_end(with_uploading(record, now), failure, now)

        return self._change(finish)

    def _collect(self, record: JobRecord) -> JobRecord:
        trees = {name: host.tree for name, host in self._hosts.items()}
        flush_failure = self._finish_companions()
        # What the job did wrong is its reason; that its output could not be written either comes second.
        reason = self._find_broken_input() or find_reason(record, trees, self._shop)
        upload_failure = publish(record, list(trees.values()), self._shop) or flush_failure
        self._shop.reach("publish.before_terminal")
        return self._change(lambda record, now: with_end(with_artifacts(record), reason or upload_failure, now))

    def _finish_companions(self) -> str | None:
        """Has everything flushed that lies beside the containers, or says why that failed."""
        found = [host.finish_companions() for host in self._hosts.values()]
        return next((failure for failure in found if failure), None)

    def _find_broken_input(self) -> str | None:
        """Why a host did not get all of its input: nothing that the job did afterwards counts."""
        return next((host.broken_input for host in self._hosts.values() if host.broken_input), None)

    def _merge_metrics(self, record: JobRecord) -> tuple[Metric, ...]:
        return merge_metrics(
            [*record.metrics, *(metric for host in self._hosts.values() for metric in host.final_metrics())]
        )

    def _retry_or_end(self, reason: str) -> JobRecord:
        """Has the job wait for another attempt if its RetryStrategy has one left, or ends it."""
        strategy = self._shop.store.find(self._name).request.get("RetryStrategy", {})

        def decide(record: JobRecord, now: float) -> JobRecord:
            if record.phase is Phase.ENDED:
                return record
            lost = sum(attempt.end is AttemptEnd.LOST for attempt in record.attempts)
            has_retry = record.may_have_containers and lost < strategy.get("MaximumRetryAttempts", 0)
            if record.stop_cause is not None or not has_retry:
                return with_end(record, reason, now)
            return with_next_attempt(record, AttemptEnd.LOST, now)

        if strategy:
            self._retire()
        return self._change(decide)

    def _retire(self) -> None:
        """Makes sure that nothing of an attempt runs any more: no two attempts of a job ever run at once."""
        for host in self._hosts.values():
            try:
                host.end_container()
            except EngineError:
                # The scheduler's sweep finds it: while the job waits it has no containers.
                logger.exception("The container %s could not be ended", host.container)
            host.say("the attempt has failed, for no fault of the job's; there will be another")
        self._finish_companions()

    def _settle_pool(self, record: JobRecord) -> None:
        """Has a kept pool hold a container ready for the next job; what one that is gone has kept goes with it."""
        if record.pool is None:
            return
        if record.pool.status is PoolStatus.AVAILABLE:
            prepare_standby(record, self._shop)
        elif record.pool.status is PoolStatus.TERMINATED:
            clear_away(pool_directory(self._shop.home, record.pool.root), self._shop.home)

    def _remove_network(self, record: JobRecord) -> None:
        try:
            self._shop.engine.remove_network(network_name(record.name, record.attempt))
        except EngineError:
            # The scheduler's sweep finds what is left.
            logger.exception("The network of %s could not be removed", record.name)

    def _end(self, reason: str | None) -> JobRecord:
        """Ends a job of which nothing is uploaded; one that has ended already stays as it is."""

        def end(record: JobRecord, now: float) -> JobRecord:
            return record if record.phase is Phase.ENDED else with_end(record, reason, now)

        return self._change(end)

    def _clear_up(self, record: JobRecord) -> None:
        """Frees what the attempt held. Off the path of the job's result: it has ended for everybody else."""
        self._shop.reach("terminal.after_commit" if record.phase is Phase.ENDED else "attempt.after_requeue")
        for name, host in self._hosts.items():
            # A value is there a moment before its container has ended.
            host.remove_container(_LAST_MOMENTS_S if name in self._exits else 0.0)
        if len(self._hosts) > 1:
            self._remove_network(record)
        self._finish_companions()
        for host in self._hosts.values():
            host.close_log()
        self._shop.reach("cleanup.mid")
        if record.phase is Phase.ENDED:
            clear_away(self._shop.home.jobs / record.name, self._shop.home)
            self._settle_pool(record)
            self._shop.store.mark_cleaned(record.name)
            return
        for host in self._hosts.values():
            clear_away(host.tree.root, self._shop.home)
