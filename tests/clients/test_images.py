"""Images as people bring them to SageMaker run here as they are.

Source: SageMaker Developer Guide, "How Amazon SageMaker Runs Your Training Image", "Adapting your own training
container".
"""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from tests.clients.conftest import BuildImage
from tests.clients.local_aws import BUCKET, LocalAws

pytestmark = [pytest.mark.docker, pytest.mark.service, pytest.mark.slow]

TRAIN = {
    "ChannelName": "train",
    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/"}},
}


def read_model(aws: LocalAws, description: dict[str, Any]) -> dict[str, bytes]:
    """The files of a model archive, by name."""
    archive = io.BytesIO(aws.read_object(description["ModelArtifacts"]["S3ModelArtifacts"]))
    with tarfile.open(fileobj=archive) as files:
        return {each.name: files.extractfile(each).read() for each in files if each.isfile()}  # type: ignore[union-attr]


def check(description: dict[str, Any], aws: LocalAws) -> None:
    log = "\n".join(aws.read_log(description["TrainingJobName"]))
    assert description["TrainingJobStatus"] == "Completed", f"{description.get('FailureReason')}\n{log}"


def test_an_image_with_a_program_train(aws: LocalAws, image: BuildImage, job_name: str) -> None:
    done = aws.train(
        image("algorithm"), TrainingJobName=job_name, InputDataConfig=[TRAIN], HyperParameters={"epochs": "2"}
    )
    check(done, aws)
    assert read_model(aws, done) == {"rows": b"3"}
    assert aws.read_log(job_name)[-2:] == ["epoch 0 loss=1.000", "epoch 1 loss=0.500"]


@pytest.mark.parametrize(
    ("algorithm", "arguments"),
    [
        pytest.param({}, "['train']", id="its-own"),
        pytest.param({"ContainerArguments": ["a b", "--c"]}, "['a b', '--c']", id="arguments"),
    ],
)
def test_an_image_with_an_entrypoint(
    aws: LocalAws, image: BuildImage, job_name: str, algorithm: dict[str, Any], arguments: str
) -> None:
    done = aws.train(image("entrypoint"), TrainingJobName=job_name, AlgorithmSpecification=algorithm)
    check(done, aws)
    assert aws.read_log(job_name)[-1] == f"arguments {arguments} in /opt/program"


@pytest.mark.parametrize(
    ("algorithm", "line"),
    [
        pytest.param({"ContainerEntrypoint": ["/bin/echo", "x"]}, "x", id="entrypoint"),
        pytest.param(
            {"ContainerEntrypoint": ["/bin/sh", "-c"], "ContainerArguments": ["echo $PWD $TRAINING_JOB_NAME"]},
            "/opt/program request-replaces-both",
            id="both",
        ),
    ],
)
def test_a_request_replaces_an_images_entrypoint(
    aws: LocalAws, image: BuildImage, job_name: str, algorithm: dict[str, Any], line: str
) -> None:
    done = aws.train(image("entrypoint"), TrainingJobName=job_name, AlgorithmSpecification=algorithm)
    check(done, aws)
    assert aws.read_log(job_name)[-1].replace(job_name, "request-replaces-both") == line


def test_an_image_with_a_user_and_a_directory_of_its_own(aws: LocalAws, image: BuildImage, job_name: str) -> None:
    done = aws.train(
        image("own-user"),
        TrainingJobName=job_name,
        InputDataConfig=[TRAIN],
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints/{job_name}/"},
    )
    check(done, aws)
    assert aws.read_log(job_name)[-1] == "user 12345 in /srv/app read 3 rows"
    assert read_model(aws, done) == {"mine": b"3"}
    assert aws.read_object(f"s3://{BUCKET}/checkpoints/{job_name}/mine") == b"3"


def test_a_script_that_the_image_holds_below_opt_ml_code(aws: LocalAws, image: BuildImage, job_name: str) -> None:
    done = aws.train(
        image("toolkit-baked"), TrainingJobName=job_name, InputDataConfig=[TRAIN], HyperParameters={"epochs": "2"}
    )
    check(done, aws)
    assert "3 rows, epochs 2, here /opt/ml/code" in aws.read_log(job_name)
    assert read_model(aws, done)["rows"] == b"3"
