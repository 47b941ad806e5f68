from __future__ import annotations

import numpy as np

from sm_remote.capture.explanation import Item, explain_call, render_size, render_table
from tests.cells import run_cell


def test_everything_that_would_travel_is_listed_with_the_reason(home, here, store, write_tree, install):
    install("leafy", "1.2", files={"leafy.py": "x = 1\n"}, requires=("rooty",))
    install("rooty", files={"rooty.py": ""})
    write_tree({"helpers.py": "import leafy\nimport not_there\n"})
    cell = run_cell("def train(frame, depth):\n import helpers")
    explained = explain_call(cell["train"], (np.zeros(1 << 18), 3), {}, home=home, dependencies="auto", python=here)
    rows = {(item.kind, item.name): item for item in explained}
    assert rows["function", "train()"].size_bytes
    assert rows["arguments", "frame, depth"].size_bytes
    assert rows["module", "helpers"].why == "imported in train()"
    assert rows["package", "leafy==1.2"].why == "leafy: imported by helpers"
    assert rows["package", "rooty==1.0"].why == "required by leafy"
    assert rows["missing", "not_there"].size_bytes is None
    assert [item.size_bytes for item in explained if item.kind == "buffer"] == [(1 << 18) * 8]
    assert list(store.list("")) == []
    assert not home.store.exists()


def test_packages_that_are_asked_for_by_name_are_listed(home, here):
    explained = explain_call(pow, (2, 3), {}, home=home, dependencies=["polars>=1"], python=here)
    assert [item.name for item in explained if item.kind == "package"] == ["polars>=1"]


def test_the_table_is_aligned_and_ends_with_the_total():
    items = [
        Item(kind="function", name="train()", why="it is called", size_bytes=812),
        Item(kind="package", name="numpy==2.4.6", why="w" * 100, size_bytes=57_300_000),
        Item(kind="missing", name="x", why="imported by y", size_bytes=None),
    ]
    text = render_table("train", items)
    assert text.splitlines() == [
        "train() would send",
        f"what      name          why{' ' * 77}     size",
        f"function  train()       it is called{' ' * 68}    812 B",
        f"package   numpy==2.4.6  {'w' * 79}…  57.3 MB",
        f"missing   x             imported by y{' ' * 67}        ?",
        "57.3 MB in all; what is stored already is not sent.",
    ]


def test_an_explanation_prints_and_shows_as_a_table(home, here):
    explained = explain_call(lambda x: x, ("<b>",), {}, home=home, dependencies="auto", python=here)
    assert str(explained) == repr(explained)
    assert "lambda() would send" in str(explained)
    assert ">lambda()</td>" in explained._repr_html_()
    assert len(explained) == len(list(explained))
    assert explained[0].kind == "function"


def test_sizes_read_as_people_write_them():
    assert [render_size(size) for size in (0, 999, 1000, 1_500_000, 2_000_000_000)] == [
        *("0 B", "999 B", "1.0 kB", "1.5 MB", "2.0 GB")
    ]
