"""What jobs that mpirun runs compute: in a module of its own, which needs nothing that only tests have."""

from __future__ import annotations

import os
from typing import Any


def all_reduce() -> dict[str, Any]:
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    return {
        "sum": world.allreduce(world.Get_rank() + 1),
        "ranks": world.allgather((int(os.environ["RANK"]), os.environ["LOCAL_RANK"], os.environ["SM_CURRENT_HOST"])),
        "world": os.environ["WORLD_SIZE"],
        "secrets": world.allgather(os.environ.get("TOKEN", "")),
    }


def fail_at(rank: int) -> str:
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == rank:
        raise ValueError("no data for me")
    MPI.COMM_WORLD.Barrier()  # the others wait for it for ever
    return "never"


def die_at(rank: int) -> str:
    import signal

    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == rank:
        os.kill(os.getpid(), signal.SIGKILL)
    MPI.COMM_WORLD.Barrier()
    return "never"


def count_up(steps: int) -> dict[str, Any]:
    """Ranks in step, each with checkpoints of its own, which all leave when one is told to end.

    A first attempt goes no further than half of the way, and says when all ranks have saved something.
    """
    import time

    from mpi4py import MPI

    import sm_remote

    world = MPI.COMM_WORLD
    with sm_remote.checkpoint("steps") as ckpt:
        done = begun = ckpt.load(default=0)
        while done < steps:
            time.sleep(0.1)
            if begun or done < steps // 2:
                done += 1
                ckpt.save(done, step=done)
            if world.allreduce(int(ckpt.interrupted)):
                break
            if world.rank == 0 and done == 1:
                print("all have saved", flush=True)
    return {"done": world.allgather(done), "begun": world.allgather(begun)}
