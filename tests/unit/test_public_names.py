from __future__ import annotations

import inspect

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
