"""One object of S3 becomes a file, though the connection breaks off."""

from __future__ import annotations

import io
import threading

import pytest
from botocore.exceptions import IncompleteReadError
from botocore.response import StreamingBody

from sm_remote.service.storage.downloads import download, open_stream


class BreakingClient:
    """Answers with half of what it promised, as often as it is told to."""

    def __init__(self, content: bytes, breaks: int) -> None:
        self.content = content
        self.breaks = breaks
        self.ranges: list[str] = []
        self.lock = threading.Lock()

    def get_object(self, Bucket: str, Key: str, Range: str = "bytes=0-", IfMatch: str = "tag"):
        assert IfMatch == "tag"
        start, _, end = Range.removeprefix("bytes=").partition("-")
        content = self.content[int(start) : int(end) + 1 if end else None]
        promised = len(content)
        with self.lock:
            self.ranges.append(Range)
            if self.breaks:
                self.breaks -= 1
                content = content[: promised // 2]
        return {"ContentLength": promised, "ETag": "tag", "Body": StreamingBody(io.BytesIO(content), promised)}


def nothing() -> None:
    """Stands in nobody's way."""


@pytest.mark.parametrize("size_bytes", [7, 65 << 20])
def test_a_stop_ends_a_download_in_its_middle(tmp_path, size_bytes):
    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        download(BreakingClient(bytes(size_bytes), breaks=0), "b", "k", tmp_path / "a", stop)


def test_a_download_that_breaks_off_begins_again(tmp_path):
    download(BreakingClient(b"content", breaks=4), "b", "k", tmp_path / "a", nothing)
    assert (tmp_path / "a").read_bytes() == b"content"


def test_one_that_breaks_off_again_and_again_is_an_error(tmp_path):
    with pytest.raises(IncompleteReadError):
        download(BreakingClient(b"content", breaks=5), "b", "k", tmp_path / "a", nothing)


def test_a_large_object_is_read_in_parts_and_each_of_them_anew_where_it_breaks_off(tmp_path):
    content = b"".join(bytes([number]) * (1 << 20) for number in range(70))
    client = BreakingClient(content, breaks=4)
    download(client, "b", "k", tmp_path / "a", nothing)
    assert (tmp_path / "a").read_bytes() == content
    assert len(set(client.ranges)) == 1 + 5
    assert len(client.ranges) == 1 + 5 + 3  # the first one broke off unread


def test_a_stream_that_breaks_off_goes_on_from_there():
    client = BreakingClient(b"0123456789", breaks=2)
    size_bytes, chunks = open_stream(client, "b", "k")
    assert (size_bytes, b"".join(chunks)) == (10, b"0123456789")
    assert client.ranges == ["bytes=0-", "bytes=5-", "bytes=7-"]


def test_a_stream_that_never_gets_on_is_an_error():
    client = BreakingClient(b"0", breaks=99)
    _, chunks = open_stream(client, "b", "k")
    with pytest.raises(IncompleteReadError):
        list(chunks)
