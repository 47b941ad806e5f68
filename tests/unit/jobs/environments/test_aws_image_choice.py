"""An image of AWS's is found for region and instance type, and a wrong Python is told before anything is sent."""

from __future__ import annotations

import logging
import platform
from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote import Image
from sm_remote.aws.ecr_uri import EcrImage
from sm_remote.aws.registry import Registry
from sm_remote.errors import ConfigError
from sm_remote.image.definition import UriBase
from sm_remote.jobs.environments.aws_image_choice import (
    DESCRIPTION_LABEL,
    choose_default_image,
    find_image_python,
    find_region,
    name_image,
    propose,
    read_config_python,
)
from sm_remote.jobs.environments.image_choice import choose_image
from sm_remote.service.engines.docker import builds
from sm_remote.settings import ResolvedSettings, resolve_settings
from tests.fakes.ecr import FakeEcr

HERE = ".".join(platform.python_version().split(".")[:2])
HOME = "eu-west-1"
HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
AWS = "763104351884.dkr.ecr.eu-west-1.amazonaws.com"


def settings(**values: Any) -> ResolvedSettings:
    return resolve_settings({"target": "sagemaker", "instance_type": "ml.m5.large", **values})


def connect(ecr: FakeEcr | None = None, region: str = "eu-west-1") -> Any:
    return SimpleNamespace(
        training_jobs=SimpleNamespace(session=SimpleNamespace(region=region, client=lambda service: ecr)), home=None
    )


def test_region_and_instance_type_decide_which_image_it_is() -> None:
    image = Image.aws("pytorch", "2.5")
    assert name_image(image, settings(), HOME, "3.11") == f"{AWS}/pytorch-training:2.5.1-cpu-py311"
    gpu = settings(instance_type="ml.g5.xlarge")
    assert name_image(image, gpu, HOME, "3.11") == f"{AWS}/pytorch-training:2.5.1-gpu-py311"
    china = name_image(image, gpu, "cn-north-1", "3.11")
    assert str(china).startswith("727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/")


def test_steps_are_added_to_the_image_that_it_is() -> None:
    named = name_image(Image.aws("pytorch", "2.5").pip("rich"), settings(), HOME, "3.11")
    assert isinstance(named, Image)
    assert named.base == UriBase(uri=f"{AWS}/pytorch-training:2.5.1-cpu-py311")
    assert named.steps == Image.python("3.11").pip("rich").steps


def test_a_local_job_takes_the_region_of_the_settings_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    local = {"target": "local"}
    monkeypatch.setenv("AWS_DEFAULT_REGION", "af-south-1")
    assert find_region(settings(**local), connect()) == "af-south-1"
    assert find_region(settings(**local, region="sa-east-1"), connect()) == "sa-east-1"
    assert find_region(settings(), connect()) == HOME


def test_without_an_image_the_one_with_this_python_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sm_remote")
    uri, python = choose_image(settings(), connect())
    assert f"py{HERE.replace('.', '')}" in uri or f"python-{HERE.replace('.', '')}" in uri
    assert python.minor == HERE
    assert not python.same_as_host


def test_studios_own_image_has_this_python_already(monkeypatch: pytest.MonkeyPatch) -> None:
    own = f"{HOST}/studio:1"
    monkeypatch.setenv("SAGEMAKER_INTERNAL_IMAGE_URI", own)
    assert choose_default_image(settings(), HOME, "3.14") == own
    assert find_image_python(own, connect()) == "3.14"


def test_where_none_fits_the_error_says_how_to_have_one() -> None:
    with pytest.raises(ConfigError, match=r"keeps none with Python 3\.14 for ml\.m5\.large in eu-west-1") as caught:
        choose_default_image(settings(), HOME, "3.14")
    assert "sm-remote image build --push python:3.14" in caught.value.fix
    assert "Image.aws(" in caught.value.fix


def test_a_proposal_has_the_right_python_where_there_is_one() -> None:
    assert "Image.aws('base-python', '1.0'), which has Python 3.10" in propose(
        "3.10", region="eu-west-1", processor="cpu"
    )
    alike = propose("3.12", region="eu-west-1", processor="gpu", framework="tensorflow")
    assert "Image.aws('tensorflow', '2.21.0'), which has Python 3.12" in alike
    assert "Run this notebook on Python 3" in propose("3.14", region="eu-west-1", processor="cpu")
    assert "for the processor cpu" in propose("3.12", region="eu-west-1", processor="AWS Trainium")
    assert propose("3.12", region="nowhere-1", processor="cpu").startswith("AWS keeps")


def test_a_wrong_python_of_awss_is_refused_with_a_better_image() -> None:
    other = "310" if HERE != "3.10" else "311"
    with pytest.raises(ConfigError, match=rf"has Python 3\.{other[1:]}; this process") as caught:
        choose_image(settings(image_uri=f"{AWS}/pytorch-training:2.0.0-cpu-py{other}"), connect())
    assert f"which has Python {HERE}" in caught.value.fix


def test_an_image_of_ones_own_is_judged_by_its_configuration() -> None:
    ecr = FakeEcr()
    ecr.add_config("mine", "v1", {"config": {"Env": ["PATH=/bin", "PYTHON_VERSION=3.9.1"]}})

    def read_config(place: EcrImage) -> Any:
        return Registry(ecr).read_config(place, fetch=ecr.blobs.__getitem__)

    uri = f"{HOST}/mine:v1"
    assert find_image_python(uri, connect(), read_config=read_config) == "3.9"
    asked = len(ecr.calls)
    with pytest.raises(ConfigError, match=r"has Python 3\.9; this process"):
        choose_image(settings(image_uri=uri), connect())
    assert len(ecr.calls) == asked, "an image is asked about once"


def test_a_python_that_nothing_tells_is_said_once_and_left_to_the_job(caplog: pytest.LogCaptureFixture) -> None:
    ecr = FakeEcr()
    ecr.refuses = "BatchGetImage"
    for _ in range(2):
        _, python = choose_image(settings(image_uri=f"{HOST}/mine:unknown"), connect(ecr))
    assert python.minor == HERE
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "cannot be told from here" in line]) == 1


def test_an_image_of_another_region_is_not_asked_for() -> None:
    assert find_image_python(f"{HOST}/mine:elsewhere", connect(None, region="us-east-1")) is None


def test_the_engine_writes_the_label_that_is_read() -> None:
    assert builds._DESCRIPTION_LABEL == DESCRIPTION_LABEL


@pytest.mark.parametrize(
    ("config", "python"),
    [
        ({"config": {"Labels": {"sm_remote.image.description": "Image.python('3.12').pip('x')"}}}, "3.12"),
        ({"config": {"Labels": {"sm_remote.image.description": "Image.from_uri('x')"}, "Env": None}}, None),
        ({"config": {"Env": ["A=1", "PYTHON_VERSION=3.13.0rc1"]}}, "3.13"),
        ({"config": {"Env": ["PYTHON_VERSION=unknown"]}}, None),
        ({}, None),
    ],
)
def test_a_configuration_tells_the_python_that_was_written_there(config: dict[str, Any], python: str | None) -> None:
    assert read_config_python(config) == python
