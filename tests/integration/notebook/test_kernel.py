"""Cells in a real Jupyter kernel: what their output areas hold."""

from __future__ import annotations

import base64
import re

import pytest

from tests.kernel import Kernel

pytestmark = pytest.mark.service

PNG = b"\x89PNG"


def test_rich_output_stands_where_it_was_displayed(kernel: Kernel) -> None:
    shown = kernel.run(
        """
        %%remote
        class Chart:
            def _repr_html_(self): return "<b>chart</b>"
            def __repr__(self): return "a chart"
        class Both:
            def _repr_mimebundle_(self, include=None, exclude=None):
                return {"text/html": "<i>both</i>", "application/json": {"n": 1}}, {"text/html": {"isolated": True}}
        print("one")
        display(Chart())
        print("two")
        Both()
        """
    )
    assert shown.error is None
    kinds = [kind for kind, _ in shown.outputs]
    first = kinds.index("display")
    assert shown.outputs[first - 1][1].endswith("one\n")
    assert shown.outputs[first][1] == {"text/plain": "a chart", "text/html": "<b>chart</b>"}
    assert shown.outputs[first + 1][1] == "two\n"
    assert shown.displays[1]["text/html"] == "<i>both</i>"
    assert shown.displays[1]["application/json"] == {"n": 1}


def test_a_place_can_be_updated_and_everything_cleared(kernel: Kernel) -> None:
    shown = kernel.run(
        """
        %%remote
        display("gone")
        from IPython.display import HTML, clear_output, display as show
        clear_output(wait=True)
        bar = show(HTML("<p>0</p>"), display_id=True)
        for step in (1, 2):
            bar.update(HTML(f"<p>{step}</p>"))
        """
    )
    assert shown.error is None
    assert [one.get("text/html") for one in shown.displays] == ["<p>2</p>"]


@pytest.mark.slow
def test_figures_that_are_open_at_the_end_are_shown_once(kernel: Kernel) -> None:
    shown = kernel.run(
        """
        %%remote
        import matplotlib.pyplot as plt
        plt.plot([1, 2])
        plt.show()
        print("between")
        figure, axes = plt.subplots()
        axes.bar(["a"], [1])
        figure
        """
    )
    assert shown.error is None, shown.error
    pictures = [base64.b64decode(one["image/png"]) for one in shown.displays]
    assert [one[:4] for one in pictures] == [PNG, PNG]
    assert "between\n" in shown.text
    assert kernel.run("type(figure).__name__").displays[0]["text/plain"] == "'Figure'"


def test_data_frames_come_as_tables(kernel: Kernel) -> None:
    kernel.run("import pandas as pd\nframe = pd.DataFrame({'x': [1, 2]})")
    shown = kernel.run("%%remote\nframe['y'] = frame.x * 2\nframe")
    assert shown.error is None, shown.error
    assert "<table" in shown.displays[0]["text/html"]
    assert kernel.run("int(frame.y.sum())").displays[0]["text/plain"] == "6"


def test_an_exception_shows_the_cells_lines_and_the_cell_has_failed(kernel: Kernel) -> None:
    shown = kernel.run("%%remote\na = 1\ndisplay('seen')\n{}['key']")
    assert shown.error is not None
    name, traceback = shown.error
    plain = re.sub(r"\x1b\[[0-9;]*m", "", traceback)
    assert name == "KeyError"
    assert "----> 4 {}['key']" in plain
    assert "Cell In[2], line 4" in plain
    assert "sm_remote/notebook" not in plain
    assert shown.displays[0]["text/plain"] == "'seen'"
    assert kernel.run("a").displays[0]["text/plain"] == "1"


def test_an_interrupt_stops_the_job_as_it_does_for_a_decorated_function(kernel: Kernel) -> None:
    shown = kernel.run("%%remote\nimport time\nprint('sleeping')\ntime.sleep(600)", interrupt_at="sleeping")
    assert shown.error is not None
    assert shown.error[0] == "KeyboardInterrupt"
    assert "sm_remote" not in shown.error[1]
    assert "is being stopped" in shown.text
    assert "Stop" in kernel.run("%remote jobs").text


def test_an_interrupt_leaves_a_job_that_is_to_go_on(kernel: Kernel) -> None:
    cell = "%%remote --on-interrupt detach\nimport time\nprint('working')\ntime.sleep(2)\nvalue = 3"
    shown = kernel.run(cell, interrupt_at="working")
    name = re.search(r"Training job (\S+) goes on", shown.text)
    assert name is not None
    assert kernel.run(f"%remote attach {name[1]}").error is None
    assert kernel.run("value").displays[0]["text/plain"] == "3"


def test_after_a_restart_attach_brings_output_and_names_back(kernel: Kernel) -> None:
    shown = kernel.run("%%remote --detach\ndef twice(x): return 2 * x\nvalue = twice(21)\ndisplay({'v': value})")
    name = re.search(r"%remote attach (\S+)", shown.text)
    assert name is not None
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=120)
    attached = kernel.run(f"%load_ext sm_remote\n%remote attach {name[1]}")
    assert attached.error is None
    assert attached.displays[0]["text/plain"] == "{'v': 42}"
    assert kernel.run("twice(value)").displays[0]["text/plain"] == "84"


def test_completion_and_help_know_every_flag(kernel: Kernel) -> None:
    reply = kernel.client.complete("%%remote --instance-ty\nx = 1", cursor_pos=22, reply=True, timeout=120)
    assert reply["content"]["matches"] == ["--instance-type"]
    payload = kernel.client.execute("%%remote?", reply=True, timeout=120)["content"]["payload"]
    help_text = payload[0]["data"]["text/plain"]
    for flag in ("--dry-run", "--use-spot-instances, --spot", "--image-uri, --image", "--max-runtime-in-seconds"):
        assert flag in help_text
