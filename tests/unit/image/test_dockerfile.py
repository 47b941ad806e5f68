"""Equal images give equal Dockerfiles, whatever is written in them."""

from __future__ import annotations

import json

import pytest

from sm_remote import Image
from sm_remote.image.dockerfile import BasePlan, render_dockerfile

LOCAL = "sm-remote-local/python:3.11.7-0123456789ab"


def plan(uri: str, *, uses_uv: bool = True, unpacks_apt: bool = False) -> BasePlan:
    return BasePlan(images=(uri,), opening=f"FROM {uri}", has_stages=True, uses_uv=uses_uv, unpacks_apt=unpacks_apt)


def test_steps_are_rendered_in_their_order() -> None:
    image = Image.python("3.11").apt("ffmpeg", "git").env(A="1").run("echo 'a b' > /x").env(B="2", C="3")
    assert render_dockerfile(image, plan("python:3.11-slim")) == (
        "FROM python:3.11-slim AS sm_remote_0\n"
        "RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ffmpeg git"
        " && rm -rf /var/lib/apt/lists/*\n"
        'ENV A="1"\n'
        'RUN ["/bin/sh", "-c", "echo \'a b\' > /x"]\n'
        'ENV B="2"\n'
        'ENV C="3"\n'
    )


def test_packages_are_installed_by_uv_in_a_stage_that_is_thrown_away() -> None:
    text = render_dockerfile(Image.python("3.11").pip("torch").pip("numpy>=2; python_version > '3'"), plan(LOCAL))
    lines = text.splitlines()
    stages = [line for line in lines if line.startswith("FROM ")]
    assert stages == [
        f"FROM {LOCAL} AS sm_remote_0",
        "FROM sm_remote_0 AS sm_remote_0_packages",
        "FROM sm_remote_0 AS sm_remote_1",
        "FROM sm_remote_1 AS sm_remote_1_packages",
        "FROM sm_remote_1 AS sm_remote_2",
    ]
    kept = text.split("AS sm_remote_2\n")[1]
    assert "tools" not in kept
    assert "ARG" not in kept
    assert json.dumps("numpy>=2; python_version > '3'") in text


def test_without_uv_the_images_own_pip_installs() -> None:
    text = render_dockerfile(Image.from_uri("mine:1").pip("numpy"), plan("mine:1", uses_uv=False))
    assert text.splitlines()[1] == 'RUN ["python3", "-m", "pip", "install", "--no-cache-dir", "numpy"]'


def test_debian_packages_for_a_base_without_apt_are_copied() -> None:
    text = render_dockerfile(Image.python("3.11").apt("ffmpeg"), plan(LOCAL, unpacks_apt=True))
    assert text.splitlines()[1:] == ["# ffmpeg, unpacked", "COPY .sm_remote/tools/apt-0/ /"]


def test_a_dockerfile_is_continued() -> None:
    base = BasePlan(
        images=(), opening="FROM a AS b\nFROM b\nUSER me\n\n", has_stages=False, uses_uv=False, unpacks_apt=False
    )
    image = Image.from_dockerfile("Dockerfile").env(A="1").pip("numpy")
    lines = render_dockerfile(image, base).splitlines()
    assert lines[:4] == ["FROM a AS b", "FROM b", "USER me", 'ENV A="1"']


@pytest.mark.parametrize(
    ("value", "rendered"),
    [("a b", '"a b"'), ('say "x"', '"say \\"x\\""'), ("$HOME", '"\\$HOME"'), ("C:\\x", '"C:\\\\x"'), ("", '""')],
)
def test_a_variables_value_is_taken_as_it_is(value: str, rendered: str) -> None:
    text = render_dockerfile(Image.python("3.11").env(A=value), plan(LOCAL))
    assert text.splitlines()[1] == f"ENV A={rendered}"
