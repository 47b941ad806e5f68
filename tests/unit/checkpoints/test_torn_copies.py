"""SageMaker copies files, not snapshots: whatever subset has arrived, what is loaded is one whole state."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sm_remote.checkpoints.checkpoint import Checkpoint
from tests.checkpoint_places import build_place, copy_torn


def build_state(step: int) -> dict[str, bytes | int]:
    return {"step": step, "weights": bytes([step % 251]) * (1000 + step)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a job has on its disk after nine generations, of which four stay."""
    directory = tmp_path_factory.mktemp("saved")
    with Checkpoint("state", build_place(directory), keep=4) as ckpt:
        for step in range(9):
            (ckpt.path / "part-1").write_bytes(bytes([step]) * 100)
            (ckpt.path / "part-2").write_bytes(bytes([step]) * 100)
            ckpt.save(build_state(step), step=step, metric=abs(step - 3))
    return directory


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.booleans())
def test_any_part_of_it_in_any_order_gives_a_whole_state_or_the_default(saved, tmp_path, seed, progress, tear):
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy_torn(saved, copy, seed=seed, progress=progress, tear=tear)
    whole = {int(path.parent.name[:8]) - 1 for path in copy.rglob("manifest.json") if _is_like(path.parent, saved)}
    with Checkpoint("state", build_place(copy)) as ckpt:
        state = ckpt.load(default=None)
        if not whole:
            assert state is None
            return
        step = max(whole)
        assert state == build_state(step)
        assert ckpt.restored is not None
        assert {path.read_bytes() for path in ckpt.restored.iterdir()} == {bytes([step]) * 100}
        ckpt.save(build_state(100), step=100)
    with Checkpoint("state", build_place(copy)) as ckpt:
        assert ckpt.load() == build_state(100)


def _is_like(generation: Path, saved: Path) -> bool:
    """Whether all files of a generation are there, each with the bytes that were saved."""
    source = saved / "state" / generation.name
    files = [path for path in source.rglob("*") if path.is_file()]
    return all(
        (generation / path.relative_to(source)).is_file()
        and (generation / path.relative_to(source)).read_bytes() == path.read_bytes()
        for path in files
    )
