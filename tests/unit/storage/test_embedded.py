"""What only the embedded store can promise: it is a directory."""

import os
import stat
import subprocess
import sys
import textwrap

import pytest

from sm_remote.errors import StorageError
from sm_remote.storage.embedded import EmbeddedStore


@pytest.fixture
def embedded(tmp_path):
    return EmbeddedStore(tmp_path / "data" / "store", bucket="sm-remote-local", prefix="sm_remote")


def test_an_object_is_one_file_at_a_place_that_can_be_told(embedded, tmp_path):
    embedded.put_if_absent("blobs/abc", b"bytes")
    path = tmp_path / "data" / "store" / "sm-remote-local" / "sm_remote" / "blobs" / "abc"
    assert embedded.local_path("blobs/abc") == path
    assert embedded.fetch("blobs/abc") == path
    assert path.stat().st_nlink == 1


def test_every_directory_is_its_owners_alone_whatever_the_umask(embedded, tmp_path):
    before = os.umask(0)
    try:
        embedded.put_if_absent("a/b/c", b"")
    finally:
        os.umask(before)
    store = tmp_path / "data" / "store"
    directories = [store, *(path for path in store.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in directories} == {0o700}


def test_an_open_store_directory_is_closed(tmp_path):
    (tmp_path / "store").mkdir(mode=0o755)
    EmbeddedStore(tmp_path / "store", bucket="bucket").put_if_absent("key", b"")
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700


@pytest.mark.slow
def test_a_view_is_written_without_a_copy(tmp_path):
    """In a process of its own: peak memory is counted from its start."""
    code = f"""
        import mmap
        from pathlib import Path
        from sm_remote.storage.embedded import EmbeddedStore
        view = memoryview(mmap.mmap(-1, 128 << 20))
        def peak(): return int([l for l in open("/proc/self/status") if l.startswith("VmHWM")][0].split()[1])
        store = EmbeddedStore(Path({str(tmp_path)!r}), bucket="bucket")
        store.put_if_absent("warm", b"x")
        bytes(1); [view[i] for i in range(0, len(view), 4096)]
        before = peak()
        store.put_if_absent("large", view)
        assert peak() - before < 8 * 1024, (before, peak())
    """
    if not os.path.exists("/proc/self/status"):
        pytest.skip("needs /proc")
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_a_link_in_the_store_shows_nothing_that_lies_outside(embedded, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("private")
    embedded.put_if_absent("job/output", b"")
    directory = embedded.local_path("job/output").parent
    (directory / "file").symlink_to(secret / "key")
    (directory / "folder").symlink_to(secret)
    for key in ("job/file", "job/folder/key"):
        assert embedded.head(key) is None
        with pytest.raises(StorageError, match="no such object"):
            embedded.get(key)
    assert [info.key for info in embedded.list("")] == ["job/output"]


def test_a_store_below_a_link_works(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = EmbeddedStore(tmp_path / "link" / "store", bucket="bucket")
    store.put_if_absent("key", b"bytes")
    assert store.get("key") == b"bytes"


def test_what_a_killed_writer_left_is_removed_after_a_day(tmp_path):
    now = 1_000_000_000.0
    store = EmbeddedStore(tmp_path, bucket="bucket", clock=lambda: now)
    incoming = tmp_path / ".incoming"
    incoming.mkdir()
    for name, age_s in (("old", 25 * 3600), ("young", 3600)):
        (incoming / name).write_bytes(b"half")
        os.utime(incoming / name, (now - age_s, now - age_s))
    store.put_if_absent("key", b"")
    assert [path.name for path in incoming.iterdir()] == ["young"]
    assert [info.key for info in store.list("")] == ["key"]


def test_a_failed_write_leaves_nothing(tmp_path):
    store = EmbeddedStore(tmp_path, bucket="bucket")
    store.put_if_absent("key", b"an object")
    with pytest.raises(StorageError, match="A part of the key is an object itself") as caught:
        store.put_if_absent("key/below", b"")
    assert caught.value.fix
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_a_full_disk_is_explained(embedded):
    with pytest.raises(StorageError, match="The disk is full") as caught, embedded._translated("written", "key"):
        raise OSError(28, "No space left on device")
    assert "SM_REMOTE_HOME" in caught.value.fix


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_explained(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="Permission was denied"):
        EmbeddedStore(tmp_path / "store", bucket="bucket").put_if_absent("key", b"")


def test_a_directory_is_no_object(embedded):
    embedded.put_if_absent("a/b", b"")
    assert embedded.head("a") is None
    with pytest.raises(StorageError, match="Other objects lie below this key"):
        embedded.put_if_absent("a", b"")
