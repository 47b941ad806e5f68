from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sm_remote
from sm_remote import errors
from sm_remote.runtime import api


def test_every_public_name_leads_somewhere():
    assert sorted(set(sm_remote.__all__)) == sorted(sm_remote.__all__)
    for name in sm_remote.__all__:
        assert getattr(sm_remote, name) is not None
    assert set(sm_remote.__all__) <= set(dir(sm_remote))


def test_every_error_is_public():
    defined = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    assert defined <= set(sm_remote.__all__)


def test_every_name_that_is_no_error_means_something_inside_a_job():
    for name in sm_remote._CLIENT_MODULES:
        assert hasattr(api, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = sm_remote.nothing


def test_every_public_name_is_explained_somewhere():
    root = Path(__file__).parents[2]
    documents = "".join(path.read_text() for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))])
    assert [name for name in sm_remote.__all__ if not re.search(rf"\b{name}\b", documents)] == []


def test_every_client_name_is_imported_when_it_is_used():
    program = "import sys, sm_remote; print(*(m for m in sys.modules if m.startswith('sm_remote')))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["sm_remote"]
