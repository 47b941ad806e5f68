from __future__ import annotations

import json
import logging
import os
import stat
import sys

import pytest

from sm_remote.capture.choice import Choice
from sm_remote.capture.fitting import TargetPlatform
from sm_remote.capture.installer import fill_layer
from sm_remote.capture.lock import Lock
from sm_remote.capture.resolver import Question, compile_pins
from sm_remote.capture.uv_program import (
    build_uv_environment,
    index_arguments,
    list_indexes,
    run_uv,
)
from sm_remote.errors import DependencyInstallFailed

PIP = {
    "extra-index-url": "file:///a/simple file:///b/simple",
    "index-url": "https://install/simple",
    "find-links": "/wheels /more",
    "cert": "/ca.crt",
}


def test_pips_settings_are_passed_on_with_pips_meaning():
    made = build_uv_environment({"PATH": "/bin"}, PIP)
    assert made == {
        "PATH": "/bin",
        "UV_DEFAULT_INDEX": "https://install/simple",
        "UV_INDEX": "file:///a/simple file:///b/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/ca.crt",
    }


def test_uvs_own_settings_come_first():
    own = {"UV_INDEX_URL": "https://mine", "UV_INDEX": "https://also", "UV_FIND_LINKS": "/x"}
    made = build_uv_environment(own, PIP)
    assert {key: made[key] for key in own} == own
    assert "UV_DEFAULT_INDEX" not in made
    assert "UV_INDEX_STRATEGY" not in made


def test_indexes_are_listed_without_credentials_and_without_folders():
    environ = {"UV_INDEX": "mine=https://me:secret@host/simple?a=b file:///wheels", "UV_FIND_LINKS": "/wheels"}
    assert list_indexes(environ, {"index-url": "https://main/simple"}) == (
        "https://main/simple",
        "https://***@host/simple?a=b",
    )


def test_pips_no_index_holds_unless_uv_was_told_of_one():
    assert index_arguments({}, {"no-index": "true"}) == ["--no-index"]
    assert index_arguments({"UV_INDEX": "https://mine"}, {"no-index": "1"}) == []
    assert index_arguments({}, {"no-index": "0"}) == index_arguments({}, {}) == []


@pytest.fixture
def fake_uv(tmp_path, monkeypatch):
    """A program in uv's place, which does what its text says."""

    def write(code: str) -> None:
        program = tmp_path / "bin" / "uv"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!{sys.executable}\nimport sys, time\n{code}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(program.parent))
        monkeypatch.setitem(sys.modules, "uv", None)

    return write


def test_what_uv_says_comes_back_without_credentials(fake_uv):
    fake_uv("print(sys.stdin.read()); print('see https://me:secret@host/', file=sys.stderr); sys.exit(3)")
    answer = run_uv(["x"], doing="Trying", stdin="text")
    assert (answer.code, answer.output.strip(), answer.tail) == (3, "text", "see https://***@host/")


def test_of_much_that_uv_says_the_beginning_and_the_end_are_kept(fake_uv):
    fake_uv("for n in range(100): print('line', n, file=sys.stderr)")
    lines = run_uv(["x"], doing="Trying").tail.splitlines()
    assert lines[:4] == ["line 0", "line 1", "line 2", "..."]
    assert (len(lines), lines[4], lines[-1]) == (25, "line 79", "line 99")


@pytest.mark.slow
def test_a_run_that_takes_too_long_is_ended_and_says_how_far_it_came(fake_uv):
    fake_uv("print('Building https://u:secret@host/x', file=sys.stderr, flush=True); time.sleep(60)")
    with pytest.raises(DependencyInstallFailed, match=r"Installing 1 package took longer than 1\.5 s") as caught:
        run_uv(["x"], doing="Installing 1 package", limit_s=1.5)
    assert "Building https://***@host/x" in str(caught.value)
    assert "install_limit_s" in caught.value.fix


@pytest.mark.slow
def test_a_run_that_takes_a_while_is_said(fake_uv, caplog):
    fake_uv("time.sleep(1.3)")
    with caplog.at_level(logging.INFO, "sm_remote"):
        run_uv(["x"], doing="Installing 2 packages")
    assert caplog.records[0].message == "Installing 2 packages for the job"
    assert "took" in caplog.records[-1].message


RECORDS = """
import json, pathlib
arguments = sys.argv[1:]
with open(pathlib.Path(__file__).with_name("runs"), "a") as file:
    file.write(json.dumps(arguments) + "\\n")
if "compile" in arguments:
    if "--torch-backend" in arguments and FAILS:
        print("the index of torch cannot be reached", file=sys.stderr)
        sys.exit(1)
    version = "2.9.0+cpu" if "--torch-backend" in arguments else "2.9.0"
    pathlib.Path(arguments[arguments.index("--output-file") + 1]).write_text(f"torch=={version}\\n")
"""


@pytest.fixture
def torch_runs(fake_uv, tmp_path, monkeypatch):
    """Resolves and installs torch for a machine of a kind; gives what uv was called with and the lock's version."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_")) and name != "PIP_CONFIG_FILE"]:
        monkeypatch.delenv(name)

    def run(*, has_gpu, fails=False):
        fake_uv(RECORDS.replace("FAILS", str(fails)))
        target = TargetPlatform(system="linux", machine="x86_64", glibc=(2, 28), is_host=False)
        answer = compile_pins(Question(lines=("torch",), minor="3.11", target=target, has_gpu=has_gpu))
        choice = Choice(lock=Lock(), fetched=answer.pins)
        (tmp_path / "layer").mkdir(exist_ok=True)
        fill_layer(choice, tmp_path / "layer", python="3.11", platform=target, has_gpu=has_gpu, limit_s=60)
        runs = [json.loads(line) for line in (tmp_path / "bin" / "runs").read_text().splitlines()]
        return answer.pins[0].version, [_backend_of(arguments) for arguments in runs]

    return run


def _backend_of(arguments):
    kind = next(word for word in ("compile", "install") if word in arguments)
    platform = arguments[arguments.index("--python-platform") + 1]
    assert platform == "x86_64-manylinux_2_28"
    return kind, arguments[arguments.index("--torch-backend") + 1] if "--torch-backend" in arguments else None


@pytest.mark.slow
def test_without_a_gpu_torch_is_resolved_and_installed_from_the_index_of_cpu_builds(torch_runs):
    assert torch_runs(has_gpu=False) == ("2.9.0+cpu", [("compile", "cpu"), ("install", "cpu")])


@pytest.mark.slow
def test_with_a_gpu_torch_comes_from_the_ordinary_index(torch_runs):
    assert torch_runs(has_gpu=True) == ("2.9.0", [("compile", None), ("install", None)])


@pytest.mark.slow
def test_where_the_index_of_cpu_builds_cannot_be_reached_the_ordinary_one_is_taken_and_that_is_said(torch_runs, caplog):
    assert torch_runs(has_gpu=False, fails=True) == (
        "2.9.0",
        [("compile", "cpu"), ("compile", None), ("install", None)],
    )
    assert "The build of torch for a machine without GPU cannot be had" in caplog.text
