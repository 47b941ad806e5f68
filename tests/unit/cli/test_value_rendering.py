from __future__ import annotations

from sm_remote.cli.value_rendering import LONGEST, PACKAGE, render_exception, render_value


def test_a_small_value_is_its_repr() -> None:
    assert render_value({"score": 0.97, "name": "b"}, width=80) == ("{'score': 0.97, 'name': 'b'}\n", "")
    assert render_value(None, width=80) == ("None\n", "")


def test_a_wide_container_has_an_item_a_line_in_its_own_order() -> None:
    text, note = render_value({"zeta": "x" * 30, "alpha": "y" * 30}, width=40)
    assert text == f"{{'zeta': '{'x' * 30}',\n 'alpha': '{'y' * 30}'}}\n"
    assert note == ""


def test_a_long_text_is_cut_with_a_note() -> None:
    class Long:
        def __repr__(self) -> str:
            return "x" * 50_000

    text, note = render_value(Long(), width=80)
    assert text == "x" * LONGEST + "...\n"
    assert note == "The value is cut after 20,000 of 50,000 characters; `-o FILE` writes the whole of it, pickled.\n"


def test_a_huge_container_is_abbreviated_without_being_laid_out() -> None:
    class Untouched:
        def __repr__(self) -> str:
            raise AssertionError("an item far behind the cut was laid out")

    head: list[object] = [[number, {"x": number}] for number in range(100)]
    text, note = render_value([*head, *[Untouched()] * 299_900], width=80)
    assert text.startswith("[[0, {'x': 0}], [1, {'x': 1}]")
    assert len(text) < 1_000
    assert note.startswith("The value (list of 300,000 items) is abbreviated;")


def test_a_container_that_holds_itself_ends() -> None:
    own: list[object] = []
    own.append(own)
    assert "..." in render_value(own, width=80)[0]


def test_an_exception_is_shown_without_the_frames_of_this_program() -> None:
    source = compile("def conclude(run):\n    run()\n", f"{PACKAGE}/jobs/outcome/results.py", "exec")
    ours: dict[str, object] = {}
    exec(source, ours)

    def users() -> None:
        raise ZeroDivisionError("of theirs")

    try:
        ours["conclude"](users)  # type: ignore[operator]
    except ZeroDivisionError as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        text = render_exception(error)
    assert "in conclude" not in text
    assert "in users" in text
    assert text.endswith("ZeroDivisionError: of theirs\n")
