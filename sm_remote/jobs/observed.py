"""What can be seen of a training job, asked for afresh whenever it is read: its state, history, log and files."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.errors import JobError, JobNotFound, RemoteError
from sm_remote.jobs.artifacts.downloads import Kind, download_artifacts, is_there
from sm_remote.jobs.artifacts.stored_checkpoints import StoredGeneration, list_stored
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.logs.job_log import follow_log
from sm_remote.jobs.succession.attempts import Attempt
from sm_remote.jobs.succession.history import Phase, list_history, list_phases
from sm_remote.jobs.succession.plan import Plan
from sm_remote.spec import SecondaryStatus, TrainingJobStatus

logger = logging.getLogger("sm_remote")


class ObservedJob:
    """A training job as it is looked at; `Job` adds what is done with it.

    Attributes:
        name: The training job's name.
        earlier_names: The names of the jobs whose work it goes on with.
    """

    name: str
    earlier_names: tuple[str, ...]
    _connection: Connection
    _submitted: bool
    _started: threading.Event
    _arn: str | None
    _plan: Plan | None

    def _is_withdrawn(self) -> bool:
        raise NotImplementedError

    def _is_concluded(self) -> bool:
        raise NotImplementedError

    def _look(self) -> TrainingJobDescription:
        return self._connection.training_jobs.describe(self.name)

    @property
    def arn(self) -> str | None:
        """The job's ARN; None while it waits to be submitted."""
        return self._arn

    @property
    def status(self) -> TrainingJobStatus:
        """Where the job stands; a job that waits to be submitted is ``InProgress``."""
        if not self._submitted:
            return TrainingJobStatus.STOPPED if self._is_withdrawn() else TrainingJobStatus.IN_PROGRESS
        return self._look().status

    @property
    def secondary_status(self) -> SecondaryStatus:
        """What the job is doing; ``Pending`` while it waits to be submitted."""
        if not self._submitted:
            return SecondaryStatus.STOPPED if self._is_withdrawn() else SecondaryStatus.PENDING
        return self._look().secondary_status

    @property
    def failure_reason(self) -> str | None:
        """Why the job failed, in the service's words; None unless it did."""
        return self._look().failure_reason if self._submitted else None

    @property
    def model_uri(self) -> str | None:
        """Where the model lies in S3; None without one, although SageMaker names a place in any case."""
        if not self._submitted:
            return None
        description = self._look()
        uri = description.model_uri
        if uri is None or not description.status.is_terminal:
            return None
        return uri if is_there(self._connection.open_store(description.output_uri), uri) else None

    def describe(self) -> dict[str, Any]:
        """The API's own answer to DescribeTrainingJob.

        Raises:
            JobError: The job waits to be submitted.
        """
        self._require_submitted()
        return {name: value for name, value in self._look().raw.items() if name != "ResponseMetadata"}

    def timeline(self) -> list[Phase]:
        """The job's phases, in order; stretches that share a secondary status are one phase."""
        if not self._submitted:
            return []
        return list_phases(self._look_at_all(), datetime.now(timezone.utc))

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """How often the job's function was started, why each attempt ended, and how much work that cost."""
        if not self._submitted:
            return ()
        return list_history(
            self._look_at_all(), lambda each: [stored.manifest for stored in self._list_checkpoints(each)]
        )

    def _look_at_all(self) -> list[TrainingJobDescription]:
        """This job, behind those whose work it goes on with."""
        found = []
        for name in (*self.earlier_names, self.name):
            try:
                found.append(self._connection.training_jobs.describe(name))
            except JobNotFound:
                if name == self.name:
                    raise
        return found

    def _list_checkpoints(self, description: TrainingJobDescription) -> list[StoredGeneration]:
        """What has arrived at the job's place for checkpoints; nothing where it has none or it cannot be read."""
        config = description.raw.get("CheckpointConfig")
        if not config:
            return []
        try:
            return list_stored(self._connection.open_store(config["S3Uri"]))
        except RemoteError as error:
            logger.warning("The checkpoints of %s cannot be looked at: %s", self.name, error)
            return []

    def logs(self, follow: bool = False) -> Iterator[str]:
        """Yields the log's lines without newlines: all hosts, each once, also after the end.

        Args:
            follow: Whether to wait for further lines until the job has ended.
        """
        if follow:
            self._started.wait()
        if not self._submitted:
            return
        for earlier in self.earlier_names:
            yield from follow_log(self._connection.training_jobs, earlier, follow=False)
        name: str | None = self.name
        while name is not None:
            yield from follow_log(self._connection.training_jobs, name, follow=follow)
            name = self._await_successor(name) if follow else None

    def _may_go_on(self) -> bool:
        """Whether another job may still go on with this one's work, as far as this process knows."""
        return self._plan is not None and not self._is_concluded()

    def _await_successor(self, name: str) -> str | None:
        """The job that goes on after one whose log has ended; None where none does."""
        while self.name == name and self._may_go_on():
            time.sleep(0.05)  # its end is known to the log before it is known here
        return None if self.name == name else self.name

    def download_model(self, directory: str | Path) -> Path:
        """Copies what the function left in ``SM_MODEL_DIR`` into a directory, and returns it.

        Raises:
            JobError: The job has no model.
        """
        return self._download("model", Path(directory))

    def download_output(self, directory: str | Path) -> Path:
        """Copies what the function left in ``SM_OUTPUT_DATA_DIR`` into a directory, and returns it.

        Raises:
            JobError: The job has no output.
        """
        return self._download("data", Path(directory))

    def _download(self, kind: Kind, directory: Path) -> Path:
        self._require_submitted()
        store = self._connection.open_store(self._look().output_uri)
        return download_artifacts(store, self.name, kind, directory)

    def _require_submitted(self) -> None:
        if not self._submitted:
            raise JobError(
                f"Training job {self.name} is not submitted yet.",
                why="It waits for one of its executor's earlier jobs to end.",
                job_name=self.name,
            )
