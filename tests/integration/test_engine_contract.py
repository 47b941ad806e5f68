"""What the scheduler counts on, of every engine: Docker, processes in a sandbox, plain processes."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sm_remote.home import Home
from sm_remote.service.engines.docker.connection import connect_docker
from sm_remote.service.engines.docker.engine import DockerEngine
from sm_remote.service.engines.engine import ContainerLost, Engine, ImageMissing, Mount
from sm_remote.service.engines.process.engine import ProcessEngine
from sm_remote.service.engines.process.sandbox import probe_bubblewrap
from tests.engines import Bench

ROOT = 'import os; root = os.environ.get("SM_REMOTE_ML_ROOT", "/opt/ml")\n'
OpenEngine = Callable[[], Engine]


def _open_docker(home: Home) -> Engine:
    return DockerEngine(connect_docker(os.environ), home)


def _open_sandboxed(home: Home) -> Engine:
    bubblewrap = probe_bubblewrap()
    if bubblewrap is None:
        pytest.skip("bubblewrap is missing or forbidden here")
    return ProcessEngine(home, bubblewrap=bubblewrap)


def _open_plain(home: Home) -> Engine:
    return ProcessEngine(home, bubblewrap=None)


DOCKER = pytest.param(_open_docker, marks=pytest.mark.docker, id="docker")
SANDBOX = pytest.param(_open_sandboxed, id="sandbox")
PLAIN = pytest.param(_open_plain, id="plain")


@pytest.fixture(params=[DOCKER, SANDBOX, PLAIN])
def reopen(request: pytest.FixtureRequest, home: Home) -> Iterator[OpenEngine]:
    """Opens the engine, as a service does when it starts."""
    opened: list[Engine] = []

    def open_again() -> Engine:
        opened.append(request.param(home))
        return opened[-1]

    yield open_again
    for engine in opened:
        if isinstance(engine, DockerEngine):
            engine.close()


@pytest.fixture
def bench(reopen: OpenEngine, home: Home, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(reopen(), home, tmp_path)
    yield bench
    bench.close()


def test_a_running_container_tells_what_it_uses_and_one_that_has_ended_does_not(bench):
    code = "import sys; b = bytearray(60_000_000); b[::4096] = b'x' * len(b[::4096]); print(sum(range(3_000_000)))"
    name = bench.start(bench.spec(f"{code}; import time; time.sleep(60)"))
    next(bench.engine.read_lines(name))
    usage = bench.engine.read_usage(name)
    assert 50_000_000 < usage.memory_bytes < 300_000_000
    assert 0.01 < usage.cpu_s < 30
    bench.engine.stop(name, 0)
    bench.engine.wait(name)
    assert bench.engine.read_usage(name) is None
    assert bench.engine.read_usage("smr-never-a1-algo-1") is None


isolating = pytest.mark.parametrize("reopen", [DOCKER, SANDBOX], indirect=True)


def test_lines_come_in_order_with_the_time_at_which_they_were_written(bench):
    before = time.time() * 1000
    name = bench.start(bench.spec("for i in range(1000): print('line', i)"))
    found = list(bench.engine.read_lines(name))
    assert [line for _, line in found] == [b"line %d" % i for i in range(1000)]
    assert all(before - 1000 <= at_ms <= time.time() * 1000 + 1000 for at_ms, _ in found)


def test_stdout_and_stderr_arrive_in_one_log(bench):
    lines, _ = bench.run(bench.spec("import sys; print('out'); print('err', file=sys.stderr)"))
    assert sorted(lines) == [b"err", b"out"]


def test_a_last_line_without_a_newline_is_kept(bench):
    lines, _ = bench.run(bench.spec("print('one'); print('two', end='')"))
    assert lines == [b"one", b"two"]


@pytest.mark.parametrize("length", [16 * 1024, 16 * 1024 + 1, 300 * 1024])
def test_a_long_line_arrives_whole_or_in_pieces_of_256_kib(bench, length):
    lines, _ = bench.run(bench.spec(f"print('x' * {length}); print('end')"))
    assert lines[-1] == b"end"
    assert b"".join(lines[:-1]) == b"x" * length
    assert len(lines) == 2 + (length > 256 * 1024)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("raise ValueError", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("import os; os.abort()", 134),
    ],
)
def test_the_exit_code_is_told_and_a_signal_is_128_and_its_number(bench, code, expected):
    _, ended = bench.run(bench.spec(code or "pass"))
    assert ended.code == expected
    assert not ended.out_of_memory


def test_a_job_sees_its_own_environment_and_nothing_of_ours(bench, monkeypatch):
    monkeypatch.setenv("OUR_SECRET", "x")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    spec = bench.spec(
        "import os; print('GREETING=' + os.environ['GREETING']); print(sorted(os.environ))",
        environment={"GREETING": "a b\"c'$HOME é"},
    )
    lines, _ = bench.run(spec)
    assert lines[0].decode() == "GREETING=a b\"c'$HOME é"
    names = set(eval(lines[1]))
    assert not names & {"OUR_SECRET", "LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "SM_REMOTE_HOME", "PYTHONPATH"}
    assert {"PATH", "HOME", "LANG"} <= names


def test_a_job_has_the_interpreter_of_its_client_and_no_packages(bench):
    code = """
