"""An object as a notebook shows it, without IPython."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote.runtime.rendering import render_object


class Rich:
    def __repr__(self) -> str:
        return "rich"

    def _repr_html_(self) -> str:
        return "<b>rich</b>"

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        return b"\x89PNG", {"width": 3}

    def _repr_latex_(self) -> None:
        return None

    def _repr_markdown_(self) -> str:
        raise NotImplementedError


def test_every_method_gives_its_type_and_bytes_are_base64() -> None:
    data, metadata = render_object(Rich())
    assert data == {"text/plain": "rich", "text/html": "<b>rich</b>", "image/png": "iVBORw=="}
    assert metadata == {"image/png": {"width": 3}}


def test_a_bundle_wins_over_the_single_methods() -> None:
    class Bundled(Rich):
        def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
            return {"text/html": "<i>bundle</i>", "application/json": {"n": (1, 2)}, "application/x-none": None}

    data, _ = render_object(Bundled())
    assert data["text/html"] == "<i>bundle</i>"
    assert data["application/json"] == {"n": [1, 2]}
    assert "application/x-none" not in data


def test_a_widget_is_its_text() -> None:
    class Widget:
        def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
            return {"text/plain": "Bar()", "application/vnd.jupyter.widget-view+json": {"model_id": "x"}}

    assert render_object(Widget()) == ({"text/plain": "Bar()"}, {})


def test_include_and_exclude() -> None:
    assert set(render_object(Rich(), include=["text/html"])[0]) == {"text/html"}
    assert set(render_object(Rich(), exclude=["image/png"])[0]) == {"text/plain", "text/html"}


def test_what_displays_itself_is_not_rendered() -> None:
    seen = []

    class Self:
        def _ipython_display_(self) -> None:
            seen.append(self)

    assert render_object(Self()) is None
    assert len(seen) == 1


def test_a_method_that_raises_costs_only_its_own_type(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(Rich):
        def _repr_html_(self) -> str:
            raise ValueError("no")

    assert "text/html" not in render_object(Broken())[0]
    assert "Broken._repr_html_() raised ValueError: no" in capsys.readouterr().err


@pytest.mark.parametrize(
    "obj",
    [
        type("Any", (), {"__getattr__": lambda self, name: lambda *a, **k: "x", "__repr__": lambda self: "any"})(),
        Rich,
        type("Bad", (), {"__repr__": lambda self: 1 / 0})(),
    ],
)
def test_objects_that_answer_to_every_name_classes_and_broken_ones_are_text(obj: object) -> None:
    assert set(render_object(obj)[0]) == {"text/plain"}


def test_long_containers_are_broken_into_lines() -> None:
    text = render_object({f"key {number}": list(range(10)) for number in range(9)})[0]["text/plain"]
    assert text.count("\n") == 8
    assert render_object([1, 2])[0]["text/plain"] == "[1, 2]"
