"""Takes the pictures in docs/img: each view of the panel, in the light and the dark theme.

Real jobs run in a JupyterLab server of their own, as processes; `make screenshots` runs this.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402 - after the path
from playwright.sync_api import expect, sync_playwright  # noqa: E402 - after the path

from tests.browser.lab_page import LabPage  # noqa: E402
from tests.lab_server import serve_lab  # noqa: E402

IMAGES = ROOT / "docs" / "img"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
CODE = """
import math, os, random, time
from sm_remote import remote

LOSS = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}, {"Name": "accuracy", "Regex": "accuracy=([0-9.]+)"}]

@remote(metric_definitions=LOSS)
def train(epochs=30):
    print("\\x1b[1mtraining\\x1b[0m on", os.cpu_count(), "CPUs")
    for epoch in range(1, epochs + 1):
        loss = 2 * math.exp(-epoch / 8) + random.random() / 10
        print(f"epoch {epoch:3}  loss={loss:.4f}  \\x1b[32maccuracy={1 - loss / 3:.4f}\\x1b[0m", flush=True)
        time.sleep(0.4)
    with open(os.path.join(os.environ["SM_MODEL_DIR"], "weights.bin"), "wb") as file:
        file.write(b"w" * 48_000)
    return loss

@remote
def average_label(labels):
    return sum(int(label) for label in labels) / len(labels)

@remote
def evaluate():
    time.sleep(600)
"""
CELL = """%%remote --detach --instance-type ml.m5.xlarge
from tqdm import tqdm
import time

print("\\x1b[1mfitting\\x1b[0m 3 models")
for step in tqdm(range(600), desc="fit"):
    time.sleep(0.1)
best = 0.93"""
SUBMIT = """done = train.submit(16)
done.result()
failed = average_label.submit(["7", "3", "eight"])
failed.exception()
live = train.submit(1500)"""
FOREIGN = {"schema": 1, "settings": {"instance_type": "ml.p4d.24xlarge", "pre_execution_commands": ["./setup.sh"]}}


def main() -> None:
    """Takes all pictures."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        sys.exit("There is no Chromium: make browser")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, serve_lab(Path(directory) / "lab") as server:
        server.write_notebook("digits.ipynb", CODE.strip(), SUBMIT)
        server.write_notebook("cell.ipynb", "%load_ext sm_remote", CELL)
        server.write_notebook("foreign.ipynb", "pass", metadata={"sm_remote": FOREIGN})
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": 1280, "height": 860}, device_scale_factor=1)
            take_all(LabPage(context.new_page(), server))
            browser.close()
    for path in IMAGES.glob("*.png"):
        shrink(path)


def shrink(path: Path) -> None:
    """Saves a picture with 256 colours, which is half its size and looks the same."""
    with Image.open(path) as picture:
        fewer = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    fewer.save(path, optimize=True)


def take_all(page: LabPage) -> None:
    """Clicks from view to view."""
    page.open("digits.ipynb")
    panel = page.open_panel()
    page.page.evaluate("() => window.jupyterapp.shell._hsplitPanel.setRelativeSizes([0.27, 0.73, 0])")
    expect(panel.get_by_text("No training jobs yet")).to_be_visible()
    shoot(page, "empty")
    choose_type(page, "m5.xlarge")
    page.run_cell(0)
    page.run_cell(1)
    expect(page.job("average").first).to_contain_text("Failed")
    expect(panel.locator(".sm-mod-running")).to_have_count(1)
    dismiss(page)
    shoot(page, "jobs")
    picker = page.field("instance_type").get_by_role("combobox")
    picker.fill("g5")
    shoot(page, "instance-types")
    picker.press("Escape")
    page.field("use_spot_instances").get_by_role("checkbox").check()
    page.field("max_wait_time_in_seconds").scroll_into_view_if_needed()
    shoot(page, "settings")
    open_in_tab(page, "train", "Completed")
    expect(page.page.locator(".sm-mod-tab .sm-Chart").first).to_be_visible()
    page.page.wait_for_timeout(6000)  # the last datapoints come once more
    shoot(page, "job")
    open_in_tab(page, "average_label".replace("_", "-"), "Failed")
    shoot(page, "failure")
    stop_all(page)  # the machine has room for one
    show_cell(page)
    stop_all(page)
    page.execute("docmanager:open", {"path": "foreign.ipynb"})
    page.open_panel()
    expect(panel.get_by_role("alertdialog")).to_be_visible()
    panel.get_by_role("alertdialog").scroll_into_view_if_needed()
    shoot(page, "confirm")


def stop_all(page: LabPage) -> None:
    """Stops what still runs."""
    for row in page.panel.locator(".sm-JobItem").filter(has_text="Training").all():
        row.get_by_role("button", name=re.compile("^Stop ")).click()
        page.page.locator(".jp-Dialog").get_by_role("button", name="Stop").click()
    expect(page.panel.locator(".sm-mod-running")).to_have_count(0)
    dismiss(page)


def choose_type(page: LabPage, name: str) -> None:
    """Sets the notebook's instance type: one whose price is known."""
    field = page.field("instance_type").get_by_role("combobox")
    field.fill(name)
    expect(page.field("instance_type").get_by_role("option").first).to_be_visible()
    field.press("Enter")
    expect(page.panel.get_by_text("The next call in this notebook")).to_be_visible()


def show_cell(page: LabPage) -> None:
    """A detached cell while it runs."""
    page.execute("docmanager:open", {"path": "cell.ipynb"})
    expect(page.cell(1)).to_be_visible()
    page.wait_for_kernel()
    page.run_cell(0)
    output = page.run_cell(1)
    expect(output).to_contain_text(re.compile("fit: +[3-9]%"))
    shoot(page, "cell")


def open_in_tab(page: LabPage, name: str, status: str) -> None:
    """Opens a job with this status in the main area."""
    row = page.job(name).filter(has_text=status).first
    row.locator(".sm-JobItem-open").click()
    page.panel.get_by_role("button", name="Open in a tab").click()
    expect(page.page.locator(".sm-mod-tab .sm-Log-lines:visible")).to_be_visible()
    dismiss(page)


def dismiss(page: LabPage) -> None:
    """Closes what covers the corner."""
    page.page.locator(".jp-Notification-Toast-Close").evaluate_all("found => found.forEach(each => each.click())")
    page.page.wait_for_timeout(700)


def shoot(page: LabPage, view: str) -> None:
    """One view in each theme."""
    page.page.mouse.move(700, 5)  # nothing is under it
    for short, theme in THEMES.items():
        page.execute("apputils:change-theme", {"theme": theme})
        page.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        expect(page.page.locator("#jupyterlab-splash")).to_have_count(0)
        page.page.wait_for_timeout(600)  # colours fade
        page.page.screenshot(path=IMAGES / f"{view}-{short}.png")
    page.execute("apputils:change-theme", {"theme": THEMES["light"]})
    page.page.wait_for_timeout(300)


if __name__ == "__main__":
    main()
