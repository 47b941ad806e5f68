"""A browser and a JupyterLab for the tests that need them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.lab_page import LabPage
from tests.conftest import ROOT, skip_or_fail
from tests.lab_server import LabServer, serve_lab

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here drives a browser."""
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; that there is a panel to look at is made sure of, too."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        skip_or_fail("There is no Chromium: make browser")
    if not (ROOT / "sm_remote" / "labextension" / "package.json").exists():
        skip_or_fail("The panel is not built: make panel")
    return program


# Not for the whole session: while Playwright lives, this thread has a running event loop, and no other test could start
# one.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, headless=True, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[LabServer]:
    """A JupyterLab server for the tests of a file, which do not mind each other's jobs."""
    with serve_lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(autouse=True)
def live_jobs_are_stopped(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that failed must not leave this machine taken up for the others."""
    yield
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").stop_jobs()


@pytest.fixture(scope="module")
def kept_tabs(browser: Any) -> Iterator[list[LabPage]]:
    """The tab of a file's own server: loading JupyterLab takes longer than most tests, so they use it in turn."""
    tabs: list[LabPage] = []
    yield tabs
    for tab in tabs:
        tab.page.context.close()


@pytest.fixture
def open_lab(
    browser: Any, kept_tabs: list[LabPage], request: pytest.FixtureRequest
) -> Iterator[Callable[..., LabPage]]:
    """Opens tabs. The one of the file's server is left to the next test, unless this one failed."""
    opened: list[LabPage] = []
    unusual: list[LabPage] = []

    def open_page(server: LabServer, notebook: str = "", *, path: str = "lab/tree", clock: bool = False) -> LabPage:
        if notebook and not clock and kept_tabs and kept_tabs[0].server is server:
            opened.append(kept_tabs.pop().open_next(notebook))
            return opened[-1]
        context = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
        page = context.new_page()
        opened.append(LabPage(page, server))
        if clock:
            page.clock.install()
            unusual.append(opened[-1])
        return opened[-1].open(notebook, path=path)

    before = request.session.testsfailed
    yield open_page
    shared = request.getfixturevalue("lab") if "lab" in request.fixturenames else None
    for tab in opened:
        if tab.server is shared and tab not in unusual and not kept_tabs and request.session.testsfailed == before:
            kept_tabs.append(tab)
        else:
            tab.page.context.close()
