from __future__ import annotations

import array
import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sm_remote.wire.digest import BlobRef, digest_bytes
from sm_remote.wire.payload import EXTERNAL_FROM_BYTES, load_value, pickle_value, scan_globals

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)
GOLDEN = Path(__file__).parent / "golden" / "v1"


class Blobs:
    """Keeps external buffers as files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def put(self, view: memoryview) -> BlobRef:
        ref = BlobRef(digest=digest_bytes(view), size_bytes=view.nbytes)
        self.find(ref.digest).write_bytes(view)
        return ref

    def find(self, digest: str) -> Path:
        return self.directory / digest


def round_trip(tmp_path: Path, value: object, *, before: bytes = b"") -> object:
    file = io.BytesIO()
    assert pickle_value(value, file) == ()
    path = tmp_path / "payload"
    path.write_bytes(before + file.getvalue())
    return load_value(path, offset=len(before))


@settings(max_examples=40, deadline=None)
@given(value=PLAIN)
def test_what_is_written_is_read(tmp_path_factory, value):
    assert round_trip(tmp_path_factory.getbasetemp(), value) == value


@pytest.mark.parametrize("before", [b"", b"x" * 64])
def test_buffers_are_out_of_band_aligned_and_writeable(tmp_path, before):
    value = [np.arange(5), np.zeros(0), np.ones((3, 4), order="F"), bytearray(b"x"), np.array(7.0)]
    back = round_trip(tmp_path, value, before=before)
    for sent, came in zip(value, back, strict=True):
        assert np.array_equal(sent, came)
        if isinstance(came, np.ndarray) and came.size:
            assert came.ctypes.data % 64 == 0
            assert came.flags.writeable
    back[0][0] = 99
    assert load_value(tmp_path / "payload", offset=len(before))[0][0] == 0, "the mapping is private"


def test_a_value_outlives_its_file(tmp_path):
    back = round_trip(tmp_path, np.arange(100_000))
    (tmp_path / "payload").unlink()
    assert back[-1] == 99_999


def test_the_same_array_twice_is_written_once_and_stays_one_array(tmp_path):
    one = np.arange(1000)
    back = round_trip(tmp_path, [one, one])
    assert back[0] is back[1]
    assert (tmp_path / "payload").stat().st_size < 10_000


def test_large_buffers_are_objects_of_their_own_where_somebody_keeps_them(tmp_path):
    blobs = Blobs(tmp_path)
    large, small = np.arange(EXTERNAL_FROM_BYTES // 8), np.arange(3)
    file = io.BytesIO()
    refs = pickle_value({"large": large, "copy": large.copy(), "small": small}, file, put_buffer=blobs.put)
    assert [ref.size_bytes for ref in refs] == [EXTERNAL_FROM_BYTES], "equal buffers are one object"
    assert len(file.getvalue()) < 2000
    path = tmp_path / "payload"
    path.write_bytes(file.getvalue())
    back = load_value(path, find_buffer=blobs.find)
    assert np.array_equal(back["large"], large)
    back["large"][0] = 5
    assert back["copy"][0] == 0
    with pytest.raises(ValueError, match="an object of its own"):
        load_value(path)


def test_buffers_are_not_held_twice_while_they_are_written():
    class Sizes:
        def __init__(self) -> None:
            self.views: list[object] = []

        def write(self, data: object) -> None:
            assert isinstance(data, memoryview)
            self.views.append(data.obj if data.nbytes > 10_000 else None)

    big = np.arange(10_000)
    sizes = Sizes()
    pickle_value(big, sizes)
    assert sum(view is not None for view in sizes.views) == 1


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[1:], lambda c: b"", lambda c: c[:8] + c[-40:]])
def test_a_damaged_file_is_a_value_error_and_nothing_is_unpickled(tmp_path, damage):
    file = io.BytesIO()
    pickle_value([1], file)
    path = tmp_path / "payload"
    path.write_bytes(damage(file.getvalue()))
    with pytest.raises(ValueError, match="payload"):
        load_value(path)


def test_globals_are_found_without_loading_anything(tmp_path):
    import collections
    import decimal

    file = io.BytesIO()
    # The module's name comes from pickle's memo the second time.
    pickle_value([decimal.Decimal(1), decimal.Context, collections.OrderedDict(a=1), "os\nsystem"], file)
    path = tmp_path / "payload"
    path.write_bytes(file.getvalue())
    expected = {("decimal", "Decimal"), ("decimal", "Context"), ("collections", "OrderedDict")}
    assert scan_globals(path) == expected
    for protocol in range(6):
        body = pickle.dumps([decimal.Decimal(1), decimal.Context], protocol)
        assert {("decimal", "Decimal"), ("decimal", "Context")} <= scan_globals(body)


def test_payloads_of_version_1_are_still_read(tmp_path):
    blobs = Blobs(tmp_path)
    blobs.put(memoryview(bytes(EXTERNAL_FROM_BYTES)))
    value = load_value(GOLDEN / "payload", find_buffer=blobs.find)
    assert value["numbers"] == [1, 2.5, None]
    assert bytes(value["inline"]) == b"inline buffer"
    assert len(value["external"]) == EXTERNAL_FROM_BYTES
    assert value["array"] == array.array("d", [1.0, 2.0])
