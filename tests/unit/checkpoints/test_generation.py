"""Which generations stay, and which a run goes on from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.checkpoints.generation import Generation, choose_kept, order_resumable
from sm_remote.checkpoints.manifest import GenerationManifest
from tests.unit.checkpoints.test_manifest import MANIFEST


def build(number: int, *, metric: float | None = None, job: str = "train-1") -> Generation:
    manifest: GenerationManifest = replace(MANIFEST, number=number, metric=metric, job=job)
    return Generation(directory=Path(f"{number:08d}-00000000"), manifest=manifest)


def keep(metrics, *, count=2, largest=False, arrived=None, predecessor=False):
    generations = [build(number, metric=metric) for number, metric in enumerate(metrics, 1)]
    return choose_kept(generations, keep=count, largest=largest, arrived=arrived, predecessor=predecessor)


@pytest.mark.parametrize(
    ("metrics", "options", "kept"),
    [
        ([None], {}, {1}),
        ([None, None, None], {}, {2, 3}),
        ([None, None, None], {"count": 1}, {3}),
        ([0.1, 0.5, 0.4], {}, {1, 3}),
        ([0.1, 0.5, 0.4], {"largest": True}, {2, 3}),
        ([0.5, 0.4, 0.1], {}, {2, 3}),  # the newest is the best: the one before it stays to fall back to
        ([0.1, 0.5, 0.4, 0.3], {"count": 3}, {1, 3, 4}),
        ([0.1, 0.5, 0.4, 0.3], {"predecessor": True}, {1, 3, 4}),
        ([0.1, 0.5, 0.4, 0.3], {"count": 1}, {4}),
        # Nothing has reached S3: the oldest waits for it, or each would be superseded before it arrives.
        ([None] * 6, {"arrived": set()}, {1, 5, 6}),
        ([None] * 6, {"arrived": {2}}, {2, 3, 5, 6}),
        ([None] * 6, {"arrived": {2, 4}}, {4, 5, 6}),
        ([None] * 6, {"arrived": {6}}, {5, 6}),
    ],
)
def test_the_newest_and_the_best_stay(metrics, options, kept):
    assert keep(metrics, **options) == kept


@given(
    st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=12),
    st.integers(1, 4),
    st.sets(st.integers(1, 12)),
)
def test_what_has_reached_s3_is_never_given_up_for_what_has_not(metrics, count, arrived):
    there = arrived & set(range(1, len(metrics) + 1))
    kept = keep(metrics, count=count, arrived=there)
    assert len(metrics) in kept
    assert not there or max(there) in kept
    assert len(kept) <= count + 2


def test_its_own_come_first_then_what_others_left_unfinished():
    generations = [build(1, job="a"), build(2, job="b"), build(3, job="me"), build(4, job="b"), build(5, job="me")]

    def order(**options):
        found = order_resumable(generations, **{"run": "me", "finished": 0, "resume": True, **options})
        return [each.manifest.number for each in found]

    assert order() == [5, 3, 4, 2, 1]
    assert order(finished=2) == [5, 3, 4]
    assert order(resume=False) == [5, 3]
    assert order(run="new", finished=5) == []
    assert order(run="new", resume=False) == []
