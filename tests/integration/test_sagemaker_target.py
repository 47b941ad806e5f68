"""With ``target="sagemaker"`` the client does as it does on AWS, against our own service and a real S3 server.

Nothing here knows of the local service but boto3's endpoint variables: the client polls, finds its account by STS,
stores everything in S3 and reads the log as CloudWatch's.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import botocore.handlers
import numpy as np
import pytest
from botocore import xform_name
from click.testing import CliRunner

from sm_remote import attach, get_future, list_futures, list_jobs, remote, replay
from sm_remote.aws.permissions import CALLER
from sm_remote.capture.interpreter import describe_interpreter, local_image_uri
from sm_remote.cli.app import app
from sm_remote.costs import Entry, Ledger
from sm_remote.errors import ConfigError, CorruptBlob, JobNotFound, MaxCostExceeded, OutcomeMissing
from sm_remote.home import LOCAL_ROLE_ARN, find_home, make_private, read_discovery, write_private
from sm_remote.wire.launch import read_manifest_digest
from sm_remote.wire.layout import blob_key, outcome_key
from sm_remote.wire.manifest import Manifest
from tests.cells import run_cell
from tests.fakes.service import wait_until

pytestmark = [pytest.mark.service, pytest.mark.s3, pytest.mark.slow]

OWNER = "111122223333"

ROOT = Path(__file__).parents[2]
CELL = """
@remote(instance_type="ml.m5.large")
def divide(x, y):
    print(f"dividing {x} by {y}")
    return x / y
"""

READ = """
@remote
def read():
    import os, struct
    with open(os.environ["SM_CHANNEL_FILES"] + "/sub/x.txt") as file:
        text = file.read()
    with open(os.environ["SM_CHANNEL_ARRAY"] + "/data.npy", "rb") as file:
        return text, struct.unpack("<d", file.read()[-8:])[0]
