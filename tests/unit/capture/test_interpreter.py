from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import stat
import subprocess

from sm_remote.capture.interpreter import TargetPython, describe_interpreter, local_image_uri, register_interpreter


def test_the_running_interpreter_is_described_outside_its_virtual_environment():
    here = describe_interpreter()
    assert here.version == platform.python_version()
    assert not os.path.islink(here.executable)
    question = "import sys; print(sys.base_prefix == sys.prefix, sys.prefix)"
    answer = subprocess.run([here.executable, "-I", "-c", question], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True", here.base_prefix]


def test_its_image_is_named_after_version_and_record():
    assert re.fullmatch(r"sm-remote-local/python:3\.\d+\.\d+\w*-[0-9a-f]{12}", local_image_uri(describe_interpreter()))


def test_a_plus_in_a_version_does_not_get_into_the_images_tag():
    assert "+" not in local_image_uri(dataclasses.replace(describe_interpreter(), version="3.13.0+"))


def test_elsewhere_the_official_image_of_the_same_minor_version_is_used(home):
    mac = dataclasses.replace(describe_interpreter(), version="3.12.4", platform="macosx-14.0-arm64")
    assert local_image_uri(mac) == "python:3.12-slim"
    assert register_interpreter(home, mac) is None


def test_the_record_is_written_once_for_its_owner_alone(home):
    here = describe_interpreter()
    path = register_interpreter(home, here)
    assert path is not None
    assert path.name == f"{here.key}.json"
    assert json.loads(path.read_text())["executable"] == here.executable
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.stat().st_mtime_ns
    register_interpreter(home, here)
    assert path.stat().st_mtime_ns == before


def test_a_targets_minor_version_is_its_first_two_parts():
    assert {TargetPython(version=text, same_as_host=False).minor for text in ("3.11", "3.11.7")} == {"3.11"}
