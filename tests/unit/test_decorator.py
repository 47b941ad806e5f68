"""A decorated callable keeps its own things apart from ours."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from sm_remote import remote
from sm_remote.runtime.api import in_job


class Model:
    """A callable object whose attributes have names of ours."""

    def __init__(self) -> None:
        self._func = self._arguments = self.options = self.submit = 5

    def __call__(self, x: int) -> int:
        return x + self._func


@pytest.mark.parametrize("decorate", [remote, in_job])
def test_an_objects_attributes_do_not_hide_ours(decorate: Any) -> None:
    decorated = decorate(Model())
    assert decorated.local(2) == 7
    assert callable(decorated.submit)
    assert callable(decorated.options)


@pytest.mark.parametrize("decorate", [remote, in_job])
def test_a_callable_object_in_a_class_is_no_method(decorate: Any) -> None:
    class Holder:
        power = decorate(partial(pow, 2))

    assert Holder().power.local(3) == 8
