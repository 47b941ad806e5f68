"""What of a local path becomes a channel, and what is refused before anything is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sm_remote.capture.input_files import list_files
from sm_remote.errors import ConfigError

LIMIT = 1_000_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "da ta ü"
    (root / "a" / "b").mkdir(parents=True)
    (root / "z.csv").write_text("1,2\n")
    (root / "a" / "b" / "x'y.txt").write_text("deep")
    (root / "a" / ".hidden").write_bytes(b"")
    (root / "empty").mkdir()
    return root


def names(path: Path) -> list[str]:
    return [one.name for one in list_files("train", str(path), limit_bytes=LIMIT)]


def refusal(path: Path, *, limit_bytes: int = LIMIT) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        list_files("train", str(path), limit_bytes=limit_bytes)
    assert "'train'" in caught.value.what
    assert caught.value.fix
    return caught.value


def test_a_directorys_files_keep_their_paths(data: Path) -> None:
    assert names(data) == ["a/.hidden", "a/b/x'y.txt", "z.csv"]


def test_a_single_file_keeps_its_name(data: Path) -> None:
    assert names(data / "z.csv") == ["z.csv"]


def test_links_within_the_directory_are_followed(data: Path) -> None:
    (data / "again.csv").symlink_to("z.csv")
    (data / "more").symlink_to("a")
    assert names(data) == ["a/.hidden", "a/b/x'y.txt", "again.csv", "more/.hidden", "more/b/x'y.txt", "z.csv"]


def test_the_path_itself_may_be_a_link(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    assert len(names(tmp_path / "link")) == 3


@pytest.mark.parametrize("target", ["../secret", "/etc"])
def test_a_link_out_of_the_directory_is_refused_and_named(data: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("key")
    (data / "link").symlink_to(target)
    assert "leads out of the directory" in refusal(data).why
    assert str(data / "link") in refusal(data).why


def test_a_link_that_leads_nowhere_is_refused(data: Path) -> None:
    (data / "link").symlink_to("nothing")
    assert "link" in refusal(data).why


def test_a_link_to_what_it_lies_in_is_refused(data: Path) -> None:
    (data / "a" / "round").symlink_to("..")
    assert "a directory that it lies in" in refusal(data).why


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "nothing").why


@pytest.mark.parametrize("text", ["s3:/bucket/images", "S3://bucket/images"])
def test_a_place_in_s3_that_is_misspelled_is_told_apart(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        list_files("train", text, limit_bytes=1)
    assert caught.value.fix == "A place in S3 is written s3://bucket/prefix."


def test_an_empty_directory_is_refused(data: Path) -> None:
    assert "holds no file" in refusal(data / "empty").why


def test_a_pipe_is_refused(data: Path) -> None:
    os.mkfifo(data / "pipe")
    assert "neither a file nor a directory" in refusal(data).why
    assert "neither a file nor a directory" in refusal(data / "pipe").why


def test_more_than_the_limit_is_refused_and_says_how_to_raise_it(data: Path) -> None:
    assert "inputs_limit_bytes" in refusal(data, limit_bytes=5).fix
    assert "inputs_limit_bytes" in refusal(data / "z.csv", limit_bytes=3).fix


def test_the_home_directory_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(data))
    assert "home directory" in refusal(data).why


def test_a_name_that_no_key_can_have_is_refused(data: Path) -> None:
    os.close(os.open(os.fsencode(data) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    assert "not valid Unicode" in refusal(data).why
