"""boto3 in a program that knows nothing but the variables: no endpoint, key or region in its code."""

from __future__ import annotations

import sys

import pytest

from tests.clients.conftest import BuildImage
from tests.clients.local_aws import ROOT, LocalAws

pytestmark = [pytest.mark.docker, pytest.mark.service, pytest.mark.slow]


def test_a_program_of_boto3_trains(aws: LocalAws, image: BuildImage, job_name: str) -> None:
    program = ROOT / "tests" / "clients" / "programs" / "plain_boto3.py"
    lines = aws.run(sys.executable, program, image("algorithm"), job_name).splitlines()
    assert lines == [
        "account 000000000000",
        "Completed",
        "epoch 0 loss=1.000",
        "epoch 1 loss=0.500",
        "model.tar.gz",
        "tags {'team': 'vision'}",
    ]
