"""What is peculiar to processes; what they have in common with Docker is in test_engine_contract."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from sm_remote.service.engines.engine import ContainerLost, EngineError, ImageMissing
from sm_remote.service.engines.process.engine import ProcessEngine
from tests.engines import Bench


@pytest.fixture
def bench(home, tmp_path):
    bench = Bench(ProcessEngine(home, bubblewrap=None), home, tmp_path)
    yield bench
    bench.close()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has taken from the process table yet has no command line."""
    try:
        return bool(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


def wait_until(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_job_runs_and_its_end_is_known(bench):
    lines, ended = bench.run(bench.spec("print('hello'); raise SystemExit(3)"))
    assert (lines, ended.code) == ([b"hello"], 3)


def test_a_job_outlives_the_service_that_started_it(bench, home, tmp_path):
    spec = bench.spec("import time; print('up'); time.sleep(0.3); print('done')")
    service = """
import pickle, sys, os
from sm_remote.home import find_home
from sm_remote.service.engines.process.engine import ProcessEngine
ProcessEngine(find_home(), bubblewrap=None).start(pickle.load(open(sys.argv[1], "rb")))
os._exit(0)
"""
    import pickle

    (tmp_path / "spec").write_bytes(pickle.dumps(spec))
    subprocess.run([sys.executable, "-c", service, str(tmp_path / "spec")], check=True, env=dict(os.environ))
    bench.started.append(spec.name)
    assert bench.engine.list_containers(bench.instance) == {spec.name: True}
    assert [line for _, line in bench.engine.read_lines(spec.name)] == [b"up", b"done"]
    assert bench.engine.wait(spec.name).code == 0


@pytest.mark.parametrize("python", ["python", "python3", "python3.11", "/usr/bin/python3", "/usr/local/bin/python"])
def test_python_is_the_clients_own_whatever_it_is_called(bench, python):
    code = "import sys; print(sys.version.split()[0], sys.flags.no_site, sys.flags.no_user_site)"
    lines, _ = bench.run(bench.spec(code, entrypoint=(python, "-c")))
    assert lines == [f"{sys.version.split()[0]} 1 1".encode()]


def test_other_programs_run_as_they_are_and_missing_ones_are_reported(bench):
    assert bench.run(bench.spec("echo $0", entrypoint=("sh", "-c")))[0] == [b"sh"]
    lines, ended = bench.run(bench.spec("train", entrypoint=()))
    assert ended.code == 127
    assert b"train" in lines[0]


def test_an_image_of_others_is_refused_with_what_to_do(bench):
    with pytest.raises(ImageMissing, match=r"pytorch:2 needs Docker.*setup-engine"):
        bench.engine.prepare_image("pytorch:2", print)


def test_an_interpreter_that_is_gone_is_named(bench, home):
    (record,) = home.interpreters.glob("*.json")
    record.write_text(
        json.dumps(json.loads(record.read_text()) | {"executable": "/gone/python3", "base_prefix": "/gone"})
    )
    with pytest.raises(ImageMissing, match="/gone/python3"):
        bench.engine.prepare_image(bench.image, print)


def test_an_interpreter_that_became_another_version_is_refused(bench, home):
    (record,) = home.interpreters.glob("*.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"version": "3.9.1"}))
    with pytest.raises(ImageMissing, match=r"was Python 3\.9\.1"):
        bench.engine.prepare_image(bench.image, print)


def test_a_broken_record_says_which_file_to_delete(bench, home):
    (record,) = home.interpreters.glob("*.json")
    record.write_text("{")
    with pytest.raises(ImageMissing, match=str(record)):
        bench.engine.prepare_image(bench.image, print)


def test_a_shim_that_was_killed_leaves_a_lost_container_and_no_process(bench):
    spec = bench.spec("import os, time; print(os.getpid()); time.sleep(60)")
    name = bench.start(spec)
    payload = int(next(iter(bench.engine.read_lines(name)))[1])
    os.kill(int((spec.scratch / "process" / "shim").read_text()), signal.SIGKILL)
    with pytest.raises(ContainerLost, match="killed from outside"):
        bench.engine.wait(name)
    assert bench.engine.list_containers(bench.instance) == {name: False}
    bench.engine.remove(name)
    wait_until(lambda: not is_alive(payload))


def test_a_name_in_use_by_another_directory_is_refused(bench, tmp_path):
    spec = bench.spec("pass")
    bench.run(spec)
    other = Bench(bench.engine, bench._home, tmp_path / "other")
    with pytest.raises(EngineError, match="another container"):
        bench.engine.start(other.spec("pass", name=spec.name))


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x"])
def test_a_name_that_is_no_file_name_is_refused(bench, name):
    from dataclasses import replace

    with pytest.raises(EngineError, match="cannot be a container's name"):
        bench.engine.start(replace(bench.spec("pass"), name=name))


def test_the_most_memory_that_a_job_used_is_told(bench):
    _, ended = bench.run(bench.spec("x = b'x' * (200 << 20)"))
    assert ended.peak_memory_bytes is None or 200 << 20 <= ended.peak_memory_bytes < 500 << 20


def test_a_crash_between_the_note_and_the_start_leaves_a_container_that_can_be_started(bench, home):
    spec = bench.spec("print('started after all')")
    bench.engine._register(spec)
    assert bench.engine.list_containers(bench.instance) == {spec.name: False}
    with pytest.raises(ContainerLost, match="never started"):
        bench.engine.wait(spec.name)
    assert bench.run(spec)[0] == [b"started after all"]


def test_removal_leaves_the_rest_of_the_scratch_directory(bench):
    spec = bench.spec("pass")
    (spec.scratch / "archive").write_text("of the service")
    bench.run(spec)
    bench.engine.remove(spec.name)
    assert [path.name for path in spec.scratch.iterdir()] == ["archive"]


def test_it_says_what_it_does_not_isolate_and_why_it_is_used(home):
    engine = ProcessEngine(home, bubblewrap=None, note="Docker does not answer (no such file)")
    assert "nothing is isolated" in engine.describe()
    assert "Docker does not answer" in engine.describe()
    assert "not limited in CPU or memory" in ProcessEngine(home, bubblewrap="/usr/bin/bwrap").describe()
