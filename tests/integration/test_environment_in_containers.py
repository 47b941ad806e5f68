"""Packages that a container brings into being itself: unpacked from an archive, kept by a warm pool, or installed."""

from __future__ import annotations

import json
import os
import platform
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sm_remote.capture.call import CapturedCall, capture_call
from sm_remote.capture.interpreter import TargetPython
from sm_remote.capture.runtime_zip import build_runtime_zip
from sm_remote.home import Home
from sm_remote.service.engines.docker.connection import connect_docker
from sm_remote.service.engines.docker.engine import DockerEngine
from sm_remote.service.engines.engine import Mount
from sm_remote.wire import manifest as roles
from sm_remote.wire.digest import BlobRef, digest_bytes
from sm_remote.wire.launch import build_launch
from sm_remote.wire.manifest import ManifestObject
from sm_remote.wire.outcome import load_object, read_header
from tests.cells import run_cell
from tests.engines import Bench
from tests.unit.capture.memory_store import MemoryStore

pytestmark = pytest.mark.docker

CACHE = "/opt/ml/sagemaker/warmpoolcache"
HERE = TargetPython(version=platform.python_version(), same_as_host=True)


@pytest.fixture
def bench(docker_engine_required: None, home: Home, tmp_path: Path) -> Iterator[Bench]:
    client = connect_docker(os.environ)
    bench = Bench(DockerEngine(client, home), home, tmp_path)
    yield bench
    bench.close()
    client.close()


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a container did."""

    lines: list[str]
    code: int
    value: Any
    failure: str


def run_call(bench: Bench, directory: Path, call: CapturedCall, objects: dict[str, bytes], **spec: Any) -> Run:
    """Runs a captured call in a container as SageMaker would: its objects lie in a channel, nothing else is mounted."""
    channel = directory / "input" / "data" / "sm_remote"
    channel.mkdir(parents=True)
    (directory / "output").mkdir()
    for each in (*call.manifest.objects, ManifestObject(role="manifest", ref=call.manifest_ref)):
        (channel / each.ref.digest).write_bytes(objects[f"blobs/{each.ref.digest}"])
    mounts = [Mount(source=directory / name, target=f"/opt/ml/{name}", read_only=False) for name in ("input", "output")]
    base = bench.spec(
        mounts=[*mounts, *spec.pop("mounts", ())], entrypoint=call.entrypoint, memory_bytes=2 << 30, **spec
    )
    lines, ended = bench.run(replace(base, arguments=call.arguments))
    outcome = directory / "output" / "data" / "sm_remote" / "outcome"
    failure = directory / "output" / "failure"
    return Run(
        lines=[line.decode() for line in lines],
        code=ended.code,
        value=load_object(outcome, read_header(outcome)) if ended.code == 0 else None,
        failure=failure.read_text() if failure.exists() else "",
    )


def capture(func: Callable[..., Any], store: MemoryStore, home: Home, **options: Any) -> CapturedCall:
    facts = {"dependencies": "auto", "python": HERE, "runtime": build_runtime_zip(), **options}
    return capture_call(func, (), {}, store=store, home=home, **facts)


LOOK = """
def look():
    import numpy, os
    return numpy.__file__, os.stat(numpy.__file__).st_ino, os.path.exists(numpy.__cached__)
"""


def test_a_warm_pool_keeps_what_the_first_job_unpacked_and_the_second_finds_it(
    bench: Bench, home: Home, tmp_path: Path
) -> None:
    """The directory is mounted as a warm pool mounts it: it outlives the container, /tmp does not."""
    store = MemoryStore()
    call = capture(run_cell(LOOK)["look"], store, home)
    (tmp_path / "pool").mkdir()
    pool = Mount(source=tmp_path / "pool", target=CACHE, read_only=False)
    named = {"SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY": CACHE}
    runs = [
        run_call(bench, tmp_path / f"job{number}", call, store.objects, mounts=[pool], environment=named)
        for number in range(2)
    ]
    assert [run.code for run in runs] == [0, 0], runs
    digest = call.manifest.one(roles.LAYER_ARCHIVE).digest
    assert runs[0].value[0] == f"{CACHE}/sm_remote/unpacked-{digest}/numpy/__init__.py"
    assert runs[1].value == runs[0].value, "the same files"
    assert runs[0].value[2], "with their bytecode"
    unpacked = [any("environment: unpacked" in line for line in run.lines) for run in runs]
    assert unpacked == [True, False]
    alone = run_call(bench, tmp_path / "alone", call, store.objects)
    assert alone.value[0].startswith("/tmp/")


def test_an_image_without_uv_installs_by_its_own_pip(bench: Bench, home: Home, tmp_path: Path) -> None:
    """What only the job can build: the wheel stands for a build that needs the image's libraries."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "VALUE = 3\n")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    import pip

    own_pip = Mount(source=Path(pip.__file__).parent, target="/opt/own/pip", read_only=True)
    index = Mount(source=wheels, target="/opt/wheels", read_only=True)
    variables = {"PYTHONPATH": "/opt/own", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/opt/wheels"}
    store = MemoryStore()
    captured = capture(run_cell("def look():\n    import tiny\n    return tiny.VALUE\n")["look"], store, home)
    for requirement, goes_well in (("tiny==1.0", True), ("absent==2.0", False)):
        call = add_install(captured, store, [requirement])
        directory = tmp_path / requirement
        run = run_call(bench, directory, call, store.objects, mounts=[own_pip, index], environment=variables)
        said = [line for line in run.lines if line.startswith("sm_remote: environment:")]
        assert said[0].endswith("with pip, which is built for this image")
        if goes_well:
            assert (run.code, run.value) == (0, 3)
            assert said[1].startswith("sm_remote: environment: installed tiny in")
        else:
            assert run.code != 0
            assert "absent==2.0 could not be installed in the job" in run.failure
            assert "No matching distribution found for absent==2.0" in run.failure


def add_install(call: CapturedCall, store: MemoryStore, requirements: list[str]) -> CapturedCall:
    """The call with an object that says what the job installs itself."""
    data = json.dumps({"requirements": requirements, "limit_s": 60}).encode()
    ref = BlobRef(digest=digest_bytes(data), size_bytes=len(data))
    store.put_if_absent(f"blobs/{ref.digest}", data)
    manifest = replace(call.manifest, objects=(*call.manifest.objects, ManifestObject(role=roles.INSTALL, ref=ref)))
    content = manifest.to_json()
    manifest_ref = BlobRef(digest=digest_bytes(content), size_bytes=len(content))
    store.put_if_absent(f"blobs/{manifest_ref.digest}", content)
    entrypoint, arguments = build_launch(manifest.one(roles.RUNTIME), manifest_ref, python=sys.version_info[:2])
    return replace(call, manifest=manifest, manifest_ref=manifest_ref, entrypoint=entrypoint, arguments=arguments)
