"""SageMaker on a bad day: throttled, cut off, out of capacity, with credentials that expire. No job is lost or doubled.

The client is connected to "AWS" by boto3's endpoint variables, which name a proxy before the real service; the engine
is a fake, for it has nothing to do with this.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sm_remote.errors import CredentialsExpired, SubmitError
from sm_remote.home import Home
from sm_remote.jobs.attach import attach_through
from sm_remote.jobs.connection import Connection, connect
from sm_remote.jobs.succession.chain import Chain
from sm_remote.jobs.succession.plan import Plan, write_plan
from tests.fakes.engine import FakeContainer, FakeEngine
from tests.fakes.service import build_request, serve
from tests.fault_proxy import EXPIRED, NO_CAPACITY, THROTTLE, Call, Delay, Fault, FaultProxy, Lose, Reset, Rewrite
from tests.fault_proxy import run_fault_proxy as run_proxy

pytestmark = [pytest.mark.slow]


class Cloud:
    """AWS as these tests have it."""

    def __init__(self, proxy: FaultProxy, engine: FakeEngine, home: Home, credentials: Path) -> None:
        self.proxy, self.engine, self.home, self._credentials = proxy, engine, home, credentials

    def sign_in(self, access_key: str) -> None:
        """What `aws sso login` leaves behind, in a way: other keys in the profile."""
        self._credentials.write_text(f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = secret\n")

    def sign_out(self) -> None:
        """What is left of a profile that was removed."""
        self._credentials.unlink()

    def connect(self) -> Connection:
        return connect(target="sagemaker", home=self.home, region="us-east-1")


@pytest.fixture
def cloud(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    engine = FakeEngine()
    with serve(home, engine) as service, run_proxy(service) as proxy:
        for name in ("SAGEMAKER", "CLOUDWATCH_LOGS", "STS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", proxy.endpoint_url)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        found = Cloud(proxy, engine, home, tmp_path / "credentials")
        found.sign_in("FIRST")
        yield found


def build_job(name: str) -> dict[str, Any]:
    image = {"TrainingImage": "my-image", "TrainingInputMode": "File", "ContainerArguments": [f"manifest of {name}"]}
    return build_request(name, AlgorithmSpecification=image)


def test_of_fifty_threads_each_has_exactly_its_own_job(cloud: Cloud) -> None:
    chance = random.Random(3)

    def fail(call: Call) -> Fault | None:
        if call.operation != "CreateTrainingJob":
            return None
        drawn = chance.random()
        return Lose() if drawn < 0.3 else Reset() if drawn < 0.4 else THROTTLE if drawn < 0.45 else None

    cloud.proxy.script = fail
    api = cloud.connect().training_jobs
    names = [f"fit-{number}" for number in range(50)]
    with ThreadPoolExecutor(50) as threads:
        arns = list(threads.map(lambda name: api.create(build_job(name)), names))
    assert [arn.rpartition("/")[2] for arn in arns] == names
    assert sorted(row.name for row in api.list_all()) == sorted(names)
    assert len([call for call in cloud.proxy.calls if call.operation == "CreateTrainingJob"]) > 50


def test_a_job_is_waited_for_and_its_log_read_through_everything(cloud: Cloud) -> None:
    may_end = threading.Event()

    def play(container: FakeContainer) -> int:
        for number in range(3):
            container.print(f"line {number}")
        assert may_end.wait(300)
        container.print("the last line")
        return 0

    def fail(call: Call) -> Fault | None:
        if call.number in (1, 3):
            return THROTTLE
        if call.number == 4:
            return Lose()
        if call.number == 5:
            return Reset()
        return Delay(0.3) if call.operation == "GetLogEvents" and call.number == 6 else None

    cloud.engine.play = play
    connection = cloud.connect()
    connection.training_jobs.create(build_job("fit"))
    cloud.proxy.script = fail
    job = attach_through(connection, "fit")
    log = job.logs(follow=True)
    lines = [next(log) for _ in range(4)]
    may_end.set()
    lines += list(log)
    assert lines[1:] == [*(f"line {number}" for number in range(3)), "the last line"]
    assert job.result(300) is None


def test_credentials_that_expire_mid_job_do_not_lose_it(cloud: Cloud) -> None:
    may_end = threading.Event()
    cloud.engine.play = lambda container: 0 if may_end.wait(300) else 1
    connection = cloud.connect()
    connection.training_jobs.create(build_job("fit"))
    job = attach_through(connection, "fit")
    cloud.proxy.script = lambda call: EXPIRED if call.access_key == "FIRST" else None
    for leave in (lambda: None, cloud.sign_out):
        leave()
        with pytest.raises(CredentialsExpired, match="attach\\('fit'\\)"):
            job.result(300)
    with pytest.raises(CredentialsExpired):
        attach_through(connection, "fit")
    may_end.set()
    cloud.sign_in("SECOND")
    assert job.result(300) is None
    assert attach_through(connection, "fit").result(300) is None


def test_what_the_api_refuses_or_tells_otherwise_reaches_the_caller(cloud: Cloud) -> None:
    api = cloud.connect().training_jobs
    cloud.proxy.script = lambda call: NO_CAPACITY if call.operation == "CreateTrainingJob" else None
    with pytest.raises(SubmitError, match="0 Instances") as caught:
        api.create(build_job("fit"))
    assert caught.value.facts["code"] == "ResourceLimitExceeded"
    cloud.proxy.script = lambda call: Rewrite(lambda answer: answer | {"FailureReason": "CapacityError: no more"})
    api.create(build_job("fit"))
    assert api.describe("fit").failure_reason == "CapacityError: no more"


def test_a_call_goes_on_through_refusals_and_lost_answers_with_one_job_for_each_attempt(cloud: Cloud) -> None:
    faults: dict[int, Fault] = {1: NO_CAPACITY, 2: Lose(), 3: Lose(), 4: Reset()}
    cloud.proxy.script = lambda call: faults.get(call.number) if call.operation == "CreateTrainingJob" else None
    may_end = threading.Event()
    codes = [1, 0]
    cloud.engine.play = lambda container: codes.pop(0) if may_end.wait(300) else 1
    connection = cloud.connect()
    plan = Plan(types=("ml.m5.2xlarge", "ml.m5.large"), retry_on=("JobFailed",), tries=2)
    request = build_job("fit") | {"Environment": {"SM_REMOTE_SUCCESSION": write_plan(plan)}}
    chain = Chain(connection)
    chain.create(request)
    assert chain.placed_on == connection.training_jobs.describe("fit").instance_type == "ml.m5.large"
    jobs = [attach_through(connection, "fit") for _ in range(2)]
    may_end.set()
    assert [job.result(300) for job in jobs] == [None, None]
    assert {(job.name, job.earlier_names) for job in jobs} == {("fit-2", ("fit",))}
    assert sorted(row.name for row in connection.training_jobs.list_all()) == ["fit", "fit-2"]
    causes = [(each.instance_type, each.cause) for each in jobs[0].attempts]
    assert causes == [("ml.m5.2xlarge", "no quota"), ("ml.m5.large", "JobFailed"), ("ml.m5.large", "Completed")]
