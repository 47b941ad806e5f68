"""Cells as training jobs, in a real JupyterLab: what they show and assign, and what outlives their kernel."""

from __future__ import annotations

import re

from playwright.sync_api import expect

FIGURE = """%%remote
import matplotlib.pyplot as plt
history.append(0.25)
best = min(history)
figure, axes = plt.subplots()
axes.plot(history)
print("drawn")
best"""
BAR = """%%remote
from tqdm import tqdm
import time
total = 0
for step in tqdm(range(300), desc="training"):
    time.sleep(0.02)
    total += step
total"""


def test_figures_and_variables_come_back(lab, open_lab):
    lab.write_notebook("figures.ipynb", "%load_ext sm_remote\nhistory = [1.0, 0.5]", FIGURE, "best, history")
    page = open_lab(lab, "figures.ipynb")
    page.run_cell(0)
    output = page.run_cell(1)
    expect(output).to_contain_text("drawn")
    expect(output).to_contain_text("0.25")
    expect(output.get_by_role("group", name=re.compile("Training job .*: Completed"))).to_be_visible()
    picture = output.locator("img")
    expect(picture).to_have_count(1)
    assert picture.evaluate("each => each.decode().then(() => each.naturalWidth)") > 100
    expect(page.run_cell(2)).to_contain_text("(0.25, [1.0, 0.5, 0.25])")


def test_a_progress_bar_moves_on_one_line_while_the_cell_runs(lab, open_lab):
    lab.write_notebook("bar.ipynb", "%load_ext sm_remote", BAR)
    page = open_lab(lab, "bar.ipynb")
    page.run_cell(0)
    output = page.run_cell(1, wait=False)
    expect(output).to_contain_text(re.compile(r"training: +[1-9]\d?%"))
    expect(output.get_by_role("group", name=re.compile(": Running"))).to_contain_text("Interrupt the kernel to stop it")
    expect(output).to_contain_text(re.compile(r"training: 100%.*300/300"))
    expect(output).to_contain_text("44850")
    assert len(re.findall("training:", output.inner_text())) == 1


def test_a_detached_job_outlives_the_kernel_and_its_value_is_had_by_attaching(lab, open_lab):
    """Its bar is seen in the cell; the kernel is killed; the reopened notebook gets the value."""
    lab.write_notebook("outlive.ipynb", "%load_ext sm_remote", BAR.replace("%%remote", "%%remote --detach"), "total")
    page = open_lab(lab, "outlive.ipynb")
    page.run_cell(0)
    output = page.run_cell(1)
    expect(output).to_contain_text(re.compile(r"training: +\d+%"))
    name = re.search(r"%remote attach (\S+)", output.inner_text())[1]
    page.save()
    page.kill_kernel()
    page.page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()  # "the kernel appears to have died"
    page.open("outlive.ipynb")
    expect(page.output(1).get_by_role("group", name=re.compile(f"Training job {name}"))).to_be_visible()
    expect(page.page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    expect(page.page.get_by_text("Error displaying widget")).to_have_count(0)
    page.cell(1).locator(".jp-InputArea-editor").click()
    page.open_panel()
    page.job(name).locator(".sm-JobItem-open").click()
    page.panel.get_by_role("button", name="Insert attach code").click()
    expect(page.cell(2)).to_contain_text(f"%remote attach {name}")
    expect(page.run_cell(2)).to_contain_text(re.compile("training: 100%"))
    expect(page.run_cell(3)).to_contain_text("44850")
