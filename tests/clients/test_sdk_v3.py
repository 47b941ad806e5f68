"""The SageMaker Python SDK v3 as it is, pointed here by environment variables alone."""

from __future__ import annotations

import pytest

from tests.clients.conftest import BuildImage
from tests.clients.local_aws import LocalAws

pytestmark = [pytest.mark.docker, pytest.mark.service, pytest.mark.slow]


def test_a_model_trainer_trains_and_shows_the_log(aws: LocalAws, image: BuildImage) -> None:
    """`ModelTrainer.train`, with the role's check by IAM that comes first."""
    found, output = aws.run_program("sdk3", "v3_trainer.py", image("plain"))
    assert found["status"] == "Completed"
    assert "3 rows, 3 epochs on algo-1" in output
    done = aws.client("sagemaker").describe_training_job(TrainingJobName=found["job"])
    assert done["AlgorithmSpecification"]["ContainerEntrypoint"] == ["/bin/bash"]
    assert aws.read_object(done["ModelArtifacts"]["S3ModelArtifacts"])


def test_remote_functions_give_their_value_or_their_error(aws: LocalAws, image: BuildImage) -> None:
    found, output = aws.run_program("sdk3", "v3_remote.py", image("sdk3"))
    assert found == {"quotient": 2.5, "error": "ZeroDivisionError: division by zero"}
    assert "dividing 10 by 4" in output
