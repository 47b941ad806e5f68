from __future__ import annotations

import os
import sys

import pytest

from sm_remote.capture import pip_settings
from sm_remote.capture.pip_settings import list_pip_files, parse_pip_settings, read_pip_settings

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


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["XDG_CONFIG_DIRS", "XDG_CONFIG_HOME", "HOME", "PIP_CONFIG_FILE"])
def test_a_file_of_pips_settings_is_found_where_pip_finds_it(tmp_path, monkeypatch, variable):
    """pip itself is asked whenever there is such a file; without one, only its variables count."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_TIMEOUT", "77")  # another key for what is remembered in this process
    names = {"HOME": ".pip/pip.conf", "PIP_CONFIG_FILE": "pip.conf"}
    path = tmp_path / names.get(variable, "pip/pip.conf")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[global]\nkeyring-provider = import\n")
    monkeypatch.setenv(variable, str(path if variable == "PIP_CONFIG_FILE" else tmp_path))
    assert path in list_pip_files(os.environ)
    pip_settings._read_pip_settings.cache_clear()
    assert read_pip_settings()["keyring-provider"] == "import"
    pip_settings._read_pip_settings.cache_clear()


def test_without_a_file_of_pips_settings_pip_is_not_asked(monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://mine/simple")
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert read_pip_settings() == {"config-file": os.devnull, "extra-index-url": "https://mine/simple"}
