"""The SageMaker Python SDK v2 as it is, pointed here by environment variables alone."""

from __future__ import annotations

import io
import tarfile

import pytest

from tests.clients.conftest import BuildImage
from tests.clients.local_aws import LocalAws

pytestmark = [pytest.mark.docker, pytest.mark.service, pytest.mark.slow]


def read_model(aws: LocalAws, uri: str, name: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(aws.read_object(uri))) as archive:
        file = archive.extractfile(name)
        assert file is not None
        return file.read().decode()


def test_an_estimator_trains_and_shows_the_log(aws: LocalAws, image: BuildImage) -> None:
    """`Estimator.fit`: an algorithm's image, and script mode with a source directory and its requirements."""
    found, output = aws.run_program("sdk2", "v2_estimator.py", image("algorithm"), image("toolkit"))
    algorithm, script = found
    assert "epoch 4 loss=0.200" in output
    assert output.count("Completed - Training job completed") == 2
    assert read_model(aws, algorithm["model"], "rows") == "3"
    model = read_model(aws, script["model"], "result.toml")
    expected = {
        "rows": "3",
        "model": '"cnn"',
        "batch_size": "8",
        "hyperparameter": '"5"',
        "here": '"/opt/ml/code"',
        "shouted": '"DONE!"',
    }
    assert dict(line.split(" = ") for line in model.splitlines()) == expected
    client = aws.client("sagemaker")
    done = client.describe_training_job(TrainingJobName=script["job"])
    assert {each["MetricName"]: each["Value"] for each in done["FinalMetricDataList"]} == pytest.approx({"loss": 0.2})
    curve = script["curve"]
    assert set(curve["metric_name"]) == {"loss"}
    assert all(0.2 <= value <= 1.0 for value in curve["value"])


def test_remote_functions_give_their_value_or_their_error(aws: LocalAws, image: BuildImage) -> None:
    """`@remote` and `RemoteExecutor`: the job has the credentials and the S3 endpoint that it needs."""
    found, output = aws.run_program("sdk2", "v2_remote.py", image("sdk2"))
    assert found == {"quotient": 2.5, "square": 49, "error": "ZeroDivisionError: division by zero"}
    assert "dividing 10 by 4" in output
