"""JupyterLab in a browser, as a test clicks through it."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect

from tests.lab_server import TOKEN, LabServer

# Other work on the machine makes a browser slow, not wrong.
LIMIT_MS = 60_000
expect.set_options(timeout=LIMIT_MS)

CLEAR = """async () => {
    const { shell, serviceManager } = window.jupyterapp;
    for (const widget of [...shell.widgets('main')]) {
        widget.dispose();
    }
    await serviceManager.sessions.shutdownAll();
    document.querySelectorAll('.jp-Notification-Toast-Close').forEach(each => each.click());
    const buttons = [...document.querySelectorAll('#sm-remote-panel button')];
    buttons.find(each => each.textContent.endsWith('All jobs'))?.click();
}"""


class LabPage:
    """One tab with JupyterLab (or Notebook 7)."""

    def __init__(self, page: Page, server: LabServer) -> None:
        page.set_default_timeout(LIMIT_MS)
        self.page = page
        self.server = server
        self.dialogs: list[str] = []
        page.on("dialog", self._on_dialog)

    def _on_dialog(self, dialog: Any) -> None:
        # An alert() that hostile text brought about, or "leave the page?".
        self.dialogs.append(f"{dialog.type}: {dialog.message}")
        dialog.accept()

    def open(self, notebook: str = "", *, path: str = "lab/tree") -> LabPage:
        """Opens the server's page, with a notebook in front where one is named."""
        place = f"{self.server.url}/{path}/{quote(notebook)}" if notebook else f"{self.server.url}/lab"
        self.page.goto(f"{place}?reset&token={TOKEN}" if "lab" in path else f"{place}?token={TOKEN}")
        self.page.wait_for_function("() => window.jupyterapp?.shell !== undefined")
        # Before the layout is restored, what is opened is hidden by it again.
        self.page.evaluate("() => window.jupyterapp.restored.then(() => null)")
        if notebook:
            expect(self.page.locator(".jp-NotebookPanel .jp-Cell").first).to_be_visible()
            self.wait_for_kernel()
        return self

    def open_next(self, notebook: str) -> LabPage:
        """Opens a notebook in a tab that another test has used: what that left there is closed, its kernels ended."""
        self.dialogs.clear()
        self.page.evaluate(CLEAR)
        self.execute("docmanager:open", {"path": notebook, "factory": "Notebook"})
        expect(self.cell(0)).to_be_visible()
        self.wait_for_kernel()
        return self

    def wait_for_kernel(self) -> None:
        """Waits until the kernel of the notebook in front is idle."""
        self.page.wait_for_function(
            """() => {
                const panel = window.jupyterapp?.shell?.currentWidget;
                return panel?.sessionContext?.session?.kernel?.status === 'idle';
            }"""
        )

    def execute(self, command: str, args: dict[str, Any] | None = None) -> Any:
        """Runs one of JupyterLab's commands to its end, which one that asks something in a dialog has not."""
        return self.page.evaluate(
            """([command, args, limit]) => Promise.race([
                window.jupyterapp.commands.execute(command, args).then(() => null),
                new Promise((_, fail) => setTimeout(() => fail(new Error(
                    `${command} does not end: ${document.querySelector('.jp-Dialog')?.textContent ?? 'no dialog'}`
                )), limit)),
            ])""",
            [command, args or {}, LIMIT_MS],
        )

    def start(self, command: str, args: dict[str, Any] | None = None) -> None:
        """Runs a command without waiting for its end: one that asks something ends when it was answered."""
        self.page.evaluate(
            "([command, args]) => { void window.jupyterapp.commands.execute(command, args); }", [command, args or {}]
        )

    def open_panel(self) -> Locator:
        """Shows the sidebar."""
        self.page.wait_for_function("() => window.jupyterapp.commands.hasCommand('sm-remote:open-panel')")
        self.execute("sm-remote:open-panel")
        panel = self.page.locator("#sm-remote-panel")
        expect(panel).to_be_visible()
        return panel

    @property
    def panel(self) -> Locator:
        """The sidebar."""
        return self.page.locator("#sm-remote-panel")

    def field(self, name: str) -> Locator:
        """The field of a setting."""
        return self.panel.locator(f'[data-setting="{name}"]')

    def job(self, name: str) -> Locator:
        """The row of a job in the list."""
        return self.panel.locator(f'.sm-JobItem[data-job^="{name}"]')

    def cell(self, index: int) -> Locator:
        """A cell of the notebook in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell").nth(index)

    def set_source(self, code: str) -> None:
        """Replaces the active cell's code."""
        self.page.evaluate(
            "code => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource(code)", code
        )

    def run_cell(self, index: int, *, wait: bool = True) -> Locator:
        """Runs a cell, and gives its output area."""
        self.cell(index).locator(".jp-InputArea-editor").first.click()
        self.page.keyboard.press("Control+Enter")
        if wait:
            prompt = self.cell(index).locator(".jp-InputPrompt")
            expect(prompt).to_have_text(re.compile(r"\[\d+\]:"))
        return self.output(index)

    def output(self, index: int) -> Locator:
        """What a cell showed."""
        return self.cell(index).locator(".jp-OutputArea")

    def restart_kernel(self) -> None:
        """Restarts the kernel without being asked whether."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
        self.wait_for_kernel()

    def kill_kernel(self) -> None:
        """Ends the kernel's process without a chance to do anything."""
        kernel = self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/cmdline", "rb") as command:
                        words = command.read()
                except OSError:
                    continue
                if f"kernel-{kernel}".encode() in words:
                    os.kill(int(entry), 9)
                    return
        raise AssertionError(f"There is no kernel {kernel}.")

    def is_changed(self) -> bool:
        """Whether the notebook in front says that it was changed since it was saved."""
        return bool(self.page.evaluate("() => window.jupyterapp.shell.currentWidget.model.dirty"))

    def save(self) -> None:
        """Saves the notebook."""
        self.execute("docmanager:save")
