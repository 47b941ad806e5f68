"""What is peculiar to Docker; what it has in common with processes is in test_engine_contract."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from sm_remote.errors import ConfigError, EngineUnavailable
from sm_remote.service.engines.choice import open_engine
from sm_remote.service.engines.docker.connection import connect_docker
from sm_remote.service.engines.docker.engine import DockerEngine
from sm_remote.service.engines.engine import ContainerLost, EngineError, ImageMissing
from tests.engines import MIB, Bench

pytestmark = pytest.mark.docker
FOREIGN = "sm-remote-tests/foreign"


@pytest.fixture
def api(docker_engine_required):
    client = connect_docker(os.environ)
    yield client
    client.close()


@pytest.fixture
def bench(api, home, tmp_path):
    bench = Bench(DockerEngine(api, home), home, tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def make_image(api, bench):
    """Makes an image that is not ours, from ours, with other settings."""
    made = []

    def make(tag: str, **config: object) -> str:
        bench.engine.prepare_image(bench.image, print)
        container = api.create_container_from_config({"Image": bench.image, "Cmd": ["true"]})["Id"]
        api.commit(container, repository=FOREIGN, tag=tag, conf=config)
        api.remove_container(container)
        made.append(f"{FOREIGN}:{tag}")
        return made[-1]

    yield make
    bench.close()  # an image in use cannot be removed
    for image in made:
        api.remove_image(image)


def test_a_container_that_takes_too_much_memory_is_reported_with_its_peak(bench):
    _, ended = bench.run(bench.spec("x = bytearray(500 << 20)", memory_bytes=64 * MIB))
    assert (ended.code, ended.out_of_memory, ended.peak_memory_bytes) == (137, True, 64 * MIB)


def test_the_most_memory_that_a_job_used_is_told_where_the_kernel_tells(bench):
    name = bench.start(
        bench.spec("import time; time.sleep(.5); x = b'x' * (100 << 20); print('filled'); time.sleep(.2)")
    )
    waiter = threading.Thread(target=bench.engine.wait, args=(name,))
    waiter.start()
    assert [line for _, line in bench.engine.read_lines(name)] == [b"filled"]
    waiter.join()
    peak = bench.engine.wait(name).peak_memory_bytes
    assert peak is None or 100 * MIB < peak < 300 * MIB


def test_a_container_killed_from_outside_is_not_out_of_memory(bench, api):
    name = bench.start(bench.spec("import time; print('up'); time.sleep(60)"))
    next(iter(bench.engine.read_lines(name)))
    api.kill(name)
    ended = bench.engine.wait(name)
    assert (ended.code, ended.out_of_memory) == (137, False)


def test_a_container_removed_from_outside_ends_as_killed_or_lost(bench, api):
    name = bench.start(bench.spec("import time; time.sleep(60)"))
    remover = threading.Timer(0.3, api.remove_container, [name], {"force": True})
    remover.start()
    with suppress(ContainerLost):  # whether its end was still to be seen is a matter of milliseconds
        assert bench.engine.wait(name).code == 137
    remover.join()
    with pytest.raises(ContainerLost):
        bench.engine.wait(name)
    assert list(bench.engine.read_lines(name)) == []


def test_a_container_of_somebody_else_is_not_adopted(bench, api):
    spec = bench.spec("print('mine')")
    bench.run(spec)
    with pytest.raises(EngineError, match="docker rm"):
        bench.engine.start(replace(spec, labels={**spec.labels, "sm_remote.instance": "another"}))


def test_a_container_that_was_made_but_not_started_before_a_crash_is_started(bench, api):
    spec = bench.spec("print('started after all')")
    bench.engine.prepare_image(spec.image, print)
    api.create_container_from_config(bench.engine._build_request(spec), spec.name)
    with pytest.raises(ContainerLost, match="never started"):
        bench.engine.wait(spec.name)
    assert bench.engine.list_containers(bench.instance) == {spec.name: False}
    lines, ended = bench.run(spec)
    assert (lines, ended.code) == ([b"started after all"], 0)


def test_a_program_that_is_not_in_the_image_is_named_in_the_log(bench):
    lines, ended = bench.run(bench.spec("train", entrypoint=()))
    assert ended.code == 127
    assert b"train" in lines[0]


def test_an_image_that_was_not_prepared_is_missing(bench):
    with pytest.raises(ImageMissing, match="nothing-here"):
        bench.engine.start(bench.spec("pass", image="nothing-here:1"))


def test_a_job_may_write_where_programs_do_and_its_processes_are_limited(bench):
    code = """
