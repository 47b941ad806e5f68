"""A job that mpirun runs: on one host, or on several, of which the first one runs it and the others come to it."""

from __future__ import annotations

from collections.abc import Callable

from sm_remote.errors import JobFailed
from sm_remote.runtime.children import Ending
from sm_remote.runtime.environment import count_cpus, read_cluster
from sm_remote.runtime.load import verify_blob
from sm_remote.runtime.mpi import MpiHost, build_variables, find_program
from sm_remote.runtime.ranks import count_local_ranks
from sm_remote.runtime.run import Job
from sm_remote.wire.layout import blob_path
from sm_remote.wire.manifest import HOSTS_KEY


def run_by_mpirun(job: Job, *, say: Callable[[str], None], started: Callable[[], None]) -> Ending:
    """Runs this host's ranks until the job has ended, and says how it has: on each host the same.

    Args:
        job: What to run.
        say: Writes to the log.
        started: Called when the work has begun.

    Raises:
        JobFailed: The environment has no mpirun, or the hosts cannot find each other.
    """
    hosts, current, interface = read_cluster()
    if len(hosts) > 1 and interface == "lo":
        raise JobFailed(
            "mpirun cannot run a job of several hosts in the process engine.",
            why="Its hosts are one machine with one network to mpirun, which would run all ranks on the first.",
            fix="Use engine='docker', or instance_count=1 with a higher nproc_per_node.",
        )
    program = find_program("mpirun")
    host = MpiHost(job, say=say)
    host.prepare()
    started()
    if len(hosts) == 1:
        slots = {"localhost": count_local_ranks(without_gpus=count_cpus())}
        return host.run_mpirun(program, slots, build_variables("", agent=""))
    from sm_remote.runtime.mpi_hosts import join_first_host, lead_hosts

    key = read_key(job)
    if current == hosts[0]:
        return lead_hosts(host, hosts, key, program, interface, say=say)
    return join_first_host(host, hosts[0], current, key)


def read_key(job: Job) -> bytes:
    """What only this job's hosts know.

    Raises:
        CorruptBlob: It is not the one that was sent.
        JobFailed: The job was started for one host.
    """
    refs = job.manifest.all(HOSTS_KEY)
    if len(refs) != 1:
        raise JobFailed(
            "The job has no key for its hosts to know each other by, so nothing was started.",
            why="It was sent for one host and runs on several.",
            fix="Start it with instance_count as it is to run.",
        )
    verify_blob(refs[0])
    with open(blob_path(refs[0].digest), "rb") as file:
        return file.read()