import platform, sys, importlib.util
print(platform.python_version(), importlib.util.find_spec("pytest"), importlib.util.find_spec("pip"))
import asyncio, ctypes, multiprocessing.synchronize, sqlite3, ssl, zoneinfo, tempfile, getpass, pathlib
getpass.getuser(); tempfile.NamedTemporaryFile().write(b"x"); pathlib.Path.home()
open("somewhere", "w").write("the working directory can be written")
"""
    lines, ended = bench.run(bench.spec(code))
    assert lines == [f"{sys.version.split()[0]} None None".encode()]
    assert ended.code == 0
    assert bench.engine.inspect_python(bench.image).version == sys.version.split()[0]


def test_what_a_job_writes_is_ours(bench):
    output = bench.mount("output")
    (output.source / "data").mkdir()
    code = ROOT + "os.makedirs(root + '/output/data/deep/er'); open(root + '/output/data/deep/er/f', 'w').write('x')"
    _, ended = bench.run(bench.spec(code, mounts=[output]))
    assert ended.code == 0
    written = output.source / "data" / "deep" / "er" / "f"
    assert written.read_text() == "x"
    assert written.stat().st_uid == os.getuid()
    (output.source / "data" / "deep").rename(bench.directory / "collected")


def test_a_mount_may_lie_inside_another_and_inside_a_read_only_one(bench):
    job_input, data = bench.mount("input"), bench.mount("input/data", read_only=True)
    layer = bench.directory / "a layer, with: signs"
    layer.mkdir()
    (layer / "package").write_text("layer")
    (data.source / "train").mkdir()
    (data.source / "train" / "x").write_text("data")
    mounts = [job_input, data, Mount(source=layer, target="/opt/ml/input/data/layer", read_only=True)]
    code = ROOT + "print(open(root + '/input/data/layer/package').read(), open(root + '/input/data/train/x').read())"
    code += "\nopen(root + '/input/written', 'w').write('x')"
    lines, ended = bench.run(bench.spec(code, mounts=mounts))
    assert (lines, ended.code) == ([b"layer data"], 0)
    assert (job_input.source / "written").exists()


@isolating
def test_a_read_only_mount_cannot_be_written_nor_its_files_made_writable(bench):
    data = bench.mount("input/data", read_only=True)
    (data.source / "x").write_text("data")
    (data.source / "x").chmod(0o444)
    code = """
import os
for attempt in (lambda: open("/opt/ml/input/data/y", "w"), lambda: os.chmod("/opt/ml/input/data/x", 0o777)):
    try:
        attempt()
    except OSError as error:
        print(error.strerror)
"""
    lines, _ = bench.run(bench.spec(code, mounts=[data]))
    assert lines == [b"Read-only file system"] * 2


@isolating
def test_a_job_without_network_sees_only_its_own_loopback_and_no_processes_of_ours(bench):
    code = "import os, socket; print([name for _, name in socket.if_nameindex()])\n"
    code += "print(len([pid for pid in os.listdir('/proc') if pid.isdigit()]) < 4)"
    lines, _ = bench.run(bench.spec(code))
    assert lines == [b"['lo']", b"True"]


@isolating
def test_a_job_has_no_capability_and_cannot_gain_one(bench):
    code = """
