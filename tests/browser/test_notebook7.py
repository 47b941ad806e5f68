"""The same panel in Notebook 7, which has no launcher and no status bar."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.test_jobs import COUNT
from tests.lab_server import serve_lab


@pytest.fixture(scope="module")
def notebook7(tmp_path_factory, browser):
    with serve_lab(tmp_path_factory.mktemp("notebook7"), app="notebook") as server:
        yield server


def test_settings_and_jobs_are_there_in_notebook_7(notebook7, open_lab):
    notebook7.write_notebook("seven.ipynb", COUNT, "count(3)")
    page = open_lab(notebook7, "seven.ipynb", path="notebooks")
    panel = page.open_panel()
    expect(page.field("instance_type")).to_be_visible()
    page.run_cell(0)
    expect(page.run_cell(1)).to_contain_text("line 2")
    expect(page.job("count").first).to_contain_text("Completed")
    page.job("count").first.locator(".sm-JobItem-open").click()
    expect(panel.get_by_role("log")).to_contain_text("line 2")
