"""The service as a process: one for each home, private, idle, and gone when told so."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sm_remote.home import read_discovery
from tests.fakes.service import build_request, make_client, wait_for_end, wait_until

pytestmark = [pytest.mark.service]


def sleep_job(seconds: float, name: str = "fit-1"):
    return build_request(
        name,
        AlgorithmSpecification={"ContainerEntrypoint": ["/bin/sleep"], "ContainerArguments": [str(seconds)]},
    )


def test_sigterm_ends_it_leaves_jobs_running_and_its_successor_adopts_them(service):
    client = make_client(service.start())
    client.create_training_job(**sleep_job(1.5))
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")
    began = time.monotonic()
    assert service.signal(signal.SIGTERM) == 0
    assert time.monotonic() - began < 60
    assert read_discovery(service.home) is None
    assert len(list(service.containers.iterdir())) == 1
    assert wait_for_end(make_client(service.start()), "fit-1")["TrainingJobStatus"] == "Completed"


def test_it_ends_by_itself_when_nobody_needs_it(service):
    service.start(SM_REMOTE_SERVICE_IDLE_S="0.5")
    assert service.wait_for_death() == 0
    assert read_discovery(service.home) is None


def test_it_does_not_end_while_a_job_lives(service):
    client = make_client(service.start(SM_REMOTE_SERVICE_IDLE_S="1"))
    client.create_training_job(**sleep_job(2.5))
    time.sleep(2.0)
    assert client.describe_training_job(TrainingJobName="fit-1")["TrainingJobStatus"] == "InProgress"
    assert service.wait_for_death() == 0


def test_a_second_one_for_the_same_home_ends_at_once_and_harms_nothing(service):
    first = service.start()
    environ = {**os.environ, "SM_REMOTE_HOME": str(service.home.data), "SMR_CONTAINERS": str(service.containers)}
    second = subprocess.run(
        [sys.executable, "-m", "sm_remote.service"], env=environ, capture_output=True, timeout=120, check=False
    )
    assert second.returncode == 0
    assert b"Another local training service runs" in second.stderr
    assert read_discovery(service.home) == first
    make_client(first).list_training_jobs()


def test_a_database_that_cannot_be_read_keeps_it_from_starting_and_stays_as_it_is(service):
    database = service.home.service / "jobs.sqlite"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"damaged" * 1000)
    service.start(wait=False)
    assert service.wait_for_death() == 1
    assert "StorageError: The local training service's database" in service.log.read_text()
    assert database.read_bytes() == b"damaged" * 1000


def test_its_keys_stay_the_same_and_its_instance_does_not(service):
    first = service.start()
    service.signal(signal.SIGTERM)
    second = service.start()
    assert (first.access_key, first.secret_key) == (second.access_key, second.secret_key)
    assert first.instance != second.instance


def test_it_listens_on_the_loopback_interface_alone(service):
    discovery = service.start()
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{discovery.port:04X}")
    ]
    assert listening == [f"0100007F:{discovery.port:04X}"]


def test_whatever_it_writes_is_closed_to_others(service):
    client = make_client(service.start())
    client.create_training_job(**sleep_job(0))
    wait_for_end(client, "fit-1")
    wait_until(lambda: list(service.home.jobs.iterdir()) == [])
    for directory, _, files in os.walk(service.home.data):
        for file in files:
            path = os.path.join(directory, file)
            if not path.startswith(str(service.home.store)):
                assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, path
        if os.path.dirname(directory) == str(service.home.data):
            assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700, directory
