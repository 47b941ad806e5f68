"""Cells as training jobs, in a real JupyterLab: what they show and assign, and what outlives their kernel."""

from __future__ import annotations

import re
import time

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

ENDLESS = """%%remote --detach
import time
for epoch in range(3000):
    print(f"\\x1b[32mepoch {epoch}\\x1b[0m <img src=x onerror=alert(1)>", flush=True)
    time.sleep(0.1)
"""
DETACHED = """%%remote --detach
from tqdm import tqdm
import os, time
total = 0
for step in tqdm(range(100), desc="training"):
    time.sleep(0.02)
    total += step
waiting = os.environ["SM_MODEL_DIR"] + "/waiting"
open(waiting, "w").close()
while os.path.exists(waiting):
    time.sleep(0.05)
total"""


def end_waiting(home):
    """Has the job go on that has left a file for this."""
    deadline = time.monotonic() + 60
    while not (found := list(home.rglob("waiting"))):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found[0].unlink()


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
    """Its bar is seen in the cell; the kernel is killed; the reopened notebook tells its end, and gets the value."""
    lab.write_notebook("outlive.ipynb", "%load_ext sm_remote", DETACHED, "total, _")
    page = open_lab(lab, "outlive.ipynb")
    page.run_cell(0)
    output = page.run_cell(1)
    expect(output).to_contain_text(re.compile(r"training: +\d+%"))
    name = re.search(r"%remote attach (\S+)", output.inner_text())[1]
    page.save()
    page.kill_kernel()
    page.page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()  # "the kernel appears to have died"
    page.open("outlive.ipynb")
    card = page.output(1).get_by_role("group", name=re.compile(f"Training job {name}"))
    expect(card).to_contain_text(f"UTC. To see it now: %remote attach {name}")
    expect(page.page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    expect(page.page.get_by_text("Error displaying widget")).to_have_count(0)
    assert not page.is_changed()
    end_waiting(lab.home)
    expect(card).to_contain_text("Completed")
    expect(card).to_contain_text(re.compile("training: 100%"))
    expect(card).to_contain_text(f"For its output and what it gave back: %remote attach {name}")
    page.save()
    assert "To see it now" not in (lab.notebooks / "outlive.ipynb").read_text()
    page.cell(1).locator(".jp-InputArea-editor").click()
    page.open_panel()
    page.job(name).locator(".sm-JobItem-open").click()
    page.panel.get_by_role("button", name="Insert attach code").click()
    expect(page.cell(2)).to_contain_text(f"%remote attach {name}")
    expect(page.run_cell(2)).to_contain_text(re.compile("training: 100%"))
    expect(page.run_cell(3)).to_contain_text("(4950, 4950)")


def test_a_detached_job_is_stopped_by_its_button_and_its_card_stays_in_the_file(lab, open_lab):
    """After a reload the card tells how the job ended, with its last lines; nothing that it printed has run."""
    lab.write_notebook("view.ipynb", "%load_ext sm_remote", ENDLESS)
    page = open_lab(lab, "view.ipynb")
    page.start("notebook:run-all-cells")
    cell = page.page.locator(".jp-NotebookPanel .jp-OutputArea").last
    expect(cell.get_by_text("Running", exact=False).first).to_be_visible()
    expect(cell.get_by_text("epoch 3").first).to_be_visible()
    cell.get_by_role("button", name="Stop", exact=True).click()
    expect(cell.get_by_text("■ Stopped")).to_be_visible()
    expect(cell.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    assert cell.locator("span", has_text="epoch ").first.evaluate("each => getComputedStyle(each).color") == (
        "rgb(0, 162, 80)"
    )
    page.execute("docmanager:save")
    page.open("view.ipynb")
    cell = page.page.locator(".jp-NotebookPanel .jp-OutputArea").last
    expect(cell.get_by_text("■ Stopped")).to_be_visible()
    expect(cell.get_by_text("<img src=x onerror=alert(1)>").first).to_be_visible()
    assert page.page.locator("img[src=x]").count() == 0
    assert not [each for each in page.dialogs if each.startswith("alert")]
