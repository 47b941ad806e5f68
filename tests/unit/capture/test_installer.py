from __future__ import annotations

import platform
import zipfile

import pytest

from sm_remote.capture.installer import (
    build_uv_environment,
    ensure_resolved_layer,
    find_failing_requirement,
    parse_pip_settings,
    resolved_key,
)
from sm_remote.capture.requirements import Requirements, read_dependencies
from sm_remote.errors import DependencyInstallFailed

pytestmark = pytest.mark.slow  # starts interpreters and uv

MINOR = ".".join(platform.python_version_tuple()[:2])
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


def test_the_key_tells_requirements_python_and_platform_apart():
    one, two = (Requirements(lines=(text,), text=text) for text in ("a", "b"))
    keys = {
        resolved_key(one, python="3.11", platform=None),
        resolved_key(two, python="3.11", platform=None),
        resolved_key(one, python="3.12", platform=None),
        resolved_key(one, python="3.11", platform="x86_64-manylinux_2_28"),
    }
    assert len(keys) == 4
    assert resolved_key(one, python="3.11", platform=None) in keys


@pytest.mark.parametrize(
    ("output", "failing"),
    [
        ("Because there is no version of nope==9.9 and you require nope==9.9", "nope==9.9"),
        ("Failed to build `Broken-Build==1`", "broken-build>=1"),
        ("no route to host", "fine, nope==9.9, broken-build>=1"),
    ],
)
def test_the_failing_requirement_is_the_one_that_is_spoken_of(output, failing):
    assert find_failing_requirement(("fine", "nope==9.9", "broken-build>=1"), output) == failing


def test_a_wheel_is_installed_into_a_layer_once(tmp_path, monkeypatch):
    wheel = build_wheel(tmp_path)
    wanted = read_dependencies([str(wheel)])
    assert isinstance(wanted, Requirements)
    key, layer = ensure_resolved_layer(wanted, tmp_path / "layers", python=MINOR, platform=None)
    assert (layer / "tiny.py").read_text() == "VALUE = 7\n"
    assert list(layer.rglob("*.pyc"))
    assert not (layer / "bin").exists()
    assert [path.name for path in layer.glob(".*")] == []
    monkeypatch.setenv("PATH", "")
    assert ensure_resolved_layer(wanted, tmp_path / "layers", python=MINOR, platform=None) == (key, layer)


def test_a_requirement_that_cannot_be_had_is_named_with_what_uv_said(tmp_path, monkeypatch):
    for name in ("UV_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.setenv(name, "1")
    wanted = read_dependencies(["no-such-package-of-ours==9.9"])
    assert isinstance(wanted, Requirements)
    with pytest.raises(DependencyInstallFailed, match=r"no-such-package-of-ours==9\.9") as caught:
        ensure_resolved_layer(wanted, tmp_path / "layers", python=MINOR, platform=None)
    assert "uv said" in caught.value.why
    assert list((tmp_path / "layers").iterdir()) == []


def build_wheel(folder):
    path = folder / "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.py", "VALUE = 7\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\ntiny = tiny:main\n")
        wheel.writestr(f"{info}/RECORD", f"tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path
