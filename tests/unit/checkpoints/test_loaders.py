"""Frameworks' loaders run in their safe modes unless the caller says otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from sm_remote.checkpoints.checkpoint import Checkpoint
from sm_remote.checkpoints.loaders import find_safe_mode
from tests.checkpoint_places import build_place


def test_numpy_is_told_not_to_unpickle(tmp_path):
    with Checkpoint("state", build_place(tmp_path)) as ckpt:
        np.save(ckpt.path / "good.npy", np.arange(3))
        np.save(ckpt.path / "code.npy", np.array([object()], dtype=object), allow_pickle=True)
        ckpt.save()
    with Checkpoint("state", build_place(tmp_path)) as ckpt:
        assert list(ckpt.load_file("good.npy", np.load)) == [0, 1, 2]
        with pytest.raises(ValueError, match="allow_pickle"):
            ckpt.load_file("code.npy", np.load)
        assert len(ckpt.load_file("code.npy", np.load, allow_pickle=True)) == 1


def test_a_loader_that_is_not_known_is_told_nothing():
    assert find_safe_mode(open) == {}
    assert find_safe_mode(object()) == {}  # type: ignore[arg-type]
