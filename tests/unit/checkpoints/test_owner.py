"""Two functions of one name are told apart by where they are from, as far as that is known."""

from __future__ import annotations

import pytest

from sm_remote.checkpoints.owner import Owner


def own(home: str | None, function: str | None = "train") -> Owner:
    return Owner(function=function, home=home)


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("a.ipynb", "b.ipynb", True),
        ("package.fit", "package.evaluate", True),
        ("package.fit.Model", "package.fit.Other", True),
        ("fit", "package.fit", False),
        ("it", "package.fit", True),
        ("a.ipynb", "a.ipynb", False),
        ("a.ipynb", None, False),
        (None, None, False),
    ],
)
def test_homes_differ_where_both_are_known(one: str | None, other: str | None, differs: bool) -> None:
    assert own(one).is_other_home(own(other)) is differs
    assert own(other).is_other_home(own(one)) is differs


def test_another_name_is_another_function() -> None:
    assert own(None).is_other_function(own(None, "evaluate"))
    assert not own(None).is_other_function(own("x"))
    assert not own(None).is_other_function(own(None, None))
    assert own("a.ipynb").describe(own("b.ipynb")) == "train of a.ipynb"
    assert own("a.ipynb").describe(own("b.ipynb", "evaluate")) == own(None).describe(own(None)) == "train"
