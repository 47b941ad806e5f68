"""Pipes that are fed, in this process, and the companion that has them fed in one of their own."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from sm_remote.service.channels.pipe_feeder import GoneError, feed_epoch, make_pipe, open_pipe
from sm_remote.service.channels.pipes import build_pipes
from sm_remote.service.hosts.companions import InputBrokenError
from sm_remote.service.hosts.host import list_hosts
from sm_remote.service.hosts.working_tree import find_tree
from sm_remote.service.storage.objects import ObjectError
from tests.fakes.service import build_request, wait_until


@pytest.fixture
def directory(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def feed(directory, epoch, content) -> threading.Thread:
    thread = threading.Thread(target=feed_epoch, args=(directory, "c", epoch, iter(content)), daemon=True)
    thread.start()
    return thread


def test_a_reader_gets_one_epoch_and_finds_the_pipe_of_the_next(directory, tmp_path):
    make_pipe(directory, "c", 0)
    for epoch, content in enumerate(([b"one", b"two"], [b"three"])):
        fed = feed(directory, epoch, content)
        with open(tmp_path / f"c_{epoch}", "rb") as pipe:
            data = pipe.read()
            assert sorted(os.listdir(tmp_path)) in ([f"c_{epoch + 1}"], [f"c_{epoch}", f"c_{epoch + 1}"])
        fed.join(120)
        assert data == b"".join(content)
        assert os.listdir(tmp_path) == [f"c_{epoch + 1}"]


def test_a_reader_that_closes_early_ends_the_epoch(directory, tmp_path):
    make_pipe(directory, "c", 0)
    fed = feed(directory, 0, (bytes(1 << 20) for _ in range(1000)))
    with open(tmp_path / "c_0", "rb", buffering=0) as pipe:
        pipe.read(10)
    fed.join(120)
    assert not fed.is_alive()
    assert os.listdir(tmp_path) == ["c_1"]


def test_no_more_is_read_than_the_pipe_holds_while_nobody_reads(directory, tmp_path):
    taken = []

    def content():
        for number in range(100):
            taken.append(number)
            yield bytes(1 << 20)

    make_pipe(directory, "c", 0)
    fed = feed(directory, 0, content())
    with open(tmp_path / "c_0", "rb", buffering=0) as pipe:
        wait_until(lambda: taken)
        for size in (1, 1 << 20, 1 << 20):
            pipe.read(size)
            assert len(taken) <= 8
    fed.join(120)


def test_a_directory_that_is_gone_ends_the_feeding(directory, tmp_path):
    name = make_pipe(directory, "c", 0)
    with pytest.raises(GoneError):
        open_pipe(directory, name, sleep=lambda seconds: (tmp_path / name).unlink(missing_ok=True))


def test_a_file_in_a_pipes_place_is_never_filled(directory, tmp_path):
    (tmp_path / "c_0").touch()
    with pytest.raises(ObjectError, match="c_0 is no pipe any more"):
        feed_epoch(directory, "c", 0, iter([b"one"]))
    assert (tmp_path / "c_0").read_bytes() == b""


class Bench:
    """The companion of one host with one channel."""

    def __init__(self, home, members) -> None:
        source = {"S3DataType": "S3Prefix", "S3Uri": "s3://sm-remote-local/d/"}
        channel = {"ChannelName": "c", "InputMode": "Pipe", "DataSource": {"S3DataSource": source}, **members}
        self.request = build_request(InputDataConfig=[channel])
        self.home = home
        self.tree = find_tree(home, "fit-1", 1, "algo-1")
        self.tree.create()
        self.stopped = threading.Event()

    def build(self):
        (host,) = list_hosts(self.request)
        (pipes,) = build_pipes(self.request, host, self.tree, self.home, self.stopped.set)
        return pipes

    def read(self, epoch: int) -> bytes:
        return (self.tree.data / f"c_{epoch}").read_bytes()

    @property
    def pid(self) -> int:
        return int((self.tree.scratch / "pipes" / "pid").read_text())


@pytest.fixture
def start(home):
    made = []

    def start_pipes(**members):
        bench = Bench(home, members)
        bench.pipes = bench.build()
        made.append(bench.pipes)
        bench.pipes.prepare(lambda: None)
        return bench

    yield start_pipes
    for pipes in made:
        pipes._end_feeder()


def test_a_channel_in_another_mode_needs_no_pipe(home):
    bench = Bench(home, {"InputMode": "File"})
    (host,) = list_hosts(bench.request)
    assert build_pipes(bench.request, host, bench.tree, home, print) == ()


@pytest.mark.slow
def test_a_process_of_its_own_feeds_and_ends_with_the_host(put, start):
    put("d/a", b"one")
    bench = start()
    bench.pipes.start()
    assert [bench.read(epoch) for epoch in range(3)] == [b"one"] * 3
    bench.pipes.finish()
    wait_until(lambda: not bench.pipes._is_alive())
    bench.pipes.finish()
    assert not bench.stopped.is_set()


@pytest.mark.slow
def test_a_later_service_ends_a_feeder_that_an_earlier_one_started(put, start):
    put("d/a", b"one")
    bench = start()
    adopted = bench.build()
    adopted.start()
    assert bench.read(0) == b"one"
    adopted.finish()
    assert not adopted._is_alive()


@pytest.mark.slow
def test_an_object_that_cannot_be_read_stops_the_container_and_never_looks_like_the_end(put, start):
    put("d/a", b"no gzip")
    bench = start(CompressionType="Gzip")
    bench.pipes.start()
    descriptor = os.open(bench.tree.data / "c_0", os.O_RDONLY)
    assert bench.stopped.wait(120)
    os.set_blocking(descriptor, False)
    with pytest.raises(BlockingIOError):  # held open: an end would be b""
        os.read(descriptor, 10)
    os.close(descriptor)
    with pytest.raises(InputBrokenError, match=r"s3://sm-remote-local/d/a: it is not gzip"):
        bench.pipes.finish()
    with pytest.raises(InputBrokenError):
        bench.build().finish()  # by a service that was started meanwhile


@pytest.mark.slow
def test_a_feeder_that_was_killed_stops_the_container(put, start):
    put("d/a", b"one")
    bench = start()
    bench.pipes.start()
    os.kill(bench.pid, signal.SIGKILL)
    assert bench.stopped.wait(120)
    with pytest.raises(InputBrokenError, match="the process that feeds the pipes is gone"):
        bench.pipes.finish()


def test_pipes_that_were_never_started_end_without_a_word(home):
    Bench(home, {}).build().finish()


@pytest.mark.slow
def test_a_feeder_whose_tree_is_removed_ends_by_itself(put, start):
    put("d/a", b"one")
    bench = start()
    bench.tree.create()  # as the next try of a service that died does
    assert bench.pipes._feeder.wait(120) == 0
