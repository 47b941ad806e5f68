from __future__ import annotations

import json

import pytest

from sm_remote.capture.environment import find_environment
from sm_remote.capture.modules import locate


@pytest.fixture
def pins_of():
    def find(*names: str) -> list[str]:
        return list(find_environment({name: locate(name) for name in names}, {}).pins)

    return find


def test_what_a_distribution_requires_comes_too(install, pins_of):
    install("root", files={"root.py": ""}, requires=("middle>=1",))
    install("middle", "1.5", files={"middle.py": ""}, requires=("leaf; python_version > '3'",))
    install("leaf", files={"leaf.py": ""}, requires=("root",))
    install("unrelated", files={"unrelated.py": ""})
    assert pins_of("root") == ["leaf==1.0", "middle==1.5", "root==1.0"]


def test_markers_and_extras_are_honoured(install, pins_of):
    install("root", files={"root.py": ""}, requires=("opt[fast]", "never; sys_platform == 'amiga'"))
    install("opt", files={"opt.py": ""}, requires=("speed; extra == 'fast'", "docs-tool; extra == 'docs'"))
    for name in ("speed", "docs-tool", "never"):
        install(name, files={f"{name.replace('-', '_')}.py": ""})
    assert pins_of("root") == ["opt==1.0", "root==1.0", "speed==1.0"]


def test_requirements_that_are_not_installed_and_malformed_ones_are_passed_over(install, pins_of):
    install("root", files={"root.py": ""}, requires=("absent-one", "this is (not) a requirement !!"))
    assert pins_of("root") == ["root==1.0"]


def test_sm_remote_and_editable_installs_are_never_among_them(install, pins_of):
    editable = json.dumps({"url": "file:///src", "dir_info": {"editable": True}})
    install("root", files={"root.py": ""}, requires=("sm-remote", "mine"))
    install("sm-remote", files={}, requires=("boto3",))
    install("mine", files={}, requires=("leaf",), extra_files={"direct_url.json": editable})
    install("leaf", files={"leaf.py": ""})
    assert pins_of("root") == ["leaf==1.0", "root==1.0"]


def test_each_distribution_says_why_it_is_there(install):
    install("root", files={"root.py": ""}, requires=("leaf",))
    install("leaf", files={"leaf.py": ""})
    found = find_environment({"root": locate("root")}, {"root": "imported in train()"})
    assert found.why == {"root": "root: imported in train()", "leaf": "required by root"}


def test_nothing_installed_needs_no_index():
    assert find_environment({}, {}).distributions == ()
