"""An image's key is that of its content: steps and the bytes of every file, wherever the files lie."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest

from sm_remote import Image
from sm_remote.errors import ConfigError
from sm_remote.home import Home
from sm_remote.image.context import BuildRecipe, build_recipe, is_ignored, list_context, read_rules, record_image

LOCAL = "sm-remote-local/python:3.11.7-0123456789ab"


def recipe(image: Image, *, local_base: str | None = LOCAL, has_apt: bool = True) -> BuildRecipe:
    return build_recipe(image, local_base=local_base, has_uv=True, has_apt=has_apt)


def test_equal_images_have_equal_keys_and_each_step_counts(tmp_path: Path) -> None:
    image = Image.python("3.11").pip("numpy")
    assert recipe(image).key == recipe(Image.python("3.11").pip("numpy")).key
    others = [
        image.pip("x"),
        image.env(A="1"),
        image.run("true"),
        image.apt("git"),
        Image.python("3.11").pip("numpy>1"),
    ]
    assert len({recipe(other).key for other in (image, *others)}) == 6
    assert recipe(image).uri == f"sm-remote-local/image:{recipe(image).key}"


def test_the_bytes_of_a_file_count_and_its_place_and_time_do_not(tmp_path: Path) -> None:
    keys = []
    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        folder = tmp_path / name
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "file").write_text(text)
        os.utime(folder / "sub" / "file", (len(keys), len(keys)))
        keys.append(recipe(Image.python("3.11").copy(folder, "/opt/x")).key)
    assert keys[0] == keys[1] != keys[2]
    (tmp_path / "a" / "sub" / "file").chmod(0o755)
    assert recipe(Image.python("3.11").copy(tmp_path / "a", "/opt/x")).key != keys[0]


def test_the_base_is_the_local_python_where_it_can_do_what_is_asked() -> None:
    plain, packages = Image.python("3.11"), Image.python("3.11").apt("ffmpeg")
    assert recipe(plain).bases == (LOCAL,)
    assert recipe(packages).apt == {".sm_remote/tools/apt-0": ("ffmpeg",)}
    assert recipe(packages, has_apt=False).bases == ("python:3.11-slim",)
    assert recipe(packages, local_base=None).apt == {}
    assert recipe(plain, local_base=None).bases == ("python:3.11-slim",)
    assert recipe(Image.from_uri("mine:1")).bases == ("mine:1",)


def test_what_is_copied_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gone, which is not there"):
        recipe(Image.python("3.11").copy(tmp_path / "gone", "/opt/x"))
    with pytest.raises(ConfigError, match="Dockerfile"):
        recipe(Image.from_dockerfile(tmp_path / "Dockerfile"))
    (tmp_path / "Dockerfile").write_text("FROM x")
    with pytest.raises(ConfigError, match="is not a directory"):
        recipe(Image.from_dockerfile(tmp_path / "Dockerfile", context=tmp_path / "gone"))


def test_a_dockerfiles_context_is_what_its_ignore_file_leaves(tmp_path: Path) -> None:
    for name in ("Dockerfile", "a.py", "data/big.bin", "data/keep.txt", "x/__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".dockerignore").write_text("# notes\ndata/*\n!data/keep.txt\n**/__pycache__\n")
    assert [name for name, _ in list_context(tmp_path)] == ["Dockerfile", "a.py", "data/keep.txt"]


@pytest.mark.parametrize(
    ("pattern", "name", "ignored"),
    [
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "x/a.pyc", False),
        ("**/*.pyc", "x/y/a.pyc", True),
        ("**/*.pyc", "a.pyc", True),
        ("data", "data/x/y", True),
        ("/data/", "data/x", True),
        ("data", "database", False),
        ("a?c", "abc", True),
        ("[ab].txt", "b.txt", True),
        ("a+b", "a+b", True),
    ],
)
def test_ignore_patterns_are_dockers(pattern: str, name: str, ignored: bool) -> None:
    assert is_ignored(name, read_rules([pattern])) is ignored


def test_the_record_is_written_once_and_holds_all_that_a_build_needs(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "tool.sh"
    file.write_text("echo")
    file.chmod(0o755)
    made = recipe(Image.python("3.11").copy(file, "/opt/tool").env(SECRET="word").pip("numpy"))
    directory = record_image(home, made)
    assert record_image(home, made) == directory
    assert sorted(path.name for path in directory.iterdir()) == ["context.tar", "image.json"]
    assert directory.stat().st_mode & 0o077 == 0
    content = json.loads((directory / "image.json").read_text())
    assert content["dockerfile"] == made.dockerfile
    with tarfile.open(directory / "context.tar") as tar:
        members = {member.name: member for member in tar}
    assert set(members) == {".sm_remote/copy-0/tool", ".sm_remote/install_packages.py"}
    assert members[".sm_remote/copy-0/tool"].mode == 0o755
    assert members[".sm_remote/copy-0/tool"].mtime == 0
