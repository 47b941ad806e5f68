"""The processes of a job on several hosts, or with several on one: each runs the same function, and has a rank.

The variables are those that ``torchrun`` sets, so ``torch.distributed.init_process_group()`` needs no argument, whether
or not PyTorch is what the function uses.
Source: PyTorch documentation, "torchrun (Elastic Launch)", Environment Variables; port 7777 as SageMaker's launchers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from sm_remote.runtime.environment import count_gpus, read_cluster
from sm_remote.wire.layout import PROCESSES_VARIABLE

_PORT = "7777"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rank:
    """One process.

    Attributes:
        number: Among all.
        local: Among those of its host.
        world_size: How many there are.
        local_world_size: How many its host has.
        host: Its host.
        master: Where the first one is reached.
        interface: The network between hosts.
    """

    number: int
    local: int
    world_size: int
    local_world_size: int
    host: str
    master: str
    interface: str

    @property
    def is_alone(self) -> bool:
        """Whether it is the job's only process."""
        return self.world_size == 1

    def describe(self) -> str:
        """For messages."""
        return f"rank {self.number} on {self.host}"

    def enter(self) -> None:
        """Makes this process the one of this rank."""
        if self.is_alone:
            return
        os.environ.update(
            RANK=str(self.number),
            LOCAL_RANK=str(self.local),
            WORLD_SIZE=str(self.world_size),
            LOCAL_WORLD_SIZE=str(self.local_world_size),
            GROUP_RANK=str(self.number // self.local_world_size),
        )
        for name, value in {"MASTER_ADDR": self.master, "MASTER_PORT": _PORT}.items():
            os.environ.setdefault(name, value)
        if self.world_size > self.local_world_size:
            for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
                os.environ.setdefault(name, self.interface)


def count_local_ranks(*, without_gpus: int = 1) -> int:
    """How many processes this host is to run.

    Args:
        without_gpus: How many there are by default on a host that has no GPU.
    """
    wanted = os.environ.get(PROCESSES_VARIABLE, "1")
    return max(1, int(wanted) if wanted.isdigit() else count_gpus() or without_gpus)


def read_mpi_rank() -> Rank:
    """The rank of a process that OpenMPI's mpirun has started.

    Source: Open MPI documentation, "Environment variables that Open MPI sets at runtime".

    Raises:
        KeyError: It has not.
    """
    hosts, current, interface = read_cluster()
    number, world_size, local, local_world_size = (
        int(os.environ[f"OMPI_COMM_WORLD_{name}"]) for name in ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE")
    )
    return Rank(
        number=number,
        local=local,
        world_size=world_size,
        local_world_size=local_world_size,
        host=current,
        master=hosts[0] if len(hosts) > 1 else "localhost",
        interface=interface,
    )


def list_local_ranks() -> list[Rank]:
    """The processes that this host is to run, in the order of their ranks."""
    hosts, current, interface = read_cluster()
    count = count_local_ranks()
    first = hosts.index(current) * count if current in hosts else 0
    return [
        Rank(
            number=first + local,
            local=local,
            world_size=len(hosts) * count,
            local_world_size=count,
            host=current,
            master=hosts[0] if len(hosts) > 1 else "localhost",
            interface=interface,
        )
        for local in range(count)
    ]
