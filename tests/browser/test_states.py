"""Each state in which the panel cannot do its work has its own message and mend; keys alone are enough to use it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_jobs import COUNT
from tests.lab_server import serve_lab

HEARTBEAT_MS = 28_000
"""Longer than the panel waits between two requests."""


@pytest.fixture
def lab_with(tmp_path, browser):
    """Starts a server with variables and options of the test's choice."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda *options, **environ: stack.enter_context(
            serve_lab(tmp_path / "lab", environ=environ, options=options)
        )


def problem(page, code):
    """The message of a state."""
    return page.panel.locator(f'.sm-Problem[data-code="{code}"]')


def test_a_server_without_the_extension_says_what_to_install(lab_with, open_lab):
    page = open_lab(lab_with("--ServerApp.jpserver_extensions={'sm_remote.server': False}"))
    page.open_panel()
    expect(problem(page, "no_extension")).to_contain_text("pip install sm-remote")


def test_no_engine_no_region_and_no_credentials_are_three_states(lab_with, open_lab):
    server = lab_with(SM_REMOTE_ENGINE="docker", DOCKER_HOST="unix:///nowhere/docker.sock")
    page = open_lab(server)
    page.open_panel()
    expect(problem(page, "no_engine")).to_contain_text("engine")
    expect(problem(page, "no_engine").get_by_role("button", name="Try again")).to_be_visible()
    (server.home / "config.toml").parent.mkdir(exist_ok=True)
    (server.home / "config.toml").write_text('target = "sagemaker"\n')
    page.open().open_panel()
    expect(problem(page, "no_region")).to_contain_text("No AWS region is set")
    (server.home / "config.toml").write_text('target = "sagemaker"\nregion = "us-east-1"\n')
    problem(page, "no_region").get_by_role("button", name="Try again").click()
    expect(problem(page, "no_credentials")).to_contain_text("Sign in to AWS")


def test_a_server_that_went_away_is_said_and_the_list_stays(lab, open_lab):
    lab.write_notebook("gone.ipynb", COUNT, "count(1)")
    page = open_lab(lab, "gone.ipynb")
    page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    expect(page.job("count").first).to_contain_text("Completed")
    page.page.context.set_offline(True)
    page.panel.get_by_role("button", name="Refresh the list").click()
    expect(problem(page, "no_server")).to_contain_text("Jobs go on without it")
    expect(page.job("count").first).to_be_visible()
    page.page.context.set_offline(False)
    problem(page, "no_server").get_by_role("button", name="Try again").click()
    expect(problem(page, "no_server")).to_have_count(0)


def test_a_hidden_tab_asks_nothing(lab, open_lab):
    """What asks is a heartbeat; it stands still while the page is hidden."""
    page = open_lab(lab, clock=True)
    page.open_panel()
    with page.page.expect_request("**/sm-remote/**"):
        page.page.clock.fast_forward(HEARTBEAT_MS)
    page.page.evaluate(
        """() => {
            Object.defineProperty(document, 'hidden', { get: () => true });
            Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    page.page.wait_for_timeout(1000)
    asked = []
    page.page.on("request", lambda request: asked.append(request.url) if "/sm-remote/" in request.url else None)
    for _ in range(3):
        page.page.clock.fast_forward(HEARTBEAT_MS)
        page.page.wait_for_timeout(300)
    assert asked == []


def test_keys_alone_filter_open_and_stop(lab, open_lab):
    name = "by-keys"
    lab.write_notebook(
        "keys.ipynb", COUNT.replace("@remote", f"@remote(job_name_prefix={name!r})"), "job = count.submit(10_000)"
    )
    page = open_lab(lab, "keys.ipynb")
    panel = page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    panel.get_by_label("Filter by text").focus()
    page.page.keyboard.type(name)
    expect(panel.locator(".sm-JobItem")).to_have_count(1)
    while page.page.evaluate("() => !document.activeElement.classList.contains('sm-JobItem-open')"):
        page.page.keyboard.press("Tab")
    page.page.keyboard.press("Delete")
    expect(page.page.locator(".jp-Dialog")).to_contain_text("Stop this job?")
    page.page.keyboard.press("Escape")
    page.job(name).first.locator(".sm-JobItem-open").focus()
    page.page.keyboard.press("Enter")
    expect(panel.get_by_role("log")).to_contain_text("line 1")
    panel.get_by_role("button", name="Stop", exact=True).focus()
    page.page.keyboard.press("Enter")
    page.page.locator(".jp-Dialog").get_by_role("button", name="Stop").focus()
    page.page.keyboard.press("Enter")
    expect(panel.locator(".sm-Status").first).to_contain_text("Stopped")


def test_everything_that_can_be_used_has_a_name_and_no_state_is_a_colour_alone(lab, open_lab):
    lab.write_notebook("names.ipynb", COUNT, "count(1)")
    page = open_lab(lab, "names.ipynb")
    panel = page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    expect(page.job("count").first).to_contain_text("Completed")
    closed = panel.locator("details:not([open]) > summary")
    while closed.count():
        closed.first.click()
    unnamed = panel.evaluate(
        """panel => [...panel.querySelectorAll(
            'button, input, select, textarea, [role=listbox], [role=log], ul.sm-JobList')]
            .filter(each => !(each.getAttribute('aria-label') || each.labels?.length || each.textContent.trim()
                || each.closest('[hidden]')))
            .map(each => each.outerHTML)"""
    )
    assert unnamed == []
    assert panel.get_attribute("role") == "region"
    assert re.search(r"\w", page.job("count").first.locator(".sm-Status").inner_text())
