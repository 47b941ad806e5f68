from __future__ import annotations

import functools
import threading
from collections import namedtuple

import pytest

from sm_remote.wire.unpicklable import find_unpicklable

LOCK = threading.Lock()
Pair = namedtuple("Pair", "left right")


class Model:
    def __init__(self, lock):
        self.layers = [1, lock]

    def fit(self):
        pass


class Slotted:
    __slots__ = ("lock",)

    def __init__(self, lock):
        self.lock = lock


def uses_a_lock():
    return LOCK


def with_closure():
    lock = LOCK

    def inner():
        return lock

    return inner


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (LOCK, "result"),
        ([1, LOCK], "result[1]"),
        ({"a": {"b c": LOCK}}, "result['a']['b c']"),
        ({LOCK: 1}, "a key of result"),
        ({LOCK}, "an element of result"),
        (Model(LOCK), "result.layers[1]"),
        (Slotted(LOCK), "result.lock"),
        (Pair(1, LOCK), "result[1]"),
        (functools.partial(len, LOCK), "result.args[0]"),
        (with_closure(), "lock (used by result)"),
        (lambda x=LOCK: x, "default 1 of result"),
        (Model(LOCK).fit, "result.__self__.layers[1]"),
    ],
)
def test_the_culprit_is_found_wherever_it_hides(value, path):
    culprit = find_unpicklable(value, "result")
    assert culprit.path == path
    assert culprit.type_name == "_thread.lock"
    assert "cannot pickle" in culprit.reason


def test_where_all_is_well_there_is_no_culprit():
    assert find_unpicklable([1, {"a": uses_a_lock.__name__}], "result") is None


def test_a_generator_is_named_as_such():
    assert find_unpicklable((x for x in []), "result").type_name == "generator"


def test_circles_come_to_an_end():
    circle = [LOCK]
    circle.insert(0, circle)
    assert find_unpicklable(circle, "result").path == "result[1]"
