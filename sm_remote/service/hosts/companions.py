"""What lives beside the container of one host: whatever must be done before it starts, while it runs and after its end.

The runner knows companions only through this protocol, so a new one (a channel's pipe, checkpoints, a sampler) is one
more entry in `preparation.build_companions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sm_remote.service.engines.engine import Mount
from sm_remote.service.storage.objects import ObjectError


class InputBrokenError(ObjectError):
    """The job did not get all of its input: it fails with that reason, however its container ended."""


class Companion(Protocol):
    """Lives beside one host's container, in one attempt of a job."""

    @property
    def mounts(self) -> Sequence[Mount]:
        """What the container is given beside the working tree."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What the container's environment is given."""

    def prepare(self, go_on: Callable[[], None]) -> None:
        """Before the container starts. Not called for a container that a restarted service adopts.

        Args:
            go_on: To be called between two steps; what it raises ends the preparation.

        Raises:
            ObjectError: An input is not to be had; the job fails with that reason.
        """

    def start(self) -> None:
        """The container runs; returns at once."""

    def finish(self) -> None:
        """The container has ended: flushes and ends. Bounded in time; harmless when repeated or never started.

        Raises:
            InputBrokenError: An input broke off while the container ran.
            ObjectError: Not everything could be flushed; a job that would have ended well fails with that reason.
        """
