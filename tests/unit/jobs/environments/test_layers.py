"""Layers on this machine: what is in them, and which may go."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sm_remote.errors import ConfigError
from sm_remote.home import Home
from sm_remote.jobs.environments.layers import find_layer, list_layers, mark_used, remove_layer, select_removable
from sm_remote.storage.embedded import EmbeddedStore

NOW = datetime(2026, 11, 21, 9, 15, tzinfo=timezone.utc)


def make_layer(folder: Path, key: str, *, days: float) -> Path:
    path = folder / key
    (path / "numpy").mkdir(parents=True)
    (path / "numpy" / "__init__.py").write_bytes(b"x" * 100)
    (path / "numpy-2.4.6.dist-info").mkdir()
    used = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (used, used))
    return path


@pytest.fixture
def folder(home: Home) -> Path:
    return home.store / "sm-remote-local" / "sm_remote" / "layers"


def test_layers_of_every_root_and_of_the_cache_are_listed_the_last_used_first(home: Home, folder: Path) -> None:
    make_layer(folder, "a" * 32, days=2)
    make_layer(home.cache / "layers", "b" * 32, days=1)
    make_layer(home.store / "sm-remote-local" / "my" / "root" / "layers", "c" * 32, days=3)
    (folder / ".incoming-1").mkdir()
    (folder / "note").write_text("no layer")
    found = list_layers(home)
    assert [layer.key[0] for layer in found] == ["b", "a", "c"]
    assert found[0].distributions == ("numpy 2.4.6",)
    assert found[0].size_bytes == found[0].freed_bytes == 100


def test_files_that_are_linked_from_elsewhere_free_nothing(home: Home, folder: Path, tmp_path: Path) -> None:
    path = make_layer(folder, "a" * 32, days=1)
    os.link(path / "numpy" / "__init__.py", tmp_path / "installed.py")
    layer = list_layers(home)[0]
    assert (layer.size_bytes, layer.freed_bytes) == (100, 0)
    remove_layer(layer, home)
    assert (tmp_path / "installed.py").read_bytes() == b"x" * 100


def test_only_what_is_old_and_of_no_live_job_may_go(home: Home, folder: Path) -> None:
    for key, days in (("a", 40), ("b", 40), ("c", 10), ("d", 0.001)):
        make_layer(folder, key * 32, days=days)
    layers, live = list_layers(home), frozenset({"b" * 32})
    chosen = select_removable(layers, live, older_than=timedelta(days=30), now=NOW)
    assert [layer.key[0] for layer in chosen] == ["a"]
    everything = select_removable(layers, live, older_than=timedelta(0), now=NOW)
    assert [layer.key[0] for layer in everything] == ["c", "a"]


def test_a_removed_layer_is_gone_with_its_archive(home: Home) -> None:
    make_layer(home.cache / "layers", "a" * 32, days=1)
    archive = home.cache / "archives" / f"{'a' * 32}.tar"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"tar")
    remove_layer(find_layer(home, "aaa"), home)
    assert not list_layers(home)
    assert not archive.exists()


def test_a_key_may_be_cut_short_but_not_too_short(home: Home, folder: Path) -> None:
    for key in ("ab" * 16, "ac" * 16):
        make_layer(folder, key, days=1)
    assert find_layer(home, "ab").key == "ab" * 16
    for wrong in ("a", "zz"):
        with pytest.raises(ConfigError, match="begin"):
            find_layer(home, wrong)


def test_a_use_is_noted(home: Home, folder: Path) -> None:
    path = make_layer(folder, "a" * 32, days=40)
    store = EmbeddedStore(home.store, bucket="sm-remote-local", prefix="sm_remote")
    mark_used("a" * 32, store, home)
    mark_used("gone", store, home)
    mark_used(None, store, home)
    assert path.stat().st_mtime > NOW.timestamp() - 3600
