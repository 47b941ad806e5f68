"""Cells of a real IPython shell as training jobs, on each engine."""

from __future__ import annotations

from importlib import metadata

import pytest

from sm_remote.errors import CaptureError, ConfigError, UndefinedName
from tests.notebook_shell import Notebook

pytestmark = pytest.mark.service


def test_names_go_and_come_and_the_output_stands_in_its_order(engine: str, notebook: Notebook) -> None:
    notebook.run("rows = [3, 4]\ndef scale(x):\n    return x * factor\nfactor = 10\nunused = object()")
    text = notebook.run(
        """
        %%remote
        print("before")
        display({"a": 1})
        print("after")
        total = sum(scale(row) for row in rows)
        total
        """
    )
    lines = text.splitlines()
    assert lines[0].startswith("sm_remote: sends ")
    assert "rows (" in lines[0]
    assert "scale() (" in lines[0]
    assert "factor (" in lines[0]
    assert "unused" not in text
    assert engine in lines[1].lower()
    assert lines[2:6] == ["before", "{'a': 1}", "after", "70"]
    assert lines[6].startswith("sm_remote: got total (")
    assert notebook.names["total"] == 70


def test_a_value_that_is_changed_in_place_comes_back_and_aliases_stay(notebook: Notebook) -> None:
    notebook.run("history = []\nuntouched = [1]\nmodel = {'steps': history}")
    text = notebook.run(
        """
        %%remote
        model['steps'].append(len(untouched))
        best = history
        """
    )
    assert "model (" in text
    assert "changed in place" in text
    assert "untouched (" not in text.splitlines()[-1]
    assert notebook.names["history"] == [1]
    assert notebook.names["model"]["steps"] is notebook.names["history"]
    assert notebook.names["best"] is notebook.names["history"]


def test_the_last_value_is_the_notebooks_last_value_too(notebook: Notebook) -> None:
    """It is the object that came back under a name, or one of its own, where it is small and can travel."""
    notebook.run("%%remote\nscores = [1, 2]\nscores")
    assert notebook.run("_ is scores, Out[1]").strip().endswith("(True, [1, 2])")
    notebook.run("%%remote\n[scores, 3]")
    assert notebook.run("_[0] is scores, _").strip().endswith("(False, [[1, 2], 3])")
    notebook.run("%%remote\nimport threading\nbytes(2_000_000) if scores else threading.Lock()")
    assert notebook.run("_").strip().endswith("(False, [[1, 2], 3])")
    notebook.run("%%remote\n4;")
    assert 4 not in notebook.names["Out"].values()


def test_modules_functions_and_classes_of_the_cell_live_on_in_the_notebook(notebook: Notebook) -> None:
    notebook.run("offset = 1")
    notebook.run(
        """
        %%remote
        import math, os.path as p
        from json import dumps
        def shift(x):
            return math.floor(x) + offset
        class Point:
            def __init__(self, x): self.x = x
            def moved(self): return Point(shift(self.x))
        origin = Point(0.5)
        """
    )
    notebook.run("offset = 100\nmoved = origin.moved().x, shift(0), dumps([p.basename('a/b')])")
    assert notebook.names["moved"] == (100, 100, '["b"]')
    notebook.run("again = type(origin) is Point")
    assert notebook.names["again"] is True


def test_what_the_notebook_defined_is_itself_when_it_comes_back(notebook: Notebook) -> None:
    notebook.run("class Tally:\n    count = 0\n    def add(self): self.count += 1\ntally = Tally()")
    notebook.run("%%remote\ntally.add()\nother = Tally()")
    assert notebook.names["tally"].count == 1
    assert type(notebook.names["other"]) is notebook.names["Tally"]


def test_a_cell_that_raised_gives_back_what_it_had_assigned_and_shows_its_own_lines(
    engine: str, notebook: Notebook
) -> None:
    text, error = notebook.fail("%%remote\ndone = 5\nprint('so far')\ndone / 0\nnever = 1\n")
    assert isinstance(error, ZeroDivisionError)
    assert notebook.names["done"] == 5
    assert "never" not in notebook.names
    shown = text[text.index("ZeroDivisionError") :]
    assert "----> 4 done / 0" in shown
    assert "interactiveshell.py" not in shown
    assert text.count("division by zero") == 1
    assert text.index("so far") < text.index("got done (")


def test_names_may_be_deleted(notebook: Notebook) -> None:
    notebook.run("old = [1]\nkept = [2]")
    assert "deleted old" in notebook.run("%%remote\nkept.append(old[0])\ndel old")
    assert "old" not in notebook.names
    assert notebook.names["kept"] == [2, 1]


