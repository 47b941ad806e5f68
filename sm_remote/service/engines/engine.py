"""What the scheduler asks of a container engine: start, follow, wait, stop, find again.

`engines.docker.engine` and `engines.process.engine` implement it; `tests/fakes/engine.py` is the third, for tests.
Every container has a deterministic name (``smr-<job>-a<attempt>-<host>``), so that an effect whose outcome was never
recorded is found again instead of being done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """A directory of the host as the container sees it."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """The network that the hosts of a job with several share.

    Attributes:
        network: Its name: ``smr-<job>-a<attempt>``.
        host: Which host the container is.
        hosts: All of them, by the names under which they find each other.
        isolated: Whether they reach nothing but each other.
    """

    network: str
    host: str
    hosts: Sequence[str]
    isolated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerSpec:
    """One host of a training job.

    Attributes:
        name: ``smr-<job>-a<attempt>-<host>``.
        image: As the request named it.
        entrypoint: Replaces the image's when not empty.
        arguments: Replaces the image's command; ``("train",)`` where the request gave neither.
        environment: What the job sees, the user's ``Environment`` included.
        mounts: In the order in which they are to be made: parents first.
        cpus: Whole or part of a core.
        memory_bytes: Hard limit, swap included; None for the host's own.
        gpus: The numbers of the machine's GPUs that are this container's alone.
        network: False means no network at all (EnableNetworkIsolation), or none but the cluster's.
        cluster: What it shares with the job's other hosts; None for a job on one host.
        labels: Ownership: ``sm_remote.instance``, ``sm_remote.job``, ``sm_remote.attempt``.
        scratch: A directory of this container alone, which the engine may use for its own files.
        standby: The name of a container that is held ready to become this one; None for none.
    """

    name: str
    image: str
    entrypoint: Sequence[str]
    arguments: Sequence[str]
    environment: Mapping[str, str]
    mounts: Sequence[Mount]
    cpus: float
    memory_bytes: int | None
    network: bool
    scratch: Path
    gpus: Sequence[int] = ()
    cluster: Cluster | None = None
    standby: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerExit:
    """How a container ended.

    Attributes:
        code: The exit code; 128 + signal where a signal ended it.
        out_of_memory: Whether the engine says that the kernel killed it for memory.
        peak_memory_bytes: The most that it used, where the engine knows.
    """

    code: int
    out_of_memory: bool = False
    peak_memory_bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerUsage:
    """What a container has used so far of the CPUs, in seconds of one core, and uses of memory now."""

    cpu_s: float
    memory_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Gateway:
    """How containers reach this machine, where its loopback is not theirs.

    Attributes:
        address: By which containers, and no other machine, reach it.
        forwards_loopback: Whether a port at that address is this machine's loopback itself, as on Docker Desktop.
    """

    address: str
    forwards_loopback: bool


class EngineError(Exception):
    """The engine refused or failed; the text says what, and becomes a ClientError or InternalServerError."""


class ImageMissing(EngineError):
    """The image cannot be had: becomes ``ClientError: Unable to download training image``."""


class ContainerLost(EngineError):
    """The container is not there any more and its exit code is unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePython:
    """What an image's ``python3`` says of itself.

    Attributes:
        version: Such as ``3.11.7``, or None without a ``python3``.
        platform: Such as ``linux/x86_64``.
        glibc: The version of its C library, such as ``2.36``; empty for another library.
        packages: The distributions that are installed for it, version by name.
        modules: The top-level modules that it would find besides the standard library, of packages or not.
        trouble: Why there is none, where the image itself says so.
        digest: Of the image: as its registry has it, or its id on this machine.
    """

    version: str | None
    platform: str
    glibc: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    trouble: str = ""
    digest: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltImage:
    """An image that was built here."""

    uri: str
    description: str
    created: str
    size_bytes: int


class BuiltImages(Protocol):
    """What an engine that builds images can do with them, besides `Engine.prepare_image`."""

    def list_images(self) -> list[BuiltImage]:
        """The built images that are here, newest first."""

    def remove_image(self, uri: str) -> None:
        """Removes one.

        Raises:
            EngineError: A container still needs it.
        """

    def push_image(self, uri: str, target: str, credentials: Mapping[str, str], say: Callable[[str], None]) -> str:
        """Sends one to a registry; its digest there.

        Args:
            uri: The image.
            target: What it is called there.
            credentials: ``username`` and ``password``; written nowhere.
            say: Told of progress.

        Raises:
            EngineError: The registry refused.
        """


class Engine(Protocol):
    """Runs containers. Called from the scheduler's threads, several at a time, each with its own container."""

    name: str
    network_interface: str
    """By which containers of one job reach each other: resourceconfig.json tells it."""

    @property
    def built_images(self) -> BuiltImages | None:
        """The images that it built; None where it builds none."""

    def describe(self) -> str:
        """One line about what runs jobs and what it does not isolate, for the first line of a job's log."""

    def prepare_image(self, image: str, say: Callable[[str], None]) -> None:
        """Makes the image available (pull, or build a local one), telling ``say`` about slow steps.

        Raises:
            ImageMissing: It cannot be had.
        """

    def inspect_python(self, image: str, conda_env: str | None = None) -> ImagePython:
        """Asks the image for its Python and packages, once for each content; the image has been prepared.

        Args:
            image: Its name.
            conda_env: The conda environment of it that is meant, instead of its ``python3``.
        """

    def start(self, spec: ContainerSpec) -> None:
        """Starts a container; one of this name that exists already is adopted, not started again.

        Raises:
            EngineError: It could not be started.
        """

    def prepare_standby(self, spec: ContainerSpec) -> bool:
        """Starts a container that runs nothing yet, to become another by `start`; False where that cannot be done.

        Raises:
            EngineError: It could not be started.
        """

    def read_lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Yields (milliseconds since the epoch, one line without its newline) from the container's first line on.

        Follows until the container's output ends. Stdout and stderr are merged in order of arrival. A line longer
        than 256 KiB arrives in pieces.
        """

    def wait(self, name: str) -> ContainerExit:
        """Blocks until the container has ended.

        Raises:
            ContainerLost: It vanished.
        """

    def stop(self, name: str, grace_s: float) -> None:
        """Sends SIGTERM, and SIGKILL after ``grace_s``; returns at once. No error if it has ended or never was."""

    def read_usage(self, name: str) -> ContainerUsage | None:
        """What a running container uses; None where that is not to be had. Takes milliseconds.

        Raises:
            EngineError: The engine does not answer.
        """

    def remove(self, name: str) -> None:
        """Removes what is left of an ended container; no error if nothing is."""

    def find_gateway(self) -> Gateway | None:
        """How containers reach this machine; None where they share its loopback, or have no network at all."""

    def list_subnets(self) -> Sequence[str]:
        """The subnets that containers are in, in CIDR notation."""

    def list_containers(self, instance: str) -> dict[str, bool]:
        """Names of all containers labelled with this service instance, and whether each still runs."""

    def remove_network(self, name: str) -> None:
        """Removes what a cluster shared, after its containers; no error if nothing is left."""

    def list_networks(self, instance: str) -> list[str]:
        """Names of all clusters' networks of this service instance."""
