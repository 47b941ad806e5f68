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
ENDLESS = COUNT.replace("count", "endless")


def open_job(page, name):
    """Opens a job from the list, and gives its log."""
    page.job(name).first.locator(".sm-JobItem-open").click()
    return page.panel.get_by_role("log")


def stop_first(page, name):
    """Stops a job by its button in the list."""
    page.job(name).first.get_by_role("button", name=re.compile("^Stop ")).click()
    page.page.locator(".jp-Dialog").get_by_role("button", name="Stop").click()


def test_a_first_user_is_shown_how_to_make_a_job_and_then_the_job(lab, open_lab):
    """The empty state teaches, and its example works; it is the first test, so nobody has used the server."""
    lab.write_notebook("first.ipynb", "pass")
    page = open_lab(lab, "first.ipynb")
    panel = page.open_panel()
    expect(panel.get_by_text("No training jobs yet")).to_be_visible()
    page.set_source(panel.locator(".sm-Empty pre").inner_text())
    expect(page.run_cell(0)).to_contain_text("5")
    expect(page.job("add")).to_contain_text("Completed")
    expect(panel.get_by_text("No training jobs yet")).to_have_count(0)


def test_logs_stream_into_the_panel_while_the_job_runs(lab, open_lab):
    """Lines are there before the job has ended; afterwards all are, once."""
    lab.write_notebook("stream.ipynb", COUNT, "job = count.submit(25)\njob.name")
    page = open_lab(lab, "stream.ipynb")
    page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    lines = open_job(page, "count")
    expect(lines).to_contain_text("line 3")
    expect(page.panel.locator(".sm-Status").first).to_contain_text("Training")
    page.panel.get_by_role("button", name="Pause").click()
    expect(page.panel.get_by_role("button", name=re.compile(r"Follow \([1-9]"))).to_be_visible()
    page.panel.get_by_role("button", name=re.compile("Follow")).click()
    expect(lines).to_contain_text("line 24")
    expect(page.panel.locator(".sm-Status").first).to_contain_text("Completed")
    shown = re.findall(r"line \d+", " ".join(lines.locator(".sm-LogLine").all_text_contents()))
    assert shown == [f"line {number}" for number in range(25)]
    expect(page.panel.locator(".sm-Timeline")).to_contain_text("Training")
    page.panel.get_by_label("Search the log").fill("LINE 17")
    expect(lines.locator(".sm-LogLine")).to_have_count(1)
    with page.page.expect_download() as download:
        page.panel.locator(".sm-Log").get_by_role("button", name="Download").click()
    text = download.value.path().read_text()
    assert [line for line in text.splitlines() if line.startswith("line")] == shown


def test_a_job_is_stopped_while_its_cell_keeps_the_kernel_busy(lab, open_lab):
    lab.write_notebook("busy.ipynb", ENDLESS, "endless(10_000)")
    page = open_lab(lab, "busy.ipynb")
    page.open_panel()
    page.run_cell(0)
    page.run_cell(1, wait=False)
    expect(page.output(1)).to_contain_text("line 1")
    stop_first(page, "endless")
    expect(page.job("endless").first).to_contain_text("Stopped")
    expect(page.output(1)).to_contain_text("JobStopped")
    expect(page.page.locator(".Toastify, .jp-toastContainer").first).to_contain_text("was stopped after")


def test_a_job_outlives_its_kernel_and_is_stopped_when_that_is_dead(lab, open_lab):
    lab.write_notebook("dead.ipynb", ENDLESS.replace("endless", "orphan"), "job = orphan.submit(10_000)")
    page = open_lab(lab, "dead.ipynb")
    page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    lines = open_job(page, "orphan")
    expect(lines).to_contain_text("line 1")
    page.kill_kernel()
    expect(lines).to_contain_text("line 15")
    page.page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()  # "the kernel appears to have died"
    page.panel.get_by_role("button", name="All jobs").click()
    stop_first(page, "orphan")
    expect(page.job("orphan").first).to_contain_text("Stopped")


def test_a_reload_and_a_restart_of_the_kernel_lose_nothing(lab, open_lab):
    lab.write_notebook("reload.ipynb", COUNT.replace("count", "survive"), "job = survive.submit(30)")
    page = open_lab(lab, "reload.ipynb")
    page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    expect(page.job("survive").first).to_contain_text("Training")
    page.restart_kernel()
    page.page.reload()
    page.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel")
    page.open_panel()
    lines = open_job(page, "survive")
    expect(lines).to_contain_text("line 29")
    assert len(re.findall(r"line \d+", " ".join(lines.locator(".sm-LogLine").all_text_contents()))) == 30
    page.panel.get_by_role("button", name="Insert attach code").click()
    expect(page.cell(1)).to_contain_text("attach(")  # below the active cell, which is the first after a reload
    expect(page.run_cell(1)).to_contain_text("30")


def test_a_failure_is_said_in_words_first_and_the_job_runs_again(lab, open_lab):
    code = "from sm_remote import remote\n\n@remote\ndef fail():\n    raise ValueError('no such digit')"
    lab.write_notebook("fail.ipynb", code, "job = fail.submit()")
    page = open_lab(lab, "fail.ipynb")
    page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    expect(page.job("fail").first).to_contain_text("Failed")
    open_job(page, "fail")
    expect(page.panel.locator(".sm-Failure strong")).to_have_text("ValueError: no such digit")
    before = page.panel.locator("article h3").inner_text()
    page.panel.get_by_role("button", name="Run again").click()
    expect(page.panel.locator("article h3")).not_to_have_text(before)
    expect(page.panel.locator(".sm-Failure strong")).to_have_text("ValueError: no such digit")


def test_running_jobs_are_in_the_status_bar_and_in_jupyterlabs_own_panel(lab, open_lab):
    lab.write_notebook("running.ipynb", ENDLESS.replace("endless", "listed"), "job = listed.submit(10_000)")
    page = open_lab(lab, "running.ipynb")
    page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    expect(page.page.locator(".sm-StatusItem")).to_contain_text("running")
    page.execute("running:show-panel")
    running = page.page.locator("#jp-running-sessions")
    expect(running).to_contain_text("Training Jobs")
    expect(running).to_contain_text("listed-")
    page.open_panel()
    stop_first(page, "listed")
    expect(page.job("listed").first).to_contain_text("Stopped")


def test_a_files_names_and_sizes_are_listed_and_it_can_be_had(lab, open_lab):
    code = (
        "import os\nfrom sm_remote import remote\n\n@remote\ndef leave():\n"
        "    open(os.environ['SM_MODEL_DIR'] + '/weights.bin', 'wb').write(b'w' * 2048)"
    )
    lab.write_notebook("files.ipynb", code, "leave()")
    page = open_lab(lab, "files.ipynb")
    page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    expect(page.job("leave").first).to_contain_text("Completed")
    open_job(page, "leave")
    expect(page.panel.locator(".sm-Artefacts")).to_contain_text("2.0 KiB")
    with page.page.expect_download() as download:
        page.panel.get_by_role("button", name=re.compile("Download .*weights.bin")).click()
    assert download.value.path().read_bytes() == b"w" * 2048