def test_the_line_may_say_what_goes_and_what_comes(notebook: Notebook) -> None:
    notebook.run("a, b = [1], [2]")
    text = notebook.run("%%remote --in a --out c,never\na.append(3)\nc = 'b' in globals()\nd = 1")
    assert text.splitlines()[0].startswith("sm_remote: sends a (")
    assert "did not get never: the cell has not assigned it" in text
    assert notebook.names["c"] is False
    assert notebook.names["a"] == [1]
    assert "d" not in notebook.names


def test_top_level_await_and_one_loop_for_the_whole_cell(notebook: Notebook) -> None:
    notebook.run(
        """
        %%remote
        import asyncio
        async def later(x):
            await asyncio.sleep(0)
            return x
        task = asyncio.ensure_future(later(1))
        first = await task
        del task
        pair = await asyncio.gather(later(first), later(2))
        """
    )
    assert notebook.names["pair"] == [1, 2]


def test_a_name_that_cannot_travel_stays_and_the_others_go(notebook: Notebook) -> None:
    notebook.run("import threading\nlock = threading.Lock()\nn = 1")
    text, error = notebook.fail("%%remote\nm = n + 1\nlock.acquire()")
    assert "cannot send lock: _thread.lock cannot be pickled" in text
    assert isinstance(error, NameError)
    assert "lock is in the notebook, but was not sent" in text
    assert notebook.names["m"] == 2


def test_a_name_that_cannot_come_back_stays_and_the_others_come(notebook: Notebook) -> None:
    text = notebook.run(
        "%%remote\nimport threading\nopened = {'f': [threading.Lock()]}\nrows = (i for i in 'ab')\nn = 1"
    )
    assert "did not get opened: opened['f'][0] is a _thread.lock" in text
    assert "did not get rows: " in text
    assert notebook.names["n"] == 1
    assert "opened" not in notebook.names


def test_an_undefined_name_is_named_before_anything_is_sent(notebook: Notebook) -> None:
    notebook.run("model = 1")
    text, error = notebook.fail("%%remote\nprint('x')\nmodle.fit(frame)")
    assert isinstance(error, UndefinedName)
    assert "Line 3 of the cell reads 'modle'" in text
    assert "Did you mean 'model'?" in text
    assert "'frame' (line 3)" in text
    assert "training job" not in text


def test_a_name_that_the_cell_may_define_is_not_undefined(notebook: Notebook) -> None:
    notebook.run("%%remote\ntry:\n    seen += 1\nexcept NameError:\n    seen = 1")
    assert notebook.names["seen"] == 1


@pytest.mark.parametrize(
    ("cell", "kind", "said"),
    [
        ("%%remote\n\n# nothing\n", ConfigError, "nothing to run"),
        ("%%remote\nx = 1\ny = = 2\n", CaptureError, "line 3"),
        ("%%remote --instnce-type ml.m5.large\n1", ConfigError, "Did you mean --instance-type?"),
        ("%%remote --instance-type ml.m5.lrge\n1", ConfigError, "ml.m5.large"),
        ("%%remote --in nothing\n1", ConfigError, "'nothing'"),
        ("%%remote --out\n1", ConfigError, "names nothing"),
        ("%%remote --target\n1", ConfigError, "--target of %%remote has no value"),
        ("%%remote words\n1", ConfigError, "'words'"),
        ("%%remote\n%time_it x\n1", ConfigError, "Line 2 of the cell: %time_it"),
        ("%%remote\n%pip install pandas\n", ConfigError, "PEP 723"),
        ("%%remote\n%%capture\n1\n", ConfigError, "Write it above"),
        ("%%remote\nreturn 1\n", CaptureError, "line 2"),
    ],
)
def test_a_cell_that_cannot_run_is_refused_with_the_reason(
    notebook: Notebook, cell: str, kind: type[Exception], said: str
) -> None:
    text, error = notebook.fail(cell)
    assert isinstance(error, kind)
    assert said in str(error)
    assert "training job cell" not in text


def test_shell_commands_and_magics_of_a_job_work(notebook: Notebook) -> None:
    notebook.run("word = 'hello'")
    text = notebook.run(
        """
        %%remote
        !echo {word} $word "${HOME:+home}"
        lines = !printf 'a\\nb'
        %cd /
        here = %pwd
        %time took = len(word)
        """
    )
    assert "hello hello home" in text
    assert "Wall time" in text
    assert notebook.names["lines"] == ["a", "b"]
    assert notebook.names["here"] == "/"
    assert notebook.names["took"] == 5


