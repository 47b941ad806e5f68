"""The image that is made from an interpreter of this machine."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from sm_remote.interpreter import LOCAL_REPOSITORY
from sm_remote.service.engines.docker.connection import connect_docker
from sm_remote.service.engines.docker.images import DockerImages
from sm_remote.service.engines.docker.local_image import add_bytecode, pack_interpreter
from sm_remote.service.engines.docker.rootfs import Rootfs
from sm_remote.service.engines.engine import ImageMissing
from sm_remote.service.engines.interpreter import ask_interpreter, read_interpreter
from tests.engines import record_interpreter


@pytest.fixture
def image(home):
    return record_interpreter(home)


@pytest.fixture
def members(home, image):
    with pack_interpreter(read_interpreter(home, image)) as pieces:
        content = b"".join(pieces)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.getmembers()


def test_the_archive_names_each_path_once_and_parents_first(members):
    seen = set()
    for member in members:
        assert member.name not in seen
        assert not os.path.dirname(member.name) or os.path.dirname(member.name) in seen
        seen.add(member.name)


def test_no_package_of_any_environment_is_in_the_archive(members):
    names = [member.name for member in members]
    assert not [name for name in names if "site-packages/" in name or "dist-packages/" in name]
    assert any(name.endswith("/site-packages") for name in names)


def test_every_module_has_its_bytecode(members, home, image):
    tag = ask_interpreter(read_interpreter(home, image)).cache_tag
    names = {member.name for member in members}
    sources = [Path(name) for name in names if name.endswith(".py")]
    missing = [path for path in sources if f"{path.parent}/__pycache__/{path.stem}.{tag}.pyc" not in names]
    assert len(sources) > 500
    assert len(missing) < 5  # templates and tests that are no valid source


def test_a_user_without_rights_can_reach_everything(members):
    found = {member.name: member for member in members}
    assert all(member.mode & 0o055 == 0o055 for member in members if member.isdir())
    assert all(member.mode & 0o004 for member in members if member.isfile())
    assert found["tmp"].mode == 0o1777
    assert found["root"].mode == 0o755


def test_modules_whose_bytecode_is_missing_or_stale_are_compiled(home, image, tmp_path):
    interpreter = read_interpreter(home, image)
    facts = ask_interpreter(interpreter)
    for name in ("good", "stale", "missing", "broken"):
        (tmp_path / f"{name}.py").write_text("answer = (" if name == "broken" else "answer = 42")
    for name in ("good", "stale"):
        subprocess.run([interpreter.executable, "-m", "py_compile", tmp_path / f"{name}.py"], check=True)
    os.utime(tmp_path / "stale.py", (1, 1))
    rootfs = Rootfs()
    rootfs.add_tree(str(tmp_path), frozenset({"__pycache__"}))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    add_bytecode(rootfs, interpreter, facts, scratch)
    compiled = {path.name.split(".")[0]: source for path, source in rootfs.list_files() if path.suffix == ".pyc"}
    assert {name: source.parent.name for name, source in compiled.items()} == {
        "good": "__pycache__",
        "stale": "scratch",
        "missing": "scratch",
    }
    assert compiled["missing"].read_bytes()[4:8] == b"\x01\0\0\0"  # unchecked: its source may be of any time


def make_image_again(api, home, record: dict[str, str], key: str) -> tuple[DockerImages, str]:
    """Records an interpreter under a key of its own, so that its image is not there yet."""
    (home.interpreters / f"{key}.json").write_text(json.dumps(record))
    return DockerImages(api, home), f"{LOCAL_REPOSITORY}:{record['version']}-{key}"


@pytest.fixture
def api(docker_engine_required):
    client = connect_docker(os.environ)
    yield client
    client.close()


@pytest.mark.docker
def test_an_image_that_several_jobs_want_at_once_is_made_once(api, home, image):
    (record,) = home.interpreters.glob("*.json")
    images, name = make_image_again(api, home, json.loads(record.read_text()), "0123456789ab")
    said: list[str] = []
    threads = [threading.Thread(target=images.prepare, args=(name, said.append)) for _ in range(6)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(said) == 1
        assert images.inspect_python(name).version == json.loads(record.read_text())["version"]
    finally:
        api.remove_image(name)


@pytest.mark.docker
def test_the_systems_python_can_be_packed_too(api, home, image):
    python = Path("/usr/bin/python3")
    if not python.exists():
        pytest.skip("this system has no Python of its own")
    ask = "import platform, sys; print(platform.python_version(), sys.base_prefix)"
    version, prefix = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    record = {"executable": str(python), "base_prefix": prefix, "version": version, "soabi": "", "platform": ""}
    images, name = make_image_again(api, home, record, "ba9876543210")
    try:
        images.prepare(name, print)
        assert images.inspect_python(name).version == version
    finally:
        api.remove_image(name)


def test_an_image_that_nobody_recorded_is_missing(home):
    with pytest.raises(ImageMissing, match="no interpreter is recorded"):
        read_interpreter(home, f"{LOCAL_REPOSITORY}:3.11.7-000000000000")