import os, pathlib
for directory in (pathlib.Path.home(), "/tmp", "/var/tmp", "/opt/ml", os.getcwd()):
    open(f"{directory}/x", "w").write("x")
found = [p for p in ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max") if os.path.exists(p)]
print(open(found[0]).read().strip())
"""
    assert bench.run(bench.spec(code))[0] == [b"4096"]


def test_a_job_with_a_network_has_one(bench):
    if "no bridge" in bench.engine.describe():
        pytest.skip("this daemon has no bridge")
    code = "import socket; print(sorted(name for _, name in socket.if_nameindex() if name in ('lo', 'eth0')))"
    assert bench.run(bench.spec(code, network=True))[0] == [b"['eth0', 'lo']"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory to another user")
def test_what_our_image_writes_belongs_to_an_ordinary_user_of_the_service(api, home, tmp_path):
    bench = Bench(DockerEngine(api, home, uid=12345, gid=12345), home, tmp_path)
    output = bench.mount("output")
    os.chown(output.source, 12345, 12345)
    code = """
import getpass, os, pathlib, tempfile
print(os.getuid(), getpass.getuser(), pathlib.Path.home())
tempfile.NamedTemporaryFile().write(b"x")
os.makedirs("/opt/ml/output/data"); open("/opt/ml/output/data/x", "w").write("x")
"""
    try:
        lines, ended = bench.run(bench.spec(code, mounts=[output]))
    finally:
        bench.close()
    assert (lines, ended.code) == ([b"12345 sm_remote /tmp"], 0)
    assert (output.source / "data" / "x").stat().st_uid == 12345


def test_an_image_with_a_user_of_its_own_keeps_it_and_can_read_and_write(bench, make_image):
    image = make_image("user", User="23456")
    config, data, output = bench.mount("input"), bench.mount("input/data", read_only=True), bench.mount("output")
    (data.source / "train").mkdir(mode=0o700)
    (data.source / "train" / "x").write_text("data")
    (data.source / "train" / "x").chmod(0o400)
    (config.source / "config").mkdir(mode=0o700)
    (config.source / "config" / "resourceconfig.json").write_text("{}")
    code = """
import os
print(os.getuid(), open("/opt/ml/input/data/train/x").read(), os.listdir("/opt/ml/input/config"))
open("/opt/ml/output/failure", "w").write("x")
"""
    lines, ended = bench.run(bench.spec(code, image=image, mounts=[config, data, output]))
    assert (lines, ended.code) == ([b"23456 data ['resourceconfig.json']"], 0)
    assert (output.source / "failure").exists()


def test_an_images_own_entrypoint_and_working_directory_are_used(bench, make_image):
    image = make_image("entrypoint", Entrypoint=["sh", "-c", "echo $0 in $PWD"], WorkingDir="/opt/program")
    lines, _ = bench.run(bench.spec("train", image=image, entrypoint=()))
    assert lines == [b"train in /opt/program"]


def test_an_image_is_asked_for_its_python_once(bench, make_image, api):
    image = make_image("python", Entrypoint=["false"])
    found = bench.engine.inspect_python(image)
    ours = bench.engine.inspect_python(bench.image)
    assert (found.version, found.packages, found.glibc) == (ours.version, ours.packages, ours.glibc)
    assert found.platform.startswith("linux/")
    since = time.time()
    assert bench.engine.inspect_python(image) == found
    asked = api.events(since=since, until=time.time(), filters={"event": "create", "image": image}, decode=True)
    assert list(asked) == []


def test_an_image_without_python_says_so(bench, make_image):
    assert bench.engine.inspect_python(make_image("none", Env=["PATH=/nowhere"])).version is None


def test_a_daemon_that_is_not_there_is_explained_with_each_address(home, tmp_path):
    environ = {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
    with pytest.raises(EngineUnavailable, match=r"no such file(.|\n)*setup-engine"):
        open_engine("docker", home, environ)
    engine = open_engine("auto", home, environ)
    assert engine.name == "process"
    assert "Docker does not answer" in engine.describe()


def test_a_daemon_that_does_not_answer_is_given_up_after_two_seconds(home, tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "docker.sock"))
        listener.listen()
        began = time.monotonic()
        assert open_engine("auto", home, {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}).name == "process"
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("choice", ["auto", "docker"])
def test_docker_is_chosen_when_it_answers(home, choice):
    engine = open_engine(choice, home)
    assert isinstance(engine, DockerEngine)
    engine.close()


def test_there_is_no_fourth_choice(home):
    with pytest.raises(ConfigError, match="podman"):
        open_engine("podman", home)
