"""What surrounds the function in its job: verified before it is used, and gone afterwards."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace

import pytest

from sm_remote.wire.launch import build_launch
from tests.integration.runtime.driver import JobTree


def pack(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def first(*commands: str) -> tuple[str, bytes]:
    return "pre_execution", json.dumps({"commands": list(commands)}).encode()


def list_here() -> list[str]:
    import os

    return sorted(os.listdir())


def test_an_altered_command_is_never_run(tree: JobTree) -> None:
    launch = tree.prepare(list_here, objects=[first("touch $TMPDIR/ran; exit 1")])
    ref = launch.manifest.one("pre_execution")
    content = (tree.channel / ref.digest).read_bytes()
    (tree.channel / ref.digest).write_bytes(content.replace(b"ran", b"RAN"))
    ended = tree.finish(launch, tree.start(launch))
    assert ended.exit_code == 13
    assert ended.failure is not None
    assert ref.digest in ended.failure


def test_commands_have_the_images_own_path_not_the_functions(tree: JobTree) -> None:
    tree.add_packages("numpy")
    ended = tree.run(list_here, objects=[first("echo path=${PYTHONPATH-none}"), ("working_directory", pack(a="1"))])
    assert ended.value == ["a"]
    assert "path=none" in ended.lines


def test_output_without_a_newline_does_not_spoil_the_marker(tree: JobTree) -> None:
    ended = tree.run(list_here, objects=[first("printf unfinished")])
    assert ended.value == []
    assert ended.lines[-1] == "unfinished"


def test_bytes_that_are_no_text_pass_through(tree: JobTree) -> None:
    script = json.dumps({"name": "x.sh", "script": "printf '\udcff' | od -An -tx1\n"}).encode()
    assert " ff" in tree.run(list_here, objects=[("pre_execution", script)]).lines


def test_a_failure_names_command_code_and_the_end_of_long_output(tree: JobTree) -> None:
    ended = tree.run(list_here, objects=[first("seq 1 5000; echo the very end; exit 9")])
    assert ended.exit_code == 1
    assert ended.failure is not None
    assert len(ended.failure) <= 1000
    assert "failed with exit code 9" in ended.failure
    assert ended.failure.rstrip().endswith("the very end")
    assert "seq 1 5000" in ended.failure


@pytest.fixture
def conda(tmp_path) -> str:
    """A conda root with an environment `science` whose Python is this one."""
    root = tmp_path / "conda root"
    environment = root / "envs" / "science"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", environment], check=True)
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "only_in_science.py").write_text("value = 7\n")
    return str(root)


def ask_environment() -> tuple[object, ...]:
    import os
    import shutil

    import only_in_science

    names = ("CONDA_DEFAULT_ENV", "SM_REMOTE_CONDA_ENV")
    return only_in_science.value, *map(os.environ.get, names), shutil.which("python3").split(os.sep)[-3]


def launch_in(tree: JobTree, launch, name: str | None, **environ: str):
    _, arguments = build_launch(launch.manifest.one("runtime"), _manifest_ref(tree, launch), conda_env=name)
    changed = replace(launch, arguments=arguments)
    process = subprocess.Popen(
        changed.command,
        env={
            "SM_REMOTE_ML_ROOT": str(tree.root),
            "TMPDIR": str(tree.temporary),
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            **environ,
        },
        cwd=tree.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return tree.finish(changed, process)


def _manifest_ref(tree: JobTree, launch):
    from sm_remote.wire.digest import BlobRef

    return BlobRef(digest=launch.manifest_digest, size_bytes=(tree.channel / launch.manifest_digest).stat().st_size)


@pytest.mark.parametrize("variable", ["CONDA_ROOT", "MAMBA_ROOT_PREFIX"])
def test_the_function_runs_in_the_conda_environment_that_was_named(tree: JobTree, conda: str, variable: str) -> None:
    ended = launch_in(tree, tree.prepare(ask_environment), "science", **{variable: conda})
    assert ended.value == (7, "science", None, "science")


def test_the_image_may_name_the_environment_and_the_call_comes_first(tree: JobTree, conda: str) -> None:
    named = {"SAGEMAKER_JOB_CONDA_ENV": "science", "CONDA_ROOT": conda}
    assert launch_in(tree, tree.prepare(ask_environment), None, **named).value == (7, "science", None, "science")
    named["SAGEMAKER_JOB_CONDA_ENV"] = "art"
    assert launch_in(tree, tree.prepare(ask_environment), "science", **named).value == (7, "science", None, "science")
    ended = launch_in(tree, tree.prepare(ask_environment), None, **named)
    assert ended.failure is not None
    assert "no conda environment 'art'" in ended.failure


def test_conda_is_found_by_its_program_too(tree: JobTree, conda: str) -> None:
    os.makedirs(f"{conda}/bin")
    with open(f"{conda}/bin/conda", "w") as file:
        file.write("#!/bin/sh\nexit 1\n")
    os.chmod(f"{conda}/bin/conda", 0o755)
    path = f"{conda}/bin:{os.environ['PATH']}"
    assert launch_in(tree, tree.prepare(ask_environment), "science", PATH=path).value[0] == 7


def test_an_environment_that_the_image_lacks_is_refused_with_the_places(tree: JobTree, conda: str) -> None:
    ended = launch_in(tree, tree.prepare(ask_environment), "art", CONDA_ROOT=conda)
    assert ended.exit_code == 13
    assert ended.failure is not None
    assert "no conda environment 'art'" in ended.failure
    assert f"{conda}/envs/art" in ended.failure
