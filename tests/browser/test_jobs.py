"""The list of jobs and one job, clicked through with real jobs of the process engine."""

from __future__ import annotations

import re

from playwright.sync_api import expect

COUNT = """
from sm_remote import remote
import time

@remote
def count(n):
    for number in range(n):
        print(f"line {number}", flush=True)
        time.sleep(0.2)
    return n
"""


def test_a_first_user_is_shown_how_to_make_a_job_and_then_the_job(fresh_lab, open_lab):
    """The empty state teaches, and its example works."""
    fresh_lab.write_notebook("first.ipynb", "pass")
    lab = open_lab(fresh_lab, "first.ipynb")
    panel = lab.open_panel()
    expect(panel.get_by_text("No training jobs yet")).to_be_visible()
    example = panel.locator(".sm-Empty pre").inner_text()
    lab.page.evaluate(
        "code => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource(code)", example
    )
    output = lab.run_cell(0)
    expect(output).to_contain_text("5")
    expect(lab.job("add")).to_contain_text("Completed")
    expect(panel.get_by_text("No training jobs yet")).to_have_count(0)


def test_logs_stream_into_the_panel_while_the_job_runs(lab, open_lab):
    """Lines are there before the job has ended; afterwards all are, once."""
    lab.write_notebook("stream.ipynb", COUNT, "job = count.submit(40)\njob.name")
    page = open_lab(lab, "stream.ipynb")
    page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    page.job("count").first.locator(".sm-JobItem-open").click()
    lines = page.panel.get_by_role("log")
    expect(lines).to_contain_text("line 3")
    expect(page.panel.locator(".sm-Status").first).to_contain_text("Training")
    expect(lines).to_contain_text("line 39")
    expect(page.panel.locator(".sm-Status").first).to_contain_text("Completed")
    shown = re.findall(r"line \d+", " ".join(lines.locator(".sm-LogLine").all_text_contents()))
    assert shown == [f"line {number}" for number in range(40)]
    expect(page.panel.locator(".sm-Timeline")).to_contain_text("Training")
