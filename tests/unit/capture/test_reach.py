from __future__ import annotations

from sm_remote.capture.reach import find_reach

PROJECT = {
    "project/__init__.py": "",
    "project/train.py": "from project.data import load\nfrom . import model\nimport numpy as np\n",
    "project/data/__init__.py": "from .reading import load\n",
    "project/data/reading.py": "import helpers\ntry:\n    import not_installed\nexcept ImportError: ...\n",
    "project/data/unrelated.py": "import pandas\n",
    "project/model.py": "class Model: ...\n",
    "project/secrets.txt": "not code",
    "helpers.py": "import json\n",
    "other.py": "",
}


def test_only_what_is_reached_travels_with_its_packages(write_tree):
    write_tree(PROJECT)
    reach = find_reach({"project.train": "asked for"})
    assert set(reach.local) == {
        *("project", "project.train", "project.data", "project.data.reading", "project.model", "helpers")
    }
    assert set(reach.installed) == {"numpy"}
    assert reach.missing == ("not_installed",)


def test_each_module_says_what_brought_it(write_tree):
    write_tree(PROJECT)
    why = find_reach({"project.train": "asked for"}).why
    assert why["project.train"] == "asked for"
    assert why["helpers"] == "imported by project.data.reading"
    assert why["numpy"] == "imported by project.train"


def test_modules_that_import_each_other_are_followed_once(write_tree):
    write_tree({"one.py": "import two", "two.py": "import one"})
    assert set(find_reach({"one": ""}).local) == {"one", "two"}


def test_a_name_that_is_no_module_is_not_missing(write_tree):
    write_tree({"pkg/__init__.py": "", "pkg/a.py": "VALUE = 1", "user.py": "from pkg.a import VALUE\n"})
    reach = find_reach({"user": ""})
    assert set(reach.local) == {"user", "pkg", "pkg.a"}
    assert reach.missing == ()


def test_star_imports_bring_the_modules_that_a_package_exports(write_tree):
    write_tree(
        {"pkg/__init__.py": "__all__ = ['part']", "pkg/part.py": "", "pkg/other.py": "", "u.py": "from pkg import *"}
    )
    assert set(find_reach({"u": ""}).local) == {"u", "pkg", "pkg.part"}


def test_a_package_that_imports_by_name_travels_whole_but_for_its_tests(write_tree):
    write_tree(
        {
            "plug/__init__.py": "import importlib\ndef load(n): return importlib.import_module('plug.' + n)",
            "plug/one.py": "",
            "plug/deep/two.py": "",
            "plug/tests/test_one.py": "import pytest",
            "plug/conftest.py": "import pytest",
        }
    )
    assert set(find_reach({"plug": ""}).local) == {"plug", "plug.one", "plug.deep", "plug.deep.two"}


def test_a_changed_file_is_read_again(write_tree):
    root = write_tree({"changing.py": "import first_one", "first_one.py": "", "second_one.py": ""})
    assert "first_one" in find_reach({"changing": ""}).local
    (root / "changing.py").write_text("import second_one  # longer than before")
    assert set(find_reach({"changing": ""}).local) == {"changing", "second_one"}


def test_what_sm_remote_brings_along_is_no_dependency(write_tree):
    write_tree({"user_module.py": "from sm_remote import remote\nimport cloudpickle, os, sys\n"})
    reach = find_reach({"user_module": "", "sm_remote.runtime.api": "", "__main__": ""})
    assert set(reach.local) == {"user_module"}
    assert not reach.installed
