"""The values of jobs' secrets: in this process's memory alone, and from there through a pipe into a job's container.

A job's request holds references. Whoever submits it gives the values right afterwards, in a request of their own that
nothing writes down. A service that was restarted has none: a job whose container had not been started by then fails
and says so. An attempt that follows another in the same service gets them again.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sm_remote.service.engines.engine import Mount
from sm_remote.service.hosts.working_tree import WorkingTree
from sm_remote.service.records.job import JobRecord
from sm_remote.wire.layout import SECRETS_FILE
from sm_remote.wire.secret import MOST_BYTES, find_references

PATIENCE_S = 20.0
"""How long after its creation a job waits for the values: whoever submits it gives them right afterwards."""
_LOOK_S = 0.2


class SecretsError(Exception):
    """The values of a job's secrets cannot be had; the text says why."""


class SecretVault:
    """Remembers values by job for as long as the job is live.

    Args:
        patience_s: How long after its creation a job may wait for its values.
        clock: Seconds since the epoch.
    """

    def __init__(self, *, patience_s: float = PATIENCE_S, clock: Callable[[], float] = time.time) -> None:
        self._values: dict[str, dict[str, str]] = {}
        self._changed = threading.Condition()
        self._patience_s = patience_s
        self._clock = clock

    def __repr__(self) -> str:
        return f"<SecretVault of {len(self._values)} jobs>"

    def give(self, job_name: str, values: Mapping[str, str]) -> None:
        """Remembers the values of a job."""
        with self._changed:
            self._values[job_name] = dict(values)
            self._changed.notify_all()

    def forget(self, job_name: str) -> None:
        """Forgets those of a job that has ended."""
        with self._changed:
            self._values.pop(job_name, None)

    def await_values(
        self, job_name: str, names: Sequence[str], created_at: float, go_on: Callable[[], None]
    ) -> dict[str, str]:
        """The values of a job, as soon as somebody has given them.

        Args:
            job_name: The job.
            names: Those that it needs.
            created_at: When it was created.
            go_on: Called now and then; what it raises ends the waiting.

        Raises:
            SecretsError: Nobody has.
        """
        deadline = created_at + self._patience_s
        while True:
            with self._changed:
                values = self._values.get(job_name, {})
                if set(names) <= set(values):
                    return {name: values[name] for name in names}
                left_s = deadline - self._clock()
                if left_s <= 0:
                    missing = ", ".join(sorted(set(names) - set(values)))
                    raise SecretsError(
                        f"{missing}. Their values are given when a job is submitted and kept in memory alone: the "
                        "local training service was restarted since, or they were not given. Submit the job again"
                    )
                self._changed.wait(min(_LOOK_S, left_s))
            go_on()


def build_secrets(record: JobRecord, tree: WorkingTree, vault: SecretVault) -> tuple[SecretPipe, ...]:
    """What gives a host's container its job's secrets; nothing where the job has none."""
    names = sorted(find_references(record.request.get("Environment", {})))
    return (SecretPipe(record, names, tree, vault),) if names else ()


class SecretPipe:
    """See `sm_remote.service.hosts.companions.Companion`.

    The values lie in a pipe, which is memory of the kernel, from before the container starts until its first process
    has read them; this end of it stays open, and what goes through it is on no disk. Where no pipe leads into
    containers (Docker Desktop) it is a file, which the job removes when it has read it.
    """

    mounts: Sequence[Mount] = ()
    environment: Mapping[str, str] = {}

    def __init__(self, record: JobRecord, names: Sequence[str], tree: WorkingTree, vault: SecretVault) -> None:
        self._job_name = record.name
        self._created_at = record.created_at
        self._names = names
        self._path = tree.config / SECRETS_FILE
        self._vault = vault
        self._pipe: int | None = None

    def prepare(self, go_on: Callable[[], None]) -> None:
        """See the protocol. Raises `SecretsError`."""
        values = self._vault.await_values(self._job_name, self._names, self._created_at, go_on)
        content = json.dumps(values).encode() + b"\n"
        self.finish()
        self._path.unlink(missing_ok=True)
        if os.mkfifo not in os.supports_dir_fd:  # as for Pipe mode: not Linux
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        else:
            os.mkfifo(self._path, 0o600)
            # For both directions: it opens although nobody reads yet, and what is in it stays while this is open.
            self._pipe = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            if os.write(self._pipe, content) < len(content):
                raise SecretsError("the pipe that leads into the container is too small for them")
        # Whoever the container runs as; nobody else passes the private directory above.
        os.chmod(self._path, 0o444)

    def start(self) -> None:
        """See the protocol."""

    def finish(self) -> None:
        """See the protocol: what nobody has read goes, and a file goes with the working tree."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def check_values(request: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, str]:
    """The values of a GiveSecrets request, which are those that a job's request names.

    Raises:
        ValueError: They are not; the text shows none of them.
    """
    values = request.get("Values")
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ValueError("Values must be an object of texts.")
    if set(values) != set(find_references(job.get("Environment", {}))):
        raise ValueError("Values must have the names of the secrets that the training job's Environment refers to.")
    if len(json.dumps(values)) >= MOST_BYTES:
        raise ValueError(f"Values must be less than {MOST_BYTES} bytes together.")
    return values
