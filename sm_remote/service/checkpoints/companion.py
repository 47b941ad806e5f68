"""Checkpoints of one host: restored before its container starts, synchronised while it runs, flushed when it has ended.

The whole of CheckpointConfig.S3Uri is restored, before every attempt and on each host. Source: SageMaker Developer
Guide, "Use checkpoints in Amazon SageMaker". There nothing is promised after the container's end; here everything is
flushed in every end state.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sm_remote.service.checkpoints.config import find_local_path
from sm_remote.service.checkpoints.job_files import scan_tree
from sm_remote.service.checkpoints.ledger import CheckpointLedger, load_ledger
from sm_remote.service.checkpoints.sync import CheckpointPlaces, CheckpointSync
from sm_remote.service.engines.engine import Mount
from sm_remote.service.hosts.working_tree import WorkingTree
from sm_remote.service.storage.buckets import Buckets
from sm_remote.service.storage.objects import ObjectError, parse_uri
from sm_remote.service.storage.target_paths import make_room
from sm_remote.service.storage.transfers import Transfer, run_transfers

logger = logging.getLogger("sm_remote.service")

_LOOK_S = 1.0
_LOOK_SHARE = 20
"""Between two looks passes at least so many times as long as one takes."""
_AFTER_PROBLEM_S = 10.0
_FLUSH_S = 1800.0
_FLUSH_TRIES = 3
_FLUSH_AGAIN_S = 1.0


def build_checkpoints(
    request: Mapping[str, Any],
    tree: WorkingTree,
    buckets: Buckets,
    say: Callable[[str], None],
    reach: Callable[[str], None],
) -> tuple[Checkpoints, ...]:
    """The checkpoints of one host; none where the request has no CheckpointConfig.

    Raises:
        ObjectError: There are no credentials for S3.
    """
    config = request.get("CheckpointConfig")
    if config is None:
        return ()
    uri = parse_uri(config["S3Uri"])
    places = CheckpointPlaces(
        directory=tree.checkpoints,
        inside=find_local_path(config),
        bucket=buckets.find(uri),
        uri=uri,
        scratch=tree.scratch / "checkpoints",
    )
    return (Checkpoints(places, tree.scratch / "checkpoints.json", say, reach),)


class Checkpoints:
    """See `sm_remote.service.hosts.companions.Companion`.

    Args:
        places: What is synchronised with what.
        ledger: Where the ledger is kept; there once everything has been restored.
        say: Appends to the host's log.
        reach: Told each point at which a crash must do no harm.
        clock: Seconds that only grow.
        sleep: Between two tries to flush.
    """

    environment: Mapping[str, str] = {}

    def __init__(
        self,
        places: CheckpointPlaces,
        ledger: Path,
        say: Callable[[str], None],
        reach: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._places = places
        self._ledger_path = ledger
        self._say = say
        self._reach = reach
        self._clock = clock
        self._sleep = sleep
        self._said: set[str] = set()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._sync: CheckpointSync | None = None
        self._flush_deadline: float | None = None

    @property
    def mounts(self) -> Sequence[Mount]:
        """See the protocol."""
        return (Mount(source=self._places.directory, target=self._places.inside, read_only=False),)

    def prepare(self, go_on: Callable[[], None]) -> None:
        """See the protocol: restores the whole prefix."""
        directory = self._places.directory
        directory.mkdir()
        directory.chmod(0o777)
        run_transfers(self._plan_transfers(go_on), go_on, lambda text: self._say(f"restoring checkpoints: {text}"))
        stamps = {file.relative: file.stamp for file in scan_tree(directory, self._places.inside).files.values()}
        CheckpointLedger(self._ledger_path, dict(stamps)).save()

    def _plan_transfers(self, go_on: Callable[[], None]) -> Iterator[Transfer]:
        bucket, prefix = self._places.bucket, self._places.prefix
        for key in bucket.list_keys(prefix):
            if not key.endswith("/"):
                target = make_room(self._places.directory, key[len(prefix) :], key, mode=0o777)
                yield Transfer(run=partial(self._restore, key, target, go_on), is_remote=bucket.is_remote)

    def _restore(self, key: str, target: Path, go_on: Callable[[], None]) -> None:
        self._places.bucket.copy(key, target, go_on)
        # Whatever user the image runs as goes on writing to it.
        target.chmod(0o666)

    def start(self) -> None:
        """See the protocol: synchronises in a thread of its own."""
        if self._find_sync() is not None and self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"checkpoints {self._places.uri}", daemon=True)
            self._thread.start()

    def _find_sync(self) -> CheckpointSync | None:
        """What synchronises; None where the restoring never came to its end, so that nothing may be touched."""
        if self._sync is None and (ledger := load_ledger(self._ledger_path)) is not None:
            self._sync = CheckpointSync(self._places, ledger, self._clock, self._reach)
        return self._sync

    def _run(self) -> None:
        pause_s = _LOOK_S
        while not self._ended.wait(pause_s):
            started = self._clock()
            problems = self._try(lambda sync: sync.synchronise(lambda: not self._ended.is_set()))
            for problem in problems:
                self._say_once(f"a checkpoint cannot be uploaded and is tried again: {problem}")
            took_s = self._clock() - started
            pause_s = _AFTER_PROBLEM_S if problems else max(_LOOK_S, _LOOK_SHARE * took_s)

    def _try(self, work: Callable[[CheckpointSync], list[str]]) -> list[str]:
        sync = self._find_sync()
        try:
            return [] if sync is None else work(sync)
        except Exception as error:
            logger.exception("Checkpoints could not be synchronised")
            return [f"{type(error).__name__}: {error}"]

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    def finish(self) -> None:
        """See the protocol: uploads whatever S3 has not got yet."""
        self._ended.set()
        if self._flush_deadline is None:
            self._flush_deadline = self._clock() + _FLUSH_S
        deadline = self._flush_deadline
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - self._clock()))
        for number in range(_FLUSH_TRIES):
            self._sleep(_FLUSH_AGAIN_S if number else 0.0)
            problems = self._try(lambda sync: sync.flush(lambda: self._clock() < deadline))
            if not problems and self._clock() < deadline:
                return
        why = problems[0] if problems else f"not everything was uploaded within {_FLUSH_S:.0f} s"
        raise ObjectError(f"checkpoints: {why}")