"""


@pytest.fixture
def s3_requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Every request for S3 that any client of this process sends, with the owner of the bucket that it names."""
    requests: list[tuple[str, str | None]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        requests.append((model.name, params["headers"].get("x-amz-expected-bucket-owner")))

    monkeypatch.setattr(
        botocore.handlers, "BUILTIN_HANDLERS", [*botocore.handlers.BUILTIN_HANDLERS, ("before-call.s3", note)]
    )
    return requests


@pytest.fixture(autouse=True)
def _calls_with_permissions(s3_requests: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever any client of this process asks of "AWS" stands in the table of permissions."""
    calls: set[str] = set()

    def note(model: Any, **_: Any) -> None:
        calls.add(f"{model.service_model.service_name}.{xform_name(model.name)}")

    monkeypatch.setattr(
        botocore.handlers, "BUILTIN_HANDLERS", [*botocore.handlers.BUILTIN_HANDLERS, ("before-call", note)]
    )
    yield
    assert "sagemaker.create_training_job" in calls or not calls
    assert calls <= {row.call for row in CALLER}


@pytest.fixture
def divide(
    s3_server: Any,
    isolated_state: None,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    s3_requests: list[tuple[str, str | None]],
) -> Iterator[Any]:
    """A function whose calls go to "AWS": the local service and the S3 server, with one pair of keys for both."""
    monkeypatch.setenv("SM_REMOTE_HOME", str(tmp_path_factory.mktemp("home-aws")))
    for name, value in {
        "AWS_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": s3_server.endpoint_url,
    }.items():
        monkeypatch.setenv(name, value)
    identity = {"owner": "tests", "access_key": s3_server.access_key, "secret_key": s3_server.secret_key}
    write_private(make_private(find_home().service) / "identity.json", json.dumps(identity))
    function = run_cell(CELL, {"__name__": "__main__", "remote": remote})["divide"]
    function(4, 2)  # a local call: it starts the service and leaves the record of this Python
    service = read_discovery(find_home())
    assert service is not None
    for name in ("SAGEMAKER", "CLOUDWATCH_LOGS", "STS", "IAM", "ECR", "SERVICE_QUOTAS", "PRICING"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", service.endpoint_url)
    monkeypatch.setenv("SM_REMOTE_BUCKET_OWNER", OWNER)
    yield function.options(
        target="sagemaker",
        role=LOCAL_ROLE_ARN.rpartition("/")[2],  # its name alone: IAM tells the rest
        image_uri=local_image_uri(describe_interpreter()),
        s3_root_uri=f"s3://{s3_server.bucket}/target-{time.time_ns()}",
    )
    with suppress(ProcessLookupError):
        os.kill(service.pid, signal.SIGTERM)  # it has a home of its own, and would stay until it is idle
    assert all(owner == OWNER for _, owner in s3_requests), s3_requests


def test_one_setting_moves_a_call_to_sagemaker(
    divide: Any,
    s3_requests: list[tuple[str, str | None]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    capsys.readouterr()
    assert divide(3, 2) == 1.5
    lines = capsys.readouterr().out.splitlines()
    assert "dividing 3 by 2" in lines
    (cost,) = [line for line in lines if line.startswith("sm_remote: cost: ")]
    assert "us-east-1, on demand; list price, date unknown" in cost
    with pytest.raises(ZeroDivisionError):
        divide(2, 0)
    assert {"PutObject", "HeadObject", "GetObject"} <= {operation for operation, _ in s3_requests}
    asked = ["doctor", "--target", "sagemaker", "--json"]
    monkeypatch.setenv("SM_REMOTE_ROLE", "any-role")
    monkeypatch.setenv("SM_REMOTE_S3_ROOT_URI", divide._arguments["s3_root_uri"])
    found = {each["name"]: each["state"] for each in json.loads(CliRunner().invoke(app, asked).stdout)}
    for name in ("region", "credentials", "sagemaker", "logs", "role", "pass role", "permissions", "bucket"):
        assert found[name] == "ok", found
    assert found["quotas"] == "warning"  # the local service knows none


def find_settled(name: str) -> Entry | None:
    """A job's entry in the ledger, once its cost is known."""
    entries = [entry for entry in Ledger(find_home()).list_since(0) if entry.is_charged and entry.state == "settled"]
    return next((entry for entry in entries if entry.name == name), None)


def find_lines_of_outcome(job: Any) -> list[str]:
    """The last lines of a job's log as a search of all logs has them, which is what many jobs at once ask for."""
    lines, _ = job._connection.training_jobs.search_logs('"sm_remote outcome"', start=job._look().creation_time)
    return [line.text for line in lines if line.stream.startswith(f"{job.name}/")]


def test_a_job_is_found_again_at_its_target_with_what_it_has_cost(divide: Any, s3_server: Any) -> None:
    job = divide.options(instance_type="ml.m5.xlarge", max_cost=0.05).submit(9, 3)
    assert job.result(timeout=120) == 3
    # $0.05 at $0.23 an hour, less the 120 s that a job has to stop.
    assert job.describe()["StoppingCondition"]["MaxRuntimeInSeconds"] == 662
    entry = wait_until(lambda: find_settled(job.name))  # what it has cost comes behind its value
    assert (entry.name, entry.function, entry.state, entry.status) == (job.name, "divide", "settled", "Completed")
    assert 0 < (entry.cost_usd or 0) < (entry.limit_usd or 0) <= 0.05
    with pytest.raises(MaxCostExceeded, match="is not known here"):
        divide.options(instance_type="ml.c5.4xlarge", max_cost=1)(1, 1)  # the local service tells no prices
    assert job.describe()["OutputDataConfig"]["S3OutputPath"].startswith(f"s3://{s3_server.bucket}/")
    again = attach(job.name, target="sagemaker")
    assert again.result(timeout=120) == 3
    assert "dividing 9 by 3" in list(again.logs())
    assert find_lines_of_outcome(job) == [job._connection.log_ends.read(job._look())[-1]]
    assert job.name in [row.name for row in list_jobs(target="sagemaker")]
    assert get_future(job.name, target="sagemaker").result(timeout=120) == 3
    assert job.name in [future.name for future in list_futures("divide", target="sagemaker")]
    with pytest.raises(JobNotFound, match="sagemaker"):
        attach("no-such-job", target="sagemaker")


def test_what_was_altered_in_s3_is_neither_loaded_nor_run(divide: Any, s3_server: Any) -> None:
    s3 = s3_server.client()
    root = divide._arguments["s3_root_uri"].removeprefix(f"s3://{s3_server.bucket}/")

    def place(key: str) -> dict[str, str]:
        return {"Bucket": s3_server.bucket, "Key": f"{root}/{key}", "ExpectedBucketOwner": OWNER}

    first = divide.submit(9, 3)
    assert first.result(timeout=120) == 3
    again = replay(first)
    assert again.result(timeout=120) == 3
    earlier = s3.get_object(**place(f"jobs/{outcome_key(first.name)}"))["Body"].read()
    s3.put_object(**place(f"jobs/{outcome_key(again.name)}"), Body=earlier)
    error = attach(again.name, target="sagemaker").exception(timeout=120)
    assert isinstance(error, OutcomeMissing)
    assert isinstance(error.__cause__, CorruptBlob)

    digest = read_manifest_digest(first.describe()["AlgorithmSpecification"]["ContainerArguments"])
    assert digest is not None
    manifest = Manifest.from_json(s3.get_object(**place(blob_key(digest)))["Body"].read())
    other = s3.get_object(**place(blob_key(manifest.one("arguments").digest)))["Body"].read()
    s3.put_object(**place(blob_key(manifest.one("function").digest)), Body=other)
    assert isinstance(replay(first).exception(timeout=120), CorruptBlob)


def test_data_of_this_machine_is_stored_once_and_read_by_the_job(divide: Any, s3_server: Any, tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "x.txt").write_text("7")
    inputs = {"files": tmp_path / "data", "array": np.array([5.0])}
    read = run_cell(READ, {"__name__": "__main__", "remote": remote})["read"]
    read = read.options(**{**divide._arguments, "inputs": inputs})
    assert read() == ("7", 5.0)
    root = read._arguments["s3_root_uri"].removeprefix(f"s3://{s3_server.bucket}/")
    where = {"Bucket": s3_server.bucket, "Prefix": f"{root}/inputs/", "ExpectedBucketOwner": OWNER}
    listed = s3_server.client().list_objects_v2(**where)["Contents"]
    assert sorted(each["Key"].split("/", 3)[3] for each in listed) == ["data.npy", "sub/x.txt"]


def use_settings_of(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has other programs find what the function was told as its settings."""
    for name in ("role", "image_uri", "s3_root_uri"):
        monkeypatch.setenv(f"SM_REMOTE_{name.upper()}", function._arguments[name])


def test_the_quickstart_has_a_twin_on_sagemaker(divide: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_settings_of(divide, monkeypatch)
    monkeypatch.setenv("SM_REMOTE_TARGET", "sagemaker")  # what lists the jobs at the end is no part of the session
    command = [sys.executable, ROOT / "examples" / "run_notebook.py", ROOT / "examples" / "quickstart_sagemaker.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"^Accuracy: (0\.\d+)$", done.stdout, re.MULTILINE)
    assert found is not None
    assert float(found[1]) > 0.95
    assert "digits: DataFrame of 1797 x 65 as data.csv" in done.stdout
    assert "ml.m5.xlarge on SageMaker: estimate unknown" in done.stdout
    assert "; $0.23 an hour (us-east-1, on demand" in done.stdout
    assert done.stdout.count("Completed train-") == 2


def verify(*, ceiling: str | None) -> subprocess.CompletedProcess[str]:
    """Runs what a person with an account runs, in an environment that leads to the stand-in."""
    environment = {**os.environ, **({} if ceiling is None else {"SM_REMOTE_TEST_AWS_MAX_USD": ceiling})}
    command = [sys.executable, "-m", "pytest", "-m", "aws", "-p", "no:cacheprovider", "scripts/aws/verify.py"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_verification_on_aws_works_and_leaves_nothing(
    divide: Any, s3_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_settings_of(divide, monkeypatch)
    done = verify(ceiling="2")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|skipped|failed|error)", done.stdout)}
    checks = (ROOT / "scripts" / "aws" / "verify.py").read_text()
    for_aws = checks.count('@pytest.mark.usefixtures("only_on_aws")')
    assert counts == {"passed": checks.count("\ndef test_") - for_aws, "skipped": for_aws}, done.stdout
    assert re.search(r"jobs: \d+; at list price \$\d\.\d+ of at most \$2\.00", done.stdout)
    root = divide._arguments["s3_root_uri"].removeprefix(f"s3://{s3_server.bucket}/")
    where = {"Bucket": s3_server.bucket, "ExpectedBucketOwner": OWNER}
    listed = s3_server.client().list_objects_v2(**where, Prefix=f"{root}/sm_remote-verify")
    assert listed["KeyCount"] == 0


def test_the_verification_on_aws_refuses_to_start_without_a_ceiling() -> None:
    done = verify(ceiling=None)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "This costs money" in done.stdout + done.stderr


@pytest.mark.parametrize("missing", ["role", "instance_type"])
def test_what_sagemaker_needs_to_know_is_asked_for_before_anything_is_sent(divide: Any, missing: str) -> None:
    with pytest.raises(ConfigError) as caught:
        divide.options(**{missing: None})(1, 1)
    assert caught.value.fix
