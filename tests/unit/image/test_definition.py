"""An image is a value: each method gives another, and what cannot be is refused where it is written."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path

import pytest

from sm_remote import Image
from sm_remote.errors import ConfigError


def test_each_method_gives_another_image_and_leaves_this_one() -> None:
    base = Image.python("3.11")
    chained = base.apt("ffmpeg").pip("torch", "numpy>=2").run("ldconfig").env(A="1")
    assert base.steps == ()
    assert len(chained.steps) == 4
    assert chained == Image.python("3.11").apt("ffmpeg").pip("torch", "numpy>=2").run("ldconfig").env(A="1")
    assert hash(chained) != hash(base)
    with pytest.raises(dataclasses.FrozenInstanceError):
        chained.steps = ()  # type: ignore[misc]


def test_it_survives_pickling_and_copying(tmp_path: Path) -> None:
    image = Image.from_dockerfile(tmp_path / "Dockerfile").apt("git").env(A="1").copy(tmp_path, "/opt/x").run("make")
    assert pickle.loads(pickle.dumps(image)) == image == copy.deepcopy(image)
    aws = Image.aws("pytorch", "2.5", python="3.11").pip("rich")
    assert pickle.loads(pickle.dumps(aws)) == aws
    assert str(aws) == "Image.aws('pytorch', '2.5', python='3.11').pip('rich')"


def test_nothing_to_install_is_no_step() -> None:
    assert Image.python("3.11").apt().pip() == Image.python("3.11")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Image.python("3"),
        lambda: Image.python("3.11.7"),
        lambda: Image.python(3.11),  # type: ignore[arg-type]
        lambda: Image.aws("caffe"),
        lambda: Image.aws("pytorch", "latest"),
        lambda: Image.aws("pytorch", 2.5),  # type: ignore[arg-type]
        lambda: Image.aws("pytorch", "2.5", python="py311"),
        lambda: Image.from_uri("has a space"),
        lambda: Image.from_uri(""),
        lambda: Image.python("3.11").apt("ffmpeg; rm -rf /"),
        lambda: Image.python("3.11").apt("--force-yes"),
        lambda: Image.python("3.11").pip("--index-url=https://elsewhere"),
        lambda: Image.python("3.11").pip("numpy\nRUN evil"),
        lambda: Image.python("3.11").run("  "),
        lambda: Image.python("3.11").env(A="two\nlines"),
        lambda: Image.python("3.11").env(**{"A-B": "1"}),
        lambda: Image.python("3.11").copy("x", "relative/path"),
        lambda: Image.python("3.11").copy("x", "/opt/../etc"),
    ],
)
def test_what_cannot_be_a_part_of_an_image_is_refused_at_once(make) -> None:
    with pytest.raises(ConfigError, match="cannot be a part of an image") as caught:
        make()
    assert caught.value.why
    assert caught.value.fix


def test_its_text_is_what_one_writes_but_for_values_and_passwords(tmp_path: Path) -> None:
    image = Image.python("3.11").apt("git").env(TOKEN="secret").pip("x @ git+https://me:word@host/x.git")
    text = str(image.run("make").copy(tmp_path, "/opt/x"))
    assert text.startswith("Image.python('3.11').apt('git').env(TOKEN=...).pip('x @ git+https://***@host/x.git')")
    assert text.endswith(f".run('make').copy('{tmp_path}', '/opt/x')")


def test_a_file_goes_under_its_new_name_or_into_a_directory(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("a")
    steps = Image.python("3.11").copy(file, "/opt/b.txt").copy(file, "/opt/d/").copy(tmp_path, "/opt/e").steps
    assert [(step.folder, step.name) for step in steps] == [("/opt", "b.txt"), ("/opt/d", "a.txt"), ("/opt/e", None)]
