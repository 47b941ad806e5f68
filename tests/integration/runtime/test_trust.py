"""Nothing that is not what the request named is executed or unpickled."""

from __future__ import annotations

import os
import pickle
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sm_remote.wire.digest import BlobRef
from sm_remote.wire.launch import build_launch, read_manifest_digest


class Canary:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def add(array, number):
    return array.sum() + number


def replace_content(tree, ref: BlobRef, content: bytes) -> None:
    path = tree.channel / ref.digest
    path.unlink()
    path.write_bytes(content)


def test_the_canary_sings_where_it_is_meant_to(tree, canary):
    assert tree.run(len, Canary(canary)).exit_code == 1
    assert canary.exists()


def test_an_altered_runtime_is_not_run(tree):
    launch = tree.prepare(add, 1, 2)
    runtime = launch.manifest.one("runtime")
    content = bytearray((tree.channel / runtime.digest).read_bytes())
    content[100] ^= 1
    replace_content(tree, runtime, bytes(content))
    ended = tree.finish(launch, tree.start(launch))
    assert ended.exit_code == 13
    assert ended.failure.startswith("sm_remote: The runtime is not the one that was sent, so nothing was run")
    assert ended.outcome is None


def test_a_runtime_that_is_another_program_is_not_run(tree, canary):
    launch = tree.prepare(add, 1, 2)
    replace_content(tree, launch.manifest.one("runtime"), f"import os;os.mkdir({str(canary)!r})".encode())
    assert tree.finish(launch, tree.start(launch)).exit_code == 13
    assert not canary.exists()


def test_an_absent_runtime_is_said_to_be_absent(tree):
    launch = tree.prepare(add, 1, 2)
    (tree.channel / launch.manifest.one("runtime").digest).unlink()
    ended = tree.finish(launch, tree.start(launch))
    assert ended.exit_code == 13
    assert "The runtime cannot be read" in ended.failure


@pytest.mark.parametrize("role", ["function", "arguments", "buffer"])
@pytest.mark.parametrize("same_size", [True, False])
def test_an_altered_object_is_refused_before_anything_is_unpickled(tree, canary, role, same_size):
    launch = tree.prepare(add, np.arange(200_000.0), 2)
    ref = launch.manifest.all(role)[0]
    forged = pickle.dumps(Canary(canary))
    if same_size:
        forged = forged.ljust(ref.size_bytes, b"\0")
    replace_content(tree, ref, forged)
    ended = tree.finish(launch, tree.start(launch))
    assert ended.exit_code == 13
    assert f"The object {ref.digest} is not the one that was sent, so nothing was run." in ended.failure
    assert type(ended.error).__name__ == "CorruptBlob"
    assert not canary.exists()


def test_a_forged_payload_is_not_unpickled_even_in_the_right_form(tree, canary):
    launch = tree.prepare(add, 1, 2)
    forged, _ = tree.put_value(Canary(canary))
    replace_content(tree, launch.manifest.one("arguments"), (tree.channel / forged.digest).read_bytes())
    assert tree.finish(launch, tree.start(launch)).exit_code == 13
    assert not canary.exists()


def test_function_and_arguments_cannot_be_exchanged(tree):
    launch = tree.prepare(add, 1, 2)
    function, arguments = launch.manifest.one("function"), launch.manifest.one("arguments")
    content = (tree.channel / function.digest).read_bytes()
    replace_content(tree, function, (tree.channel / arguments.digest).read_bytes())
    replace_content(tree, arguments, content)
    assert tree.finish(launch, tree.start(launch)).exit_code == 13


def test_an_altered_manifest_is_refused(tree, canary):
    launch = tree.prepare(add, 1, 2)
    forged, _ = tree.put_value(Canary(canary))
    objects = tuple(replace(each, ref=forged) if each.role == "function" else each for each in launch.manifest.objects)
    ref = BlobRef(digest=launch.manifest_digest, size_bytes=0)
    replace_content(tree, ref, replace(launch.manifest, objects=objects).to_json())
    ended = tree.finish(launch, tree.start(launch))
    assert ended.exit_code == 13
    assert ended.failure.startswith("sm_remote: The manifest was refused, so nothing was run: its digest is ")
    assert not canary.exists()


def test_a_buffer_that_the_manifest_does_not_name_is_refused(tree):
    launch = tree.prepare(add, np.arange(200_000.0), 2)
    objects = tuple(each for each in launch.manifest.objects if each.role != "buffer")
    manifest = tree.put(replace(launch.manifest, objects=objects).to_json())
    _, arguments = build_launch(launch.manifest.one("runtime"), manifest)
    changed = replace(launch, arguments=arguments, manifest_digest=manifest.digest)
    ended = tree.finish(changed, tree.start(changed))
    assert ended.exit_code == 13
    assert "which the manifest does not name" in ended.failure


def test_another_python_is_refused_and_both_versions_are_named(tree):
    launch = tree.prepare(add, 1, 2)
    _, arguments = build_launch(
        launch.manifest.one("runtime"), BlobRef(digest=launch.manifest_digest, size_bytes=0), python=(3, 7)
    )
    changed = replace(launch, arguments=arguments)
    ended = tree.finish(changed, tree.start(changed))
    assert ended.exit_code == 13
    assert ended.failure.startswith("sm_remote: The function was pickled by Python 3.7, and the image has Python 3.1")


def test_a_preloaded_sm_remote_is_forgotten(tree):
    """As where an image's .pth file has imported another version."""

    def version():
        import cloudpickle

        import sm_remote

        return sm_remote.__spec__.loader.archive, cloudpickle.__spec__.loader.archive

    launch = tree.prepare(version)
    fake = "import sys,types;sys.modules.update({n:types.ModuleType(n) for n in ('sm_remote','cloudpickle')});"
    entrypoint = (*launch.entrypoint[:2], fake + launch.entrypoint[2])
    changed = replace(launch, entrypoint=entrypoint)
    ours, theirs = tree.finish(changed, tree.start(changed)).value
    assert ours == theirs
    assert ours.endswith("/runtime.zip")


def test_the_private_directory_is_private(tree):
    def look(directory):
        import os

        (name,) = os.listdir(directory)
        return os.stat(f"{directory}/{name}").st_mode

    assert stat.S_IMODE(tree.run(look, str(tree.temporary)).value) == 0o700


def test_the_manifests_digest_is_read_from_a_launch_and_from_nothing_else(tree):
    launch = tree.prepare(add, 1, 2)
    assert read_manifest_digest(launch.arguments) == launch.manifest_digest
    assert read_manifest_digest(None) is None
    assert read_manifest_digest(["train", "--epochs", "3", "a" * 64]) is None