def test_more_than_the_limit_is_asked_about_before_it_goes(notebook: Notebook) -> None:
    notebook.run("%remote --cell-limit-bytes 100000\nbig = bytes(200_000)")
    _, error = notebook.fail("%%remote\nn = len(big)")
    assert "The cell would send 200." in str(error)
    notebook.run("%%remote --yes\nn = len(big)")
    assert notebook.names["n"] == 200_000


def test_more_than_the_limit_stays_with_the_job_until_it_is_agreed_to(notebook: Notebook) -> None:
    text = notebook.run("%%remote --cell-limit-bytes 100000\nprint('made')\nlarge = bytes(200_000)\nsmall = 1")
    assert "made" in text
    assert "large (200." in text
    assert "small" not in notebook.names
    name = text.rpartition("%remote attach ")[2].split()[0]
    notebook.run(f"%remote attach {name} --yes")
    assert len(notebook.names["large"]) == 200_000
    assert notebook.names["small"] == 1


def test_a_detached_cell_goes_on_and_attach_brings_output_and_names(engine: str, notebook: Notebook) -> None:
    notebook.run("seed = 7")
    text = notebook.run("%%remote --detach\nprint('in the job')\nresult = seed * 6")
    assert "in the job" not in text
    name = text.rpartition("%remote attach ")[2].split()[0]
    assert "in the job" in notebook.run(f"%remote attach {name}")
    assert notebook.names["result"] == 42


def test_settings_of_the_session_hold_until_they_are_taken_back(notebook: Notebook) -> None:
    assert "session" in notebook.run("%remote --instance-type ml.c5.xlarge --max-runtime-in-seconds 600")
    assert "as ml.c5.xlarge" in notebook.run("%%remote\n1")
    assert "as ml.m5.xlarge" in notebook.run("%%remote --instance-type ml.m5.xlarge\n1")
    assert "ml.c5.xlarge" not in notebook.run("%remote reset instance-type")
    assert "600" in notebook.run("%remote")
    assert "600" not in notebook.run("%remote reset")


def test_jobs_are_listed(notebook: Notebook) -> None:
    notebook.run("%%remote --job-name-prefix listed\n1")
    assert "listed-" in notebook.run("%remote jobs listed")


def test_attach_gives_the_value_of_a_functions_job_and_its_exception(notebook: Notebook) -> None:
    notebook.run(
        "from sm_remote import remote\n@remote\ndef half(x):\n    print('halving')\n    return 10 / x\n"
        "jobs = [half.submit(4), half.submit(0)]"
    )
    text = notebook.run(f"%remote attach {notebook.names['jobs'][0].name}")
    assert "halving" in text
    assert "2.5" in text
    text, error = notebook.fail(f"%remote attach {notebook.names['jobs'][1].name}")
    assert isinstance(error, ZeroDivisionError)
    assert "return 10 / x" in text


def test_a_dry_run_shows_what_would_travel_and_sends_nothing(notebook: Notebook) -> None:
    notebook.run("import numpy\nrows, data = [1], {'x': numpy.zeros(3)}\ndef total(): return sum(rows)")
    text = notebook.run(
        """
        %%remote --dry-run --instance-type ml.m5.xlarge --inputs $data
        # /// script
        # dependencies = ["six>=1.16"]
        # ///
        result = total()
        """
    )
    assert "name      total" in text
    assert "total()" in text.partition("rows")[2].splitlines()[0]
    assert "six>=1.16" in text
    assert "x: ndarray of 3 as data.npy" in text
    assert "would get result" in text
    assert "no charge; on SageMaker $0.23 an hour" in text
    assert "result" not in notebook.names


def test_the_job_has_what_the_cells_metadata_names_and_no_more(notebook: Notebook) -> None:
    notebook.run(
        """
        %%remote
        # /// script
        # requires-python = ">=3.10"
        # dependencies = ["six>=1.16"]
        # ///
        import importlib.util
        import six
        version = six.__version__
        has_numpy = importlib.util.find_spec("numpy") is not None
        """
    )
    assert notebook.names["version"] == metadata.version("six")
    assert not notebook.names["has_numpy"]
    _, error = notebook.fail('%%remote\n# /// script\n# requires-python = ">=3.99"\n# ///\n1')
    assert isinstance(error, ConfigError)
    assert ">=3.99" in str(error)


def test_dependencies_that_a_cell_cannot_say_are_refused(notebook: Notebook) -> None:
    _, error = notebook.fail("%%remote\n# /// script\n# dependencies = [\n# ///\n1")
    assert isinstance(error, ConfigError)
