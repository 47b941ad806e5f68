"""Code in a container has AWS credentials as from an execution role, where and only where the user says so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sm_remote.home import find_home
from sm_remote.service.storage.s3_server import S3Server
from tests.clients.conftest import BuildImage
from tests.clients.local_aws import BUCKET, LocalAws, start_local_aws, stop_local_aws
from tests.engines import record_interpreter

pytestmark = [pytest.mark.docker, pytest.mark.service, pytest.mark.slow]

LIST_DATA = (
    "import boto3; print([each['Key'] for each in "
    f"boto3.client('s3').list_objects_v2(Bucket='{BUCKET}', Prefix='data/')['Contents']])"
)
LOOK_AROUND = (
    "import os; print([name for name in os.environ if 'CREDENTIALS' in name or 'ENDPOINT' in name],"
    " os.path.exists('/opt/ml/.aws'))"
)


def run_python(code: str) -> dict[str, Any]:
    return {"ContainerEntrypoint": ["python3", "-c"], "ContainerArguments": [code]}


def test_a_job_reads_the_s3_server_with_the_containers_own_keys(
    aws: LocalAws, image: BuildImage, job_name: str
) -> None:
    done = aws.train(image("toolkit"), TrainingJobName=job_name, AlgorithmSpecification=run_python(LIST_DATA))
    assert aws.read_log(job_name)[-1] == "['data/data.csv']"
    secret = S3Server(aws.home.s3, None, "").address.container_keys.secret_key  # type: ignore[arg-type]
    assert secret not in repr((done, aws.read_log(job_name)))
    kept = [path for path in (aws.home.service, aws.home.jobs, aws.home.logs) for path in path.rglob("*")]
    holding = [path for path in kept if path.is_file() and secret.encode() in path.read_bytes()]
    assert holding == []


def test_a_job_without_a_network_gets_nothing(aws: LocalAws, image: BuildImage, job_name: str) -> None:
    aws.train(
        image("plain"),
        TrainingJobName=job_name,
        AlgorithmSpecification=run_python(LOOK_AROUND),
        EnableNetworkIsolation=True,
    )
    assert aws.read_log(job_name)[-1] == "[] False"


@pytest.fixture
def other_home(aws: LocalAws, image: BuildImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A service that uses somebody's S3 server by the standard chain: endpoint and a profile are the user's."""
    image("toolkit")
    keys = S3Server(aws.home.s3, None, "").address.container_keys  # type: ignore[arg-type]
    file = tmp_path / "credentials"
    file.write_text(
        f"[default]\naws_access_key_id = {aws.variables['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {aws.variables['AWS_SECRET_ACCESS_KEY']}\n"
        f"[jobs]\naws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws.variables["AWS_ENDPOINT_URL_S3"])
    home = find_home({"SM_REMOTE_HOME": str(tmp_path / "home")})
    record_interpreter(home)
    yield home
    stop_local_aws(home)


def test_a_job_has_no_credentials_until_a_profile_is_named(
    aws: LocalAws, image: BuildImage, other_home: Any, tmp_path: Path, job_name: str
) -> None:
    program = run_python(LIST_DATA)
    local = start_local_aws(other_home, tmp_path)
    failed = local.train(image("toolkit"), TrainingJobName=f"{job_name}-1", AlgorithmSpecification=program)
    assert failed["TrainingJobStatus"] == "Failed"
    log = local.read_log(f"{job_name}-1")
    assert any("Unable to locate credentials" in line for line in log)
    (advice,) = [line for line in log if "container_credentials is none" in line]
    assert "sm-remote service start --container-credentials profile:NAME" in advice

    local = start_local_aws(other_home, tmp_path, "--container-credentials", "profile:jobs")
    done = local.train(image("toolkit"), TrainingJobName=f"{job_name}-2", AlgorithmSpecification=program)
    assert done["TrainingJobStatus"] == "Completed", local.read_log(f"{job_name}-2")
    assert local.read_log(f"{job_name}-2")[-1] == "['data/data.csv']"


def test_access_that_is_denied_names_who_asked(
    aws: LocalAws, image: BuildImage, other_home: Any, tmp_path: Path, job_name: str
) -> None:
    """The service itself uses the standard chain for the user's buckets."""
    file = Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
    file.write_text("[default]\naws_access_key_id = AKIANOBODYKNOWS\naws_secret_access_key = wrong\n")
    local = start_local_aws(other_home, tmp_path)
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/"}
    with pytest.raises(Exception, match="AKIANOBODYKNOWS") as caught:
        local.train(
            image("plain"),
            TrainingJobName=job_name,
            InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
        )
    assert "shared-credentials-file" in str(caught.value)
    assert "wrong" not in str(caught.value)
