"""`sm-remote layers` and `sm-remote diff`, as text and as JSON."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sm_remote.capture.compile_layer import DONE_FILE
from sm_remote.cli.app import app
from sm_remote.cli.world import World
from tests.fakes.cli_world import NOW, build_answer, build_world


def run(world: World, *words: str) -> Result:
    return CliRunner().invoke(app, words, obj=world)


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    folder = tmp_path / "store" / "sm-remote-local" / "sm_remote" / "layers"
    for key, days in (("a" * 32, 40), ("b" * 32, 50), ("c" * 32, 1)):
        for name in ("numpy-2.4.6", "pandas-3.0", "six-1.17", "tzdata-2025"):
            (folder / key / f"{name}.dist-info").mkdir(parents=True)
        (folder / key / "numpy.py").write_bytes(b"x" * 2048)
        used = (NOW - timedelta(days=days)).timestamp()
        if key[0] == "c":
            (folder / key / DONE_FILE).touch()
        os.utime(folder / key, (used, used))
    return folder


def test_layers_are_a_table(tmp_path: Path, layers: Path) -> None:
    lines = run(build_world(tmp_path), "layers", "list").stdout.splitlines()
    assert lines == [
        "KEY           SIZE     BYTECODE  USED        PACKAGES",
        "cccccccccccc  2.0 KiB  complete  1 d ago     numpy, pandas, six and 1 more",
        "aaaaaaaaaaaa  2.0 KiB  0 %       2026-10-12  numpy, pandas, six and 1 more",
        "bbbbbbbbbbbb  2.0 KiB  0 %       2026-10-02  numpy, pandas, six and 1 more",
        "6.0 KiB are on disk for layers alone; the rest is linked to files that are elsewhere too.",
    ]


def test_layers_are_json_for_programs(tmp_path: Path, layers: Path) -> None:
    found = json.loads(run(build_world(tmp_path), "layers", "list", "--json").stdout)
    assert found[0] == {
        "key": "c" * 32,
        "path": str(layers / ("c" * 32)),
        "size_bytes": 2048,
        "freed_bytes": 2048,
        "last_used": "2026-11-20T09:15:00Z",
        "is_compiled": True,
        "modules": 1,
        "compiled": 0,
        "distributions": ["numpy 2.4.6", "pandas 3.0", "six 1.17", "tzdata 2025"],
    }


def test_no_layers_are_said(tmp_path: Path) -> None:
    assert "There are no layers" in run(build_world(tmp_path), "layers", "list").stdout


def test_one_layer_is_shown_with_its_packages(tmp_path: Path, layers: Path) -> None:
    text = run(build_world(tmp_path), "layers", "show", "aaa").stdout
    assert "a" * 32 in text
    assert "0 %, 0 of 1 modules" in text
    assert text.endswith("packages (4)\n  numpy 2.4.6\n  pandas 3.0\n  six 1.17\n  tzdata 2025\n")
    assert run(build_world(tmp_path), "layers", "show", "zz").exit_code == 1


def test_prune_leaves_the_layers_of_live_jobs(tmp_path: Path, layers: Path) -> None:
    uri = f"s3://sm-remote-local/sm_remote/layers/{'a' * 32}/"
    channel = {"ChannelName": "sm_remote_layer", "DataSource": {"S3DataSource": {"S3Uri": uri}}}
    world = build_world(tmp_path, build_answer("train-1", "InProgress", InputDataConfig=[channel]))
    text = run(world, "layers", "prune").stdout
    assert text == "Removed bbbbbbbbbbbb (numpy, pandas, six and 1 more).\n1 removed, 2.0 KiB freed.\n"
    assert sorted(path.name[0] for path in layers.iterdir()) == ["a", "c"]
    assert run(world, "layers", "prune", "--older-than", "0").exit_code == 0
    assert [path.name[0] for path in layers.iterdir()] == ["a"]
    assert run(world, "layers", "prune", "--older-than", "0").stdout == "Nothing to remove.\n"
