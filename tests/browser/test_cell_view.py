"""The view of a job in its cell, in a real JupyterLab: live, stopped by its button, and readable when opened again."""

from __future__ import annotations

from playwright.sync_api import expect

DETACHED = """%%remote --detach
import time
for epoch in range(3000):
    print(f"\\x1b[32mepoch {epoch}\\x1b[0m <img src=x onerror=alert(1)>", flush=True)
    time.sleep(0.1)
"""


def test_a_detached_job_is_stopped_by_its_button_and_its_card_stays_in_the_file(lab, open_lab):
    """After a reload the card tells how the job ended, with its last lines; nothing that it printed has run."""
    lab.write_notebook("view.ipynb", "%load_ext sm_remote", DETACHED)
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
