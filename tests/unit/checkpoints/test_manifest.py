"""A manifest reads as it was written, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.checkpoints.manifest import MOST_OPENINGS, GenerationManifest, Opening
from sm_remote.wire.digest import BlobRef

MANIFEST = GenerationManifest(
    name="state",
    number=12,
    function="train",
    job="train-1",
    rank=0,
    ranks=1,
    step=1200,
    metric=0.25,
    saved_at=1.5e9,
    saving_s=0.5,
    saves=3,
    total_saving_s=1.25,
    files={
        "state.smr": BlobRef(digest="ab" * 32, size_bytes=7),
        "files/a/b.pt": BlobRef(digest="cd" * 32, size_bytes=5),
    },
    openings=(Opening(at=1.0, resumed_at=None, step=None), Opening(at=2.0, resumed_at=1.5, step=3)),
)


@pytest.mark.parametrize("metric", [None, 0.25, float("inf"), -1e300])
def test_it_reads_as_it_was_written(metric):
    manifest = replace(MANIFEST, metric=metric)
    assert GenerationManifest.from_json(manifest.to_json()) == manifest
    assert manifest.size_bytes == 12


@given(st.data())
def test_no_part_of_it_and_no_altered_one_is_taken(data):
    text = MANIFEST.to_json()
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    at, byte = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(0, 255))
    altered = text[:at] + bytes([byte]) + text[at + 1 :]
    for broken in (cut, altered):
        try:
            found = GenerationManifest.from_json(broken)
        except ValueError:
            continue
        assert found == MANIFEST  # white space, or the same byte


@pytest.mark.parametrize("path", ["../other", "/etc/passwd", "files/../../x", "", "files//a"])
def test_a_file_outside_of_the_generation_is_refused(path):
    manifest = replace(MANIFEST, files={path: BlobRef(digest="ab" * 32, size_bytes=1)})
    with pytest.raises(ValueError, match="outside"):
        GenerationManifest.from_json(manifest.to_json())


@pytest.mark.parametrize("text", [b"", b"[]", b"3", b"null", b"{}", b'{"seal": 1}', b"\xff"])
def test_what_is_no_manifest_is_refused(text):
    with pytest.raises(ValueError):
        GenerationManifest.from_json(text)


def test_it_stays_small_however_often_a_job_was_interrupted():
    opening = Opening(at=1.0, resumed_at=None, step=None)
    manifest = replace(MANIFEST, openings=(opening,) * (MOST_OPENINGS + 5))
    assert len(GenerationManifest.from_json(manifest.to_json()).openings) == MOST_OPENINGS
    assert "openings" in json.loads(manifest.to_json())
