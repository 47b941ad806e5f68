from __future__ import annotations

import logging
import stat
import sys

import pytest

from sm_remote.capture.uv_program import build_uv_environment, index_arguments, list_indexes, parse_pip_settings, run_uv
from sm_remote.errors import DependencyInstallFailed

PIP = """global.extra-index-url='file:///a/simple file:///b/simple'
global.index-url='https://global/simple'
install.index-url='https://install/simple'
install.find-links='/wheels\\n/more'
:env:.cert='/ca.crt'
user.name='x'
not a line
"""


def test_pips_settings_are_read_in_pips_order():
    assert parse_pip_settings(PIP) == {
        "extra-index-url": "file:///a/simple file:///b/simple",
        "index-url": "https://install/simple",
        "find-links": "/wheels /more",
        "cert": "/ca.crt",
    }


def test_pips_settings_are_passed_on_with_pips_meaning():
    made = build_uv_environment({"PATH": "/bin"}, parse_pip_settings(PIP))
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
    made = build_uv_environment(own, parse_pip_settings(PIP))
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
