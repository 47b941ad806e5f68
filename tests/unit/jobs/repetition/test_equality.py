"""Values are the same to the last bit, or they are not."""

from __future__ import annotations

import copy
from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest

from sm_remote.jobs.repetition.equality import are_equal, tell_apart


class Plain:
    def __init__(self, content):
        self.content = content


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        1.5,
        float("nan"),
        "a",
        b"a",
        {1, 2},
        [1, [2.0, {"a": (3,)}]],
        OrderedDict(a=1),
        np.arange(6.0).reshape(2, 3),
        np.float32(0.1),
        pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        Plain({"weights": np.ones(3)}),
        [Plain(1), Plain([float("nan")])],
    ],
)
def test_a_copy_is_equal(value):
    assert are_equal(value, copy.deepcopy(value))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (True, 1),
        (0.0, -0.0),
        ([1], (1,)),
        ([1], [1, 2]),
        ({"a": 1}, {"a": 2}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (np.ones(3), np.ones(3, dtype=np.float32)),
        (np.ones(3), np.array([1, 1, np.nextafter(1, 2)])),
        (Plain(1), Plain(2)),
        ("a", None),
    ],
)
def test_a_difference_is_seen(one, other):
    assert not are_equal(one, other)


def test_whether_parts_are_one_object_is_no_difference():
    one = np.ones(2)
    assert are_equal(Plain([one, one]), Plain([np.ones(2), np.ones(2)]))


@pytest.mark.parametrize(
    ("expected", "value", "words"),
    [
        (1, 2, "Uninterrupted 1; interrupted 2."),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, "1 of 2 differ: b (2; interrupted 3)."),
        ({"a": None}, {"b": 1}, "2 of 2 differ: a is missing when interrupted; b is there only when interrupted."),
        (dict.fromkeys(range(9), 0), dict.fromkeys(range(9), 1), "0 (0; interrupted 1); 1 (0; interrupted 1)"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "Uninterrupted {'a': 1, 'b': 2}; interrupted {'b': 2, 'a': 1}."),
    ],
)
def test_two_values_are_told_apart_by_their_members(expected, value, words):
    assert words in tell_apart(expected, value)
