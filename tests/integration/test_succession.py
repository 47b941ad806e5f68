"""A call whose job cannot be had or fails is followed up by other jobs, also when the process that made it is gone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner

from sm_remote import attach, remote
from sm_remote.aws.local_service import call_service
from sm_remote.cli.app import app
from sm_remote.errors import JobFailed
from sm_remote.jobs.attach import connect_with
from sm_remote.settings import resolve_settings

pytestmark = pytest.mark.service


@pytest.fixture
def shortage() -> Iterator[Callable[[str], None]]:
    """Makes one instance type short, and there again at the end."""
    connection = connect_with(resolve_settings({"target": "local"}))
    discovery = connection.training_jobs.session.discovery
    assert discovery is not None

    def set_capacity(state: str) -> None:
        call_service(discovery, "SetCapacity", {"InstanceType": "ml.m5.xlarge", "Market": "any", "Capacity": state})

    yield set_capacity
    set_capacity("available")


def test_types_are_tried_in_order_and_the_end_of_all_is_told(shortage: Callable[[str], None]) -> None:
    shortage("error")

    @remote(instance_type="ml.m5.xlarge,ml.m5.large", retry_on=MemoryError, max_runtime_in_seconds=60)
    def fit() -> None:
        raise MemoryError("an array of 9 GB")

    job = fit.submit()
    first = job.name
    # The next larger type than ml.m5.large is the one that is not to be had.
    with pytest.raises(JobFailed, match="CapacityError") as caught:
        job.result(120)
    assert first in "".join(caught.value.__notes__)
    assert (job.name, job.earlier_names) == (f"{first}-3", (first, f"{first}-2"))
    assert [(each.instance_type, each.cause) for each in job.attempts] == [
        ("ml.m5.xlarge", "CapacityError"),
        ("ml.m5.large", "OutOfMemory"),
        ("ml.m5.xlarge", "Failed"),
    ]
    assert [phase.name for phase in job.timeline()].count("Failed") == 3


def test_out_of_memory_is_tried_again_with_more_and_the_list_of_jobs_tells(capsys: pytest.CaptureFixture[str]) -> None:
    @remote(instance_type="ml.m5.large", retry_on="OutOfMemory", max_runtime_in_seconds=60)
    def fit() -> str:

        kind = os.environ["SM_CURRENT_INSTANCE_TYPE"]
        if kind == "ml.m5.large":
            raise MemoryError("an array of 9 GB")
        return kind

    assert fit() == "ml.m5.xlarge"
    said = re.search(r"sm_remote: (\S+): it ran out of memory; training job (\S+) goes on", capsys.readouterr().out)
    assert said is not None
    first, second = said.groups()
    shown = CliRunner().invoke(app, ["show", first], catch_exceptions=False).output
    assert re.search(rf"goes on as\s+{second}", shown)
    assert re.search(r"cost of call\s+no charge .*; 2 jobs", shown)
    assert re.search(rf"1 .* OutOfMemory .* ml.m5.large\s+{first}", shown)
    log = CliRunner().invoke(app, ["logs", first], catch_exceptions=False).output
    assert f"---- training job {second} ----" in log.splitlines()
    assert attach(first).name == second
    assert attach(second).earlier_names == (first,)


SUBMIT = """
import os
from sm_remote import remote

@remote(instance_type="ml.m5.xlarge", use_spot_instances=True, fallback="on_demand",
        max_runtime_in_seconds=3, max_wait_time_in_seconds=3)
def fit():
    return 42

print(fit.submit().name, flush=True)
os._exit(0)
"""


def test_who_attaches_goes_on_for_a_process_that_is_gone(shortage: Callable[[str], None]) -> None:
    connection = connect_with(resolve_settings({"target": "local"}))
    discovery = connection.training_jobs.session.discovery
    assert discovery is not None
    call_service(discovery, "SetCapacity", {"InstanceType": "ml.m5.xlarge", "Market": "spot", "Capacity": "pending"})
    done = subprocess.run([sys.executable, "-c", SUBMIT], capture_output=True, text=True, check=True)
    name = done.stdout.split()[-1]
    jobs = [attach(name), attach(name)]
    assert [job.result(120) for job in jobs] == [42, 42]
    assert {job.name for job in jobs} == {f"{name}-2"}
    assert attach(f"{name}-2").earlier_names == (name,)
