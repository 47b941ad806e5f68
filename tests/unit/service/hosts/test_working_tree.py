"""What an ended job holds is removed, or put aside with a word where it belongs to another user."""

from __future__ import annotations

import logging

import pytest

from sm_remote.home import Home
from sm_remote.service.hosts.working_tree import clear_away, find_tree


def test_a_tree_is_removed_without_a_word(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    find_tree(home, "fit-1", 1, "algo-1").create()
    clear_away(home.jobs / "fit-1", home)
    assert list(home.jobs.iterdir()) == []
    assert not home.leftovers.exists()
    assert caplog.records == []


def test_files_of_another_user_are_put_aside_and_the_log_says_how_to_remove_them(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    tree = find_tree(home, "fit-1", 1, "algo-1")
    tree.create()
    (tree.model / "weights").write_bytes(b"w")
    with caplog.at_level(logging.WARNING, "sm_remote.service"):
        clear_away(home.jobs / "fit-1", home, remove=lambda directory: None)
    assert list(home.jobs.iterdir()) == []
    (aside,) = home.leftovers.iterdir()
    assert (aside / "fit-1" / "a1" / "algo-1" / "model" / "weights").exists()
    assert caplog.messages == [
        f"What a container wrote, as another user or very deep, stays. Remove it: sudo rm -rf -- {aside}"
    ]
