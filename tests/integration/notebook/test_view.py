"""The live view of a job, in a real kernel whose front end can be asked for input."""

from __future__ import annotations

import html
import re
import time

import pytest

from tests.kernel import Kernel

pytestmark = pytest.mark.service


def read_card(data: dict[str, str]) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", data["text/html"]))


def test_a_card_above_the_output_follows_the_job_and_stays(kernel: Kernel) -> None:
    shown = kernel.run("%%remote\nimport time\ntime.sleep(1.2)\nprint('text')\nvalue = 1\nvalue", reader=True)
    assert shown.error is None
    kinds = [kind for kind, _ in shown.outputs]
    assert kinds == ["stream", "display", "stream", "display"]
    card = read_card(shown.displays[0])
    assert "✓ Completed" in card
    assert "ml.m5.large on this machine" in card
    assert "no charge" in card
    assert "Training" in card
    assert "got value (" in card
    assert "nterrupt" not in card
    assert shown.text == "sm_remote: sends no names\ntext\n"
    assert shown.displays[0]["text/plain"].startswith("Completed cell-")
    assert shown.counts["update_display_data"] >= 2


def test_the_view_of_an_interrupted_cell_has_no_button_and_follows_its_job_to_the_end(kernel: Kernel) -> None:
    shown = kernel.run("%%remote\nimport time\nprint('going')\ntime.sleep(600)", interrupt_at="going", reader=True)
    assert shown.error is not None
    assert "comm_open" not in shown.counts
    kernel.wait_for(shown, "■ Stopped")
    decorated = """
        import time
        from sm_remote import remote
        @remote
        def wait():
            print("going")
            time.sleep(600)
        wait()"""
    shown = kernel.run(decorated, interrupt_at="going", reader=True)
    kernel.wait_for(shown, "■ Stopped")
    assert "Interrupt the kernel" not in read_card(shown.displays[0])


def test_a_failed_job_says_so_in_its_card(kernel: Kernel) -> None:
    shown = kernel.run("%%remote\na = 1\n1 / 0", reader=True)
    card = read_card(shown.displays[0])
    assert "✕ Failed" in card
    assert "ZeroDivisionError: division by zero" in card
    assert "got a (" in card


def test_metrics_of_the_log_are_in_the_card(kernel: Kernel) -> None:
    cell = """%%remote --metric-definitions '{"loss": "loss=([0-9.]+)"}'\nprint('loss=0.5')\nprint('loss=0.25')"""
    assert "loss 0.25" in " ".join(read_card(kernel.run(cell, reader=True).displays[0]).split())


def test_a_detached_job_has_its_log_a_button_and_at_the_end_a_card_that_stays(kernel: Kernel) -> None:
    kernel.run("%remote --volume-size 40")
    code = "import time\nprint('\\x1b[31mred\\x1b[0m <b>bold</b>')\ntime.sleep(1)\nvalue = 2"
    shown = kernel.run(f"%%remote --detach --volume-size 41\n{code}", reader=True)
    assert shown.error is None
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown.displays)
    kernel.wait_for(shown, "✓ Completed")
    kernel.wait_for(shown, ">red</span>")
    shown_html = next(data["text/html"] for data in shown.displays if "Completed" in data.get("text/html", ""))
    assert '<span style="color:#e75c58">red</span> &lt;b&gt;bold&lt;/b&gt;' in shown_html
    assert "volume_size is 41 here, not the session's 40" in html.unescape(shown_html)
    assert "comm_close" in shown.counts


def test_ten_megabytes_of_log_are_cut_in_the_cell_and_few_messages(kernel: Kernel) -> None:
    began = time.monotonic()
    shown = kernel.run(
        "%%remote\nfor number in range(100_000):\n    print(f'{number:06} ' + 'x' * 93)\nlast = number", reader=True
    )
    assert shown.error is None
    assert len(shown.text) < 700_000
    assert "characters are left out here" in shown.text
    assert "099999 xxx" in shown.text
    seconds = time.monotonic() - began
    assert sum(shown.counts.values()) < 10 * seconds + 200
    assert kernel.run("last").displays[0]["text/plain"] == "99999"


def test_a_progress_bar_is_one_line(kernel: Kernel) -> None:
    source = "%%remote\nfor part in (0, 50, 100):\n    print(f'{part:3}%|' + '#' * (part // 10) + '|')\nprint('done')"
    text = kernel.run(source, reader=True).text
    assert text.splitlines()[-1] == "done"
    assert text.count("\n") == 3
    assert text.count("\r") == 2


def test_nobody_looks_when_nbconvert_runs_it(kernel: Kernel) -> None:
    """No card, no connection to a panel, and of a progress bar its last state."""
    assert "comm_open" not in kernel.run("%reload_ext sm_remote").counts
    shown = kernel.run("%%remote\nprint(' 50%|# |')\nprint('100%|##|')\nprint('text')\nvalue = 1")
    assert shown.displays == []
    assert "50%" not in shown.text
    assert shown.text.splitlines()[-3:-1] == ["100%|##|", "text"]
    assert shown.text.splitlines()[-1].startswith("sm_remote: got value (")


def test_loading_the_magics_again_says_nothing_and_reaches_for_the_panel_once(kernel: Kernel) -> None:
    """It is what the panel's code to attach begins with."""
    shown = [kernel.run("%reload_ext sm_remote", reader=True) for _ in range(2)]
    assert [each.outputs for each in shown] == [[], []]
    assert [each.counts.get("comm_open", 0) for each in shown] == [1, 0]
    assert kernel.run("%remote jobs", reader=True).error is None


def test_a_decorated_function_has_a_card_that_says_what_it_overrides(kernel: Kernel) -> None:
    kernel.run("%remote --max-runtime-in-seconds 600 --job-name-prefix other")
    shown = kernel.run(
        """
        from sm_remote import remote

        @remote(max_runtime_in_seconds=900)
        def double(x):
            print("doubling")
            return 2 * x

        double(4)
        """,
        reader=True,
    )
    assert shown.error is None
    card = read_card(shown.displays[0])
    assert "✓ Completed" in card
    assert "max_runtime_in_seconds is 900 here, not the session's 600" in card
    assert "job_name_prefix" not in card
    assert shown.text == "doubling\n"
    assert shown.displays[1]["text/plain"] == "8"
    failed = kernel.run("double(object())", reader=True)
    assert failed.error is not None
    assert failed.error[0] == "TypeError"
    assert failed.text == "doubling\n"
