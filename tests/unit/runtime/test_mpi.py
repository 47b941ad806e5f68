from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from sm_remote.errors import JobFailed
from sm_remote.runtime.children import Ending
from sm_remote.runtime.mpi import MpiHost, build_command, build_variables, is_over, without_outcome
from sm_remote.runtime.ranks import Rank, count_local_ranks, read_mpi_rank
from sm_remote.runtime.report import Report
from sm_remote.runtime.run import Job
from sm_remote.wire.digest import BlobRef
from sm_remote.wire.manifest import Manifest

OUTCOME = BlobRef(digest="a" * 64, size_bytes=7)


def end(number, *, failure="", exit_code=0, gone=False, outcome=None):
    rank = Rank(
        number=number, local=0, world_size=3, local_world_size=1, host="algo-1", master="algo-1", interface="eth0"
    )
    report = None if gone else Report(exit_code=exit_code, failure=failure, outcome=outcome)
    return Ending(rank=rank, report=report, exit_code=exit_code)


@pytest.fixture
def said():
    """What went to the log."""
    return []


@pytest.fixture
def host(tmp_path, said):
    manifest = Manifest(objects=(), python="3.11", function_name="f")
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield MpiHost(Job(manifest, "d" * 64, str(tmp_path)), say=said.append, leaving_limit_s=0.01)
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Writes resourceconfig.json."""
    monkeypatch.setenv("SM_REMOTE_ML_ROOT", str(tmp_path))
    (tmp_path / "input" / "config").mkdir(parents=True)

    def write(**members):
        (tmp_path / "input" / "config" / "resourceconfig.json").write_text(json.dumps(members))

    return write


@pytest.mark.parametrize("ending", [end(1), end(2, gone=True, exit_code=-9), end(0, outcome=OUTCOME)])
def test_an_ending_is_told_whole(ending):
    assert Ending.from_json(ending.to_json()) == ending


@pytest.mark.parametrize("text", ["", "[]", '[{}, "", 0]', '[{"number": 1}, null, 0]', "{}", "3"])
def test_what_is_no_ending_is_refused(text):
    with pytest.raises(ValueError):
        Ending.from_json(text)


def test_the_first_ranks_value_counts_where_none_failed(host):
    endings = [(3.0, end(2)), (2.0, end(1)), (9.0, end(0, outcome=OUTCOME))]
    # An exit code of mpirun's own, as of a rank that did not take leave of MPI, changes nothing then.
    assert host.conclude(1, endings, 3) == end(0, outcome=OUTCOME)
    assert without_outcome(end(0, outcome=OUTCOME)) == end(0)


def test_the_earliest_failure_counts(host):
    lost_its_peer = end(0, failure="MPI_ERR", exit_code=1)
    killed = end(2, gone=True, exit_code=-9)
    assert host.conclude(137, [(5.1, lost_its_peer), (5.0, killed), (4.0, end(1))], 3) == killed


def test_a_rank_that_never_was_is_no_success(host):
    with pytest.raises(JobFailed, match="exit code 0 when 2 of 3 ranks had ended"):
        host.conclude(0, [(1.0, end(0)), (1.0, end(1))], 3)


@pytest.mark.parametrize(
    ("command", "signalled"),
    [
        ("touch {}; exec sleep 60", signal.SIGTERM),
        ("trap '' TERM; touch {}; while :; do sleep 0.01; done", signal.SIGKILL),
    ],
)
def test_a_launcher_that_stays_when_the_job_is_over_is_ended(host, said, tmp_path, command, signalled):
    host.prepare()
    ready = tmp_path / "ready"
    assert host.run_launcher(["sh", "-c", command.format(ready)], {}, is_over=ready.exists) == -signalled
    assert said == ["sm_remote: sh was still there 0.01 s after its work was over: ended\n"]


def test_a_launcher_that_leaves_by_itself_is_waited_for(host, said):
    assert host.run_launcher(["sh", "-c", "exit 3"], {}, is_over=lambda: False) == 3
    assert said == []


@pytest.mark.parametrize(
    ("endings", "expected"),
    [([], False), ([end(1)], False), ([end(1, failure="E", exit_code=1)], True), ([end(n) for n in range(3)], True)],
)
def test_a_job_is_over_when_a_rank_has_failed_or_all_have_ended(endings, expected):
    assert is_over([(1.0, ending) for ending in endings], 3) == expected


def test_a_signal_goes_to_the_ranks_that_are_there(host, tmp_path):
    host.prepare()
    # A program, not a fork of this process, which would have its handlers until it has taken them off.
    with subprocess.Popen(["sleep", "60"]) as child:
        (tmp_path / "pids" / str(child.pid)).write_text("")
        os.kill(os.getpid(), signal.SIGTERM)
        assert child.wait() == -signal.SIGTERM


def test_a_signal_before_anything_was_started_ends_the_job(host):
    host.prepare()
    with pytest.raises(JobFailed, match="before its function was started"):
        os.kill(os.getpid(), signal.SIGTERM)


def test_ranks_fill_the_hosts_in_their_order():
    command = build_command("/usr/bin/mpirun", {"algo-1": 2, "algo-2": 4}, "d" * 64)
    assert command[command.index("--host") + 1] == "algo-1:2,algo-2:4"
    assert command[command.index("-np") + 1] == "6"
    assert command[-1] == "d" * 64


def test_what_the_user_has_set_for_mpi_stays(monkeypatch):
    monkeypatch.setenv("OMPI_MCA_btl_tcp_if_include", "ens5")
    variables = build_variables("eth0", agent="python3 agent.py")
    assert variables["OMPI_MCA_btl_tcp_if_include"] == "ens5"
    assert variables["OMPI_MCA_oob_tcp_if_include"] == "eth0"
    assert not any("agent" in name for name in build_variables("", agent=""))


def test_a_rank_of_mpirun_is_told_by_its_variables(cluster, monkeypatch):
    cluster(current_host="algo-2", hosts=["algo-1", "algo-2"], network_interface_name="eth0")
    for name, value in {"RANK": 3, "SIZE": 4, "LOCAL_RANK": 1, "LOCAL_SIZE": 2}.items():
        monkeypatch.setenv(f"OMPI_COMM_WORLD_{name}", str(value))
    assert read_mpi_rank() == Rank(
        number=3, local=1, world_size=4, local_world_size=2, host="algo-2", master="algo-1", interface="eth0"
    )


@pytest.mark.parametrize(("wanted", "expected"), [("3", 3), ("0", 1)])
def test_the_number_of_ranks_is_the_one_that_was_asked_for(monkeypatch, wanted, expected):
    monkeypatch.setenv("SM_REMOTE_PROCESSES_PER_HOST", wanted)
    assert count_local_ranks(without_gpus=8) == expected
