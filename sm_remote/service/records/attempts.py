"""What the service remembers of each attempt at a training job: when it ran, on which hosts, and how it ended.

A job has another attempt after an interruption of its spot capacity, and after a failure of the platform's own where
its RetryStrategy allows one. Each attempt has containers, working trees and log streams of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sm_remote.service.engines.engine import ContainerExit

FIRST_HOST = "algo-1"


class AttemptEnd(str, Enum):
    """Why an attempt ends before its job does."""

    INTERRUPTED = "interrupted"
    LOST = "lost"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRecord:
    """One attempt. Times are seconds since the epoch.

    Attributes:
        number: From 1 on.
        started_at: When it got its capacity.
        streams: Each host's log stream, such as ``algo-1-1700000000``.
        gpus: The numbers of the GPUs that each host has.
        pool: The job whose warm pool it has; None for none.
        container_started_at: When the containers ran; None before.
        ended_at: When the containers had ended; None before.
        end: Set, durably, before any signal is sent; None for an attempt that ends together with its job.
        exits: How each host's container ended, in the order in which they did.
    """

    number: int
    started_at: float
    streams: Mapping[str, str]
    gpus: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    pool: str | None = None
    container_started_at: float | None = None
    ended_at: float | None = None
    end: AttemptEnd | None = None
    exits: Mapping[str, ContainerExit] = field(default_factory=dict)

    @property
    def is_interrupted(self) -> bool:
        """Whether its capacity is taken away."""
        return self.end is AttemptEnd.INTERRUPTED

    def running_s(self, now: float) -> float:
        """How long its containers have run, or did; seconds."""
        if self.container_started_at is None:
            return 0.0
        return max(0.0, (now if self.ended_at is None else self.ended_at) - self.container_started_at)


def container_name(job_name: str, attempt: int, host: str) -> str:
    """The deterministic name of a host's container."""
    return f"smr-{job_name}-a{attempt}-{host}"


def plan_attempt(
    earlier: Sequence[AttemptRecord], hosts: Sequence[str], gpus: Mapping[str, tuple[int, ...]], now: float
) -> AttemptRecord:
    """The next attempt, with log streams that no earlier one has."""
    number = len(earlier) + 1
    second = int(now)
    if earlier:
        # Streams are named by the second, and an attempt may be over within one.
        used = earlier[-1].streams.values()
        second = max(second, *(int(stream.rpartition("-")[2]) + 1 for stream in used))
    streams = {host: f"{host}-{second}" for host in hosts}
    return AttemptRecord(number=number, started_at=now, streams=streams, gpus=gpus)


def load_attempt(detail: Mapping[str, Any]) -> AttemptRecord:
    """An attempt from its JSON."""
    exits = {host: ContainerExit(**ended) for host, ended in detail["exits"].items()}
    gpus = {host: tuple(numbers) for host, numbers in detail["gpus"].items()}
    end = AttemptEnd(detail["end"]) if detail["end"] else None
    return AttemptRecord(**{**detail, "exits": exits, "gpus": gpus, "end": end})


def load_only_attempt(detail: dict[str, Any]) -> tuple[AttemptRecord, ...]:
    """The attempt of a row that was written when a job could have one only; its members leave the detail."""
    number, stream, ended = (detail.pop(name, None) for name in ("attempt", "stream", "exit"))
    container_started_at = detail.pop("container_started_at", None)
    if not number:
        return ()
    exits = {FIRST_HOST: ContainerExit(**ended)} if ended else {}
    return (
        AttemptRecord(
            number=number,
            started_at=detail["training_started_at"],
            streams={FIRST_HOST: stream},
            container_started_at=container_started_at,
            ended_at=detail["training_ended_at"],
            exits=exits,
        ),
    )