facts = dict(line.split(maxsplit=1) for line in open("/proc/self/status") if len(line.split()) > 1)
print([facts[name].strip() for name in ("CapEff:", "CapBnd:", "NoNewPrivs:")])
"""
    lines, _ = bench.run(bench.spec(code))
    assert lines == [b"['0000000000000000', '0000000000000000', '1']"]


def test_a_container_that_exists_is_adopted_and_not_run_again(bench):
    output = bench.mount("output")
    spec = bench.spec(ROOT + "open(root + '/output/runs', 'a').write('x')", mounts=[output])
    bench.run(spec)
    _, ended = bench.run(spec)
    assert ended.code == 0
    assert (output.source / "runs").read_text() == "x"


def test_a_container_that_runs_is_adopted(bench, reopen):
    spec = bench.spec("import time; print('once'); time.sleep(1)")
    name = bench.start(spec)
    other = reopen()
    other.start(spec)
    assert [line for _, line in other.read_lines(name)] == [b"once"]


def test_an_engine_opened_anew_knows_all_of_a_running_container(bench, reopen):
    name = bench.start(bench.spec("import time; print('early'); time.sleep(0.7); print('late'); raise SystemExit(5)"))
    next(iter(bench.engine.read_lines(name)))
    other = reopen()
    assert other.list_containers(bench.instance) == {name: True}
    assert [line for _, line in other.read_lines(name)] == [b"early", b"late"]
    assert other.wait(name).code == 5


def test_an_engine_opened_anew_knows_all_of_an_ended_container(bench, reopen):
    spec = bench.spec("print('said'); raise SystemExit(6)")
    bench.run(spec)
    other = reopen()
    assert other.list_containers(bench.instance) == {spec.name: False}
    assert [line for _, line in other.read_lines(spec.name)] == [b"said"]
    assert other.wait(spec.name).code == 6


def test_a_line_is_seen_while_the_job_runs(bench):
    name = bench.start(bench.spec("import time; print('here'); time.sleep(120)"))
    began = time.monotonic()
    assert next(iter(bench.engine.read_lines(name)))[1] == b"here"
    assert time.monotonic() - began < 60


def test_stopping_asks_first(bench):
    code = "import signal, sys, time; signal.signal(15, lambda *_: (print('asked'), sys.exit(9)))\n"
    code += "print('up'); time.sleep(60)"
    name = bench.start(bench.spec(code))
    lines = iter(bench.engine.read_lines(name))
    assert next(lines)[1] == b"up"
    bench.engine.stop(name, 30)
    assert next(lines)[1] == b"asked"
    assert bench.engine.wait(name).code == 9


def test_stopping_kills_what_does_not_listen(bench):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up')\nwhile True: time.sleep(60)"
    name = bench.start(bench.spec(code))
    next(iter(bench.engine.read_lines(name)))
    began = time.monotonic()
    bench.engine.stop(name, 0.5)
    ended = bench.engine.wait(name)
    assert ended.code == 137
    assert not ended.out_of_memory
    assert time.monotonic() - began > 0.5


def test_a_job_that_does_nothing_about_sigterm_ends_at_once(bench):
    name = bench.start(bench.spec("import time; print('up'); time.sleep(60)"))
    next(iter(bench.engine.read_lines(name)))
    bench.engine.stop(name, 30)
    assert bench.engine.wait(name).code == 143


def test_stopping_and_removing_what_is_not_there_is_no_error(bench):
    bench.engine.stop("smr-nothing-a1-algo-1", 1)
    bench.engine.remove("smr-nothing-a1-algo-1")
    assert list(bench.engine.read_lines("smr-nothing-a1-algo-1")) == []
    with pytest.raises(ContainerLost):
        bench.engine.wait("smr-nothing-a1-algo-1")


def test_nothing_is_left_of_a_removed_container(bench):
    spec = bench.spec("import time; time.sleep(60)")
    bench.start(spec)
    bench.engine.remove(spec.name)
    bench.engine.remove(spec.name)
    assert bench.engine.list_containers(bench.instance) == {}
    with pytest.raises(ContainerLost):
        bench.engine.wait(spec.name)


def test_processes_that_a_job_leaves_behind_die_with_it(bench):
    output = bench.mount("output")
    code = f"""{ROOT}
import subprocess, sys
child = "import time, sys\\nwhile True: open(sys.argv[1], 'a').write('x'); time.sleep(0.02)"
subprocess.Popen([sys.executable, "-c", child, root + "/output/alive"])
"""
    bench.run(bench.spec(code, mounts=[output]))
    time.sleep(0.1)
    alive = output.source / "alive"
    size = alive.stat().st_size if alive.exists() else 0
    time.sleep(0.3)
    assert (alive.stat().st_size if alive.exists() else 0) == size


def test_several_threads_may_wait_for_one_container(bench):
    name = bench.start(bench.spec("import time; time.sleep(0.3); raise SystemExit(4)"))
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(bench.engine.wait(name).code)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [4] * 4


def test_an_image_that_cannot_be_had_is_named(bench):
    for image in (f"{bench.image[:-12]}{'0' * 12}", "127.0.0.1:9/nothing:1"):
        with pytest.raises(ImageMissing, match=image.split(":")[0]):
            bench.engine.prepare_image(image, lambda _: None)


def test_the_engine_says_in_one_line_what_it_is(bench):
    assert "\n" not in bench.engine.describe()
    assert bench.engine.name in ("docker", "process")
