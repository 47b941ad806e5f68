"""The table of AWS's images: every row can be used, and what is asked for is found or refused with the choices."""

from __future__ import annotations

import re

import pytest

from sm_remote.catalogue import (
    choose_default,
    find_framework,
    find_nearest,
    find_python,
    is_aws_image,
    list_frameworks,
    resolve_image,
    select_images,
)
from sm_remote.errors import ConfigError

TORCH = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training"


def default(python: str, *, processor: str = "cpu", region: str = "eu-west-1", **installed: str) -> str:
    found = choose_default(python=python, region=region, processor=processor, installed=installed)
    return found.expression if found else ""


def test_every_row_has_a_source_a_date_and_a_python() -> None:
    images = select_images()
    assert len(images) > 50
    for image in images:
        assert re.fullmatch(r"3\.1\d", image.python)
        assert image.source
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", image.date)
        assert image.processor in ("cpu", "gpu")
        assert all(re.fullmatch(r"\d{12}", account) for account, _ in image.accounts.values())


def test_no_two_rows_are_one_image() -> None:
    uris = [image.uri("us-east-1") for image in select_images(region="us-east-1")]
    assert len(uris) == len(set(uris))


def test_the_python_of_each_image_is_found_again_from_its_uri() -> None:
    for image in select_images(region="us-east-1"):
        assert find_python(image.uri("us-east-1") or "") == image.python


@pytest.mark.parametrize(
    ("uri", "python"),
    [
        (f"{TORCH}:2.5.1-gpu-py311", "3.11"),
        (f"{TORCH}:9.9.0-gpu-py314-cu150-ubuntu26.04-sagemaker", "3.14"),  # newer than the table
        (f"{TORCH}:1.8.0-cpu-py3", None),
        (f"{TORCH.replace('763104351884', '111122223333')}:2.5.1-gpu-py311", None),  # somebody's own
        ("python:3.11-slim", None),
    ],
)
def test_only_images_in_awss_own_registries_are_judged_by_name(uri: str, python: str | None) -> None:
    assert find_python(uri) == python


def test_a_framework_is_told_by_the_repository() -> None:
    assert find_framework(f"{TORCH}:1.0.0-cpu-py36") == "pytorch"
    assert find_framework("python:3.11-slim") is None


def test_an_account_counts_in_its_own_region_alone() -> None:
    assert is_aws_image(f"{TORCH}:2.5.1-gpu-py311")
    assert not is_aws_image(f"{TORCH.replace('eu-west-1', 'af-south-1')}:2.5.1-gpu-py311")


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("processor", ["cpu", "gpu"])
def test_there_is_a_default_for_each_python_that_aws_has(python: str, processor: str) -> None:
    found = choose_default(python=python, region="eu-west-1", processor=processor, installed={})
    assert found is not None
    assert (found.python, found.processor) == (python, processor)


def test_a_plain_python_is_preferred_unless_a_framework_is_here() -> None:
    assert default("3.10") == "Image.aws('base-python', '1.0')"
    assert default("3.10", torch="2.1.2+cpu") == "Image.aws('pytorch', '2.1.0')"
    assert default("3.12", torch="2.7.0") == "Image.aws('pytorch', '2.7.1')"
    assert default("3.12", tensorflow="2.19.1") == "Image.aws('tensorflow', '2.19.0')"
    assert default("3.10", torch="1.0") == "Image.aws('base-python', '1.0')"


def test_where_none_fits_there_is_no_default_but_a_nearest() -> None:
    assert default("3.14") == ""
    assert default("3.12", processor="AWS Trainium") == ""
    (nearest, *_) = find_nearest(python="3.14", region="eu-west-1", processor="cpu")
    assert nearest.processor == "cpu"
    assert find_nearest(python="3.12", region="eu-west-1", processor="AWS Trainium")[0].python == "3.12"


def test_a_version_may_be_its_beginning() -> None:
    found = resolve_image("pytorch", "2.5", None, region="eu-west-1", processor="gpu", here="3.12")
    assert found.uri("eu-west-1") == f"{TORCH}:2.5.1-gpu-py311"
    newest = resolve_image("pytorch", None, None, region="eu-west-1", processor="cpu", here="3.11")
    assert newest.python == "3.11"
    assert resolve_image("pytorch", "2.10", None, region="eu-west-1", processor="cpu", here="3.11").version == "2.10.0"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("pytorch", "7.1", None), "for version 7.1"),
        (("pytorch", "2.5", "3.12"), "for Python 3.12"),
        (("huggingface", None, None), "for the processor cpu"),
        (("autogluon", None, None), "for the region ap-east-2"),
    ],
)
def test_what_aws_does_not_have_is_refused_with_what_there_is(asked, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        resolve_image(*asked, region="ap-east-2", processor="cpu", here="3.11")
    assert caught.value.why.startswith("There are: ")
    assert "sm-remote image list --aws" in caught.value.fix


def test_frameworks_are_listed_once() -> None:
    assert sorted(list_frameworks()) == ["autogluon", "base-python", "huggingface", "pytorch", "tensorflow"]


def test_china_has_a_domain_of_its_own() -> None:
    (found, *_) = select_images(framework="pytorch", region="cn-north-1")
    assert ".dkr.ecr.cn-north-1.amazonaws.com.cn/" in (found.uri("cn-north-1") or "")
