from __future__ import annotations

import platform
import sys

import pytest

from sm_remote.capture.distributions import read_index
from sm_remote.capture.fitting import find_platform, fits
from sm_remote.capture.interpreter import TargetPython

MINOR = ".".join(platform.python_version_tuple()[:2])
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="speaks of this platform's own tags"
)


def platform_of(**facts):
    return find_platform(TargetPython(version=MINOR, same_as_host=False, **facts), store_is_local=True)


@pytest.mark.parametrize(
    ("tag", "glibc", "machine", "fit"),
    [
        ("py3-none-any", None, "aarch64", True),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", (2, 17), "x86_64", True),
        ("cp311-cp311-manylinux_2_35_x86_64", None, "x86_64", False),
        ("cp311-cp311-manylinux_2_35_x86_64", (2, 36), "x86_64", True),
        ("cp311-cp311-manylinux2014_x86_64", None, "aarch64", False),
        ("cp311-cp311-linux_x86_64", None, "x86_64", False),
        ("cp311-cp311-musllinux_1_2_x86_64", None, "x86_64", False),
        ("cp311-cp311-macosx_11_0_arm64", None, "x86_64", False),
    ],
)
def test_a_wheels_tags_say_where_its_files_work(install, tag, glibc, machine, fit):
    install("pkg", files={"pkg.py": ""}, extra_files={"WHEEL": f"Wheel-Version: 1.0\nTag: {tag}\n"})
    target = platform_of(machine=machine, glibc=glibc)
    assert fits(read_index().by_name["pkg"], target) is fit


def test_without_tags_only_what_is_not_native_works_elsewhere(install):
    install("pure", files={"pure.py": ""})
    install("native", files={"native.cpython-311.so": ""})
    by_name = read_index().by_name
    assert fits(by_name["pure"], platform_of())
    assert not fits(by_name["native"], platform_of())
    here = find_platform(TargetPython(version=MINOR, same_as_host=True), store_is_local=True)
    assert fits(by_name["native"], here)


def test_a_job_on_sagemaker_runs_on_x86_64_unless_more_is_known():
    python = TargetPython(version=MINOR, same_as_host=False)
    assert find_platform(python, store_is_local=False).uv_name == "x86_64-manylinux_2_28"
    assert platform_of(machine="aarch64", glibc=(2, 31)).uv_name == "aarch64-manylinux_2_31"
