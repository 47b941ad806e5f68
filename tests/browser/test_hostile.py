"""Nothing that a job says is anything but text, and a list of a thousand jobs stays quick."""

from __future__ import annotations

import statistics

import pytest
from playwright.sync_api import expect

from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve
from tests.lab_server import serve_lab

ATTACK = "<img src=x onerror=\"window.__owned='%s'\"><script>window.__owned='%s'</script>"
CORPUS = r"""
ATTACK = "<img src=x onerror=\"window.__owned='log'\"><script>window.__owned='log'</script>"
LINES = [
    ATTACK,
    "</pre></div>" + ATTACK,
    "\x1b]8;;javascript:window.__owned='osc8'\x1b\\click me\x1b]8;;\x1b\\",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x1b]0;owned title\x07",
    "\x1b[2J\x1b[1000000Cmoved",
    "\x9b31m8-bit\x90qdcs\x9c",
    "right \u202e to left",
    "z" + "\u0301" * 200,
    "".join(map(chr, range(256))),
    '{"level": "\x1b[31merror\x1b[0m"}',
    "x" * (10 << 20),
    "\0" * 1_000_000,
    "sm_remote: result 0000",
    'Traceback (most recent call last):\n  File "x", line 1\nValueError: fake',
    "[click](javascript:alert(1))",
    "END OF CORPUS",
]

from sm_remote import remote

@remote(
    metric_definitions=[{"Name": ATTACK, "Regex": "loss=([0-9.]+)"}],
    hyperparameters={"<b>name</b>": ATTACK},
    environment_variables={"HOSTILE": ATTACK},
)
def attack():
    for line in LINES:
        print(line, flush=True)
    print("loss=0.5", flush=True)
    raise ValueError(ATTACK + "\u202e" + "\x1b[31m")
"""


def test_nothing_that_a_job_says_is_executed(lab, open_lab):
    name = "<img src=x onerror=alert(1)>.ipynb"
    lab.write_notebook(name, CORPUS, "job = attack.submit()")
    page = open_lab(lab, name)
    title = page.page.title()
    panel = page.open_panel()
    page.run_cell(0)
    page.run_cell(1)
    expect(page.job("attack").first).to_contain_text("Failed")
    page.job("attack").first.locator(".sm-JobItem-open").click()
    log = panel.get_by_role("log")
    expect(log).to_contain_text("END OF CORPUS")
    expect(log).to_contain_text("<img src=x onerror")
    expect(log).to_contain_text("\\u202e")
    expect(panel.locator(".sm-Metrics")).to_contain_text("<img")
    for section in ("Settings used", "Hyperparameters", "Tags"):
        panel.locator("summary", has_text=section).click()
    expect(panel.locator(".sm-Failure")).to_contain_text("<img src=x")
    page.page.wait_for_timeout(300)  # an error handler of an image fires after it was tried
    assert page.page.evaluate("() => window.__owned ?? null") is None
    assert page.dialogs == []
    assert page.page.title() == title
    assert panel.locator("img, script, iframe, a").count() == 0
    assert page.page.evaluate("() => navigator.clipboard.readText()") != "owned"
    shown = "".join(log.locator(".sm-LogLine").all_text_contents())
    assert not {*shown} & {*map(chr, (*range(9), *range(11, 32), *range(127, 160), 0x202E))}


@pytest.fixture
def crowded_lab(tmp_path, browser):
    """A server whose local training service has a thousand jobs."""
    from sm_remote.home import find_home

    directory = tmp_path / "lab"
    with serve_lab(directory, environ={"SM_REMOTE_ENGINE": "auto"}) as server:
        engine = FakeEngine()
        with serve(find_home({"SM_REMOTE_HOME": str(server.home)}), engine) as discovery:
            client = make_client(discovery)
            for number in range(1000):
                tags = [
                    {"Key": "sm_remote:function", "Value": "fit" if number % 2 else "score"},
                    {"Key": "sm_remote:notebook", "Value": f"notebook-{number % 7}.ipynb"},
                ]
                client.create_training_job(**build_request(f"fit-{number:04}", Tags=tags))
            yield server


ROUNDS, LIMIT_MS = 10, 100
MEASURE = """async texts => {
  const input = document.querySelector('#sm-remote-panel .sm-Filters-text');
  const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
  const times = [];
  for (const text of texts) {
    const began = performance.now();
    setter.call(input, text);
    input.dispatchEvent(new Event('input', { bubbles: true }));
    await Promise.resolve();
    document.body.getBoundingClientRect();
    input.closest('.sm-Jobs').getBoundingClientRect();
    times.push(performance.now() - began);
    await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
  }
  return times;
}"""


def test_a_thousand_jobs_are_filtered_between_two_keystrokes(crowded_lab, open_lab):
    """The time of a keystroke is that of its work and layout; 95 of 100 are below 100 ms.

    Of some rounds the best counts: what else the machine does makes a round slow, and never quick.
    """
    page = open_lab(crowded_lab)
    panel = page.open_panel()
    expect(panel.get_by_role("status").filter(has_text="1000 jobs")).to_be_visible()
    expect(panel.get_by_label("Filter by notebook")).to_contain_text("notebook-6.ipynb")
    words = ["fit-0999", "notebook-3", "ml.m5", "score", "fit", "nothing"]
    texts = [word[:end] for word in words for end in (*range(1, len(word) + 1), *range(len(word) - 1, -1, -1))]
    rounds = (statistics.quantiles(page.page.evaluate(MEASURE, texts), n=20)[-1] for _ in range(ROUNDS))
    assert any(p95_ms < LIMIT_MS for p95_ms in rounds)
    panel.get_by_label("Filter by text").fill("fit-0123")
    expect(panel.locator(".sm-JobItem")).to_have_count(1)
