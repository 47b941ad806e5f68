"""What `sm-remote image build` may be given, and how images are listed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from sm_remote import Image
from sm_remote.cli.app import app
from sm_remote.cli.image_rendering import render_images, render_pruned
from sm_remote.cli.image_sources import load_image
from sm_remote.errors import ConfigError
from sm_remote.jobs.environments.built_images import BuiltImage
from tests.fakes.cli_world import NOW, build_world

FILE = """
from sm_remote import Image, remote
image = Image.python("3.11").apt("git")
@remote(image_uri=image)
def train(): ...
number = 3
"""


def test_a_dockerfile_or_its_directory_is_an_image(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM x")
    assert load_image(str(file)) == load_image(str(tmp_path)) == Image.from_dockerfile(file)
    assert load_image(str(file), tmp_path.parent) == Image.from_dockerfile(file, context=tmp_path.parent)


def test_a_bare_python_needs_no_file() -> None:
    assert load_image("python:3.12") == Image.python("3.12")


def test_awss_images_are_listed_for_a_region(tmp_path: Path) -> None:
    world = build_world(tmp_path, resolve=lambda: SimpleNamespace(region=None))
    asked = ["image", "list", "--aws", "--framework", "pytorch", "--python", "3.11", "--region", "eu-west-1"]
    text = CliRunner().invoke(app, asked, obj=world).output
    header, *rows, _, told = text.splitlines()
    assert header.split() == ["FRAMEWORK", "VERSION", "PYTHON", "FOR", "URI"]
    assert rows[0].split()[:2] == ["pytorch", "2.5.1"]
    assert all(".dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:" in row for row in rows)
    assert "image_uri=Image.aws('pytorch', '2.5.1')" in told
    listed = json.loads(CliRunner().invoke(app, [*asked, "--json"], obj=world).output)
    assert [(one["python"], one["image"].count("eu-west-1")) for one in listed] == [("3.11", 1)] * len(rows)
    nowhere = CliRunner().invoke(app, [*asked[:-1], "nowhere-1"], obj=world)
    assert "AWS keeps no such image in nowhere-1" in nowhere.output
    assert CliRunner().invoke(app, ["image", "list", "--python", "3.11"], obj=world).exit_code == 2
    assert "--framework is one of" in CliRunner().invoke(app, [*asked[:4], "caffe"], obj=world).output


def test_a_name_in_python_is_an_image_or_a_function_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images_of_a_test.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    for source in ("images_of_a_test.py:image", "images_of_a_test.py:train", "images_of_a_test:image"):
        assert load_image(source) == Image.python("3.11").apt("git")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nothing", "no Dockerfile"),
        ("nothing.py:image", "no file"),
        ("no_such_module_at_all:image", "cannot be imported"),
        ("images_of_a_test.py:number", "is no Image"),
        ("images_of_a_test.py:other", "is no Image"),
    ],
)
def test_what_is_no_image_is_told(source: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images_of_a_test.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=told) as caught:
        load_image(source)
    assert told != "is no Image" or caught.value.fix == "Images there: image."


def test_images_are_listed_and_removals_told() -> None:
    one = BuiltImage(
        uri="sm-remote-local/image:" + "a" * 24,
        description="Image.python('3.11').apt('git')",
        created=NOW - timedelta(hours=3),
        size_bytes=130 << 20,
    )
    assert render_images([one], now=NOW) == (
        "KEY           SIZE       BUILT    IMAGE\naaaaaaaaaaaa  130.0 MiB  3 h ago  Image.python('3.11').apt('git')\n"
    )
    packages = replace(one, description=f"Image.python('3.11').pip({', '.join(['numpy'] * 100)})")
    assert all(len(line) < 140 for line in render_images([packages], now=NOW).splitlines())
    assert render_images([], now=NOW) == "No image was built here.\n"
    text = render_pruned([one], [one])
    assert text.splitlines()[0].startswith("Removed sm-remote-local/image:aaaa")
    assert text.splitlines()[1].endswith("a container still needs it.")
    assert render_pruned([], []) == "Nothing to remove.\n"
