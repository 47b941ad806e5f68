from __future__ import annotations

import pytest

from sm_remote.capture.frameworks import image_wins, read_image_name
from sm_remote.errors import ConfigError

IMAGE = {"torch": "2.3.1+cu121", "pandas": "2.0.0", "numpy": "1.26.4"}


@pytest.mark.parametrize(
    ("name", "version", "wins"),
    [
        ("torch", "2.3.0+cpu", True),
        ("torch", "2.3.1", True),
        ("numpy", "1.26.4", True),
        ("pandas", "2.0.1", False),
        ("scipy", "1.0", False),
    ],
)
def test_a_framework_of_the_image_wins_when_major_and_minor_agree(name, version, wins):
    assert image_wins(name, version, IMAGE, "image") is wins


def test_a_framework_of_another_minor_version_is_a_choice():
    with pytest.raises(ConfigError, match=r"has torch 2\.3\.1\+cu121; here torch 2\.4\.0 is installed") as caught:
        image_wins("torch", "2.4.0", IMAGE, "repo:tag")
    assert "dependencies=[..., 'torch==2.3.1']" in caught.value.fix
    assert "torch==2.3.*" in caught.value.fix


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        (
            "1.dkr.ecr.x.amazonaws.com/pytorch-training:2.3.0-gpu-py311-cu121-ubuntu20.04",
            {"torch": "2.3.0"},
        ),
        ("1.dkr.ecr.x.amazonaws.com/tensorflow-training:2.16-cpu-py310", {"tensorflow": "2.16"}),
        ("1.dkr.ecr.x.amazonaws.com/mine:1.0", {}),
        ("python:3.11-slim", {}),
    ],
)
def test_the_name_of_a_deep_learning_container_says_its_framework(uri, found):
    assert read_image_name(uri) == found
