from __future__ import annotations

import os

import pytest

from sm_remote.capture.alterations import find_alterations, forget_findings
from sm_remote.capture.distributions import read_index


@pytest.fixture(autouse=True)
def look_again():
    forget_findings()
    yield
    forget_findings()


@pytest.fixture
def package(install):
    return install("pkg-a", files={"pkg_a/__init__.py": "VALUE = 41\n", "pkg_a/data.txt": "x"})


def find() -> tuple[str, ...]:
    forget_findings()
    return find_alterations(read_index().by_name["pkg-a"])


def test_what_an_installer_left_is_unaltered(package):
    assert find() == ()


def test_another_size_is_an_alteration_whatever_the_time(package):
    before = (package / "pkg_a/data.txt").stat()
    (package / "pkg_a/data.txt").write_text("xy")
    os.utime(package / "pkg_a/data.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert find() == ("pkg_a/data.txt",)


def test_the_same_size_written_later_is_looked_into(package):
    later = (package / "pkg_a/__init__.py").stat().st_mtime + 3600
    os.utime(package / "pkg_a/__init__.py", (later, later))
    assert find() == ()
    (package / "pkg_a/__init__.py").write_text("VALUE = 42\n")
    os.utime(package / "pkg_a/__init__.py", (later, later))
    assert find() == ("pkg_a/__init__.py",)


def test_a_file_that_is_gone_is_an_alteration(package):
    (package / "pkg_a/__init__.py").unlink()
    assert find() == ("pkg_a/__init__.py",)


def test_a_file_that_two_distributions_bring_is_the_later_ones(package, install):
    install("pkg-b", files={"pkg_a/data.txt": "longer", "pkg_b.py": ""})
    assert find() == ()


def test_what_has_no_record_cannot_be_checked(install):
    folder = install("pkg-a", files={"pkg_a.py": ""}, record=False)
    (folder / "pkg_a.py").write_text("other")
    assert find() == ()


def test_a_finding_holds_for_a_while(package):
    now = [0.0]
    one = read_index().by_name["pkg-a"]
    assert find_alterations(one, clock=lambda: now[0]) == ()
    (package / "pkg_a/data.txt").write_text("longer")
    assert find_alterations(one, clock=lambda: now[0]) == ()
    now[0] = 60
    assert find_alterations(one, clock=lambda: now[0]) == ("pkg_a/data.txt",)
