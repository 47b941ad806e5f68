"""The panel's routes over HTTP: who may ask, what is asked, and what comes of it."""

from __future__ import annotations

import json

import pytest

from sm_remote.server.routes import list_routes
from tests.fakes.service import wait_until
from tests.panel_jobs import learn, sleep, talk

ROUTES = {
    "local/jobs": "GET",
    "local/jobs/fit-1": "GET",
    "local/jobs/fit-1/card": "GET",
    "local/jobs/fit-1/stop": "POST",
    "local/jobs/fit-1/replay": "POST",
    "local/jobs/fit-1/metrics": "GET",
    "local/jobs/fit-1/artefacts": "GET",
    "local/jobs/fit-1/artefacts/file": "GET",
    "local/jobs/fit-1/log": "GET",
    "local/jobs/fit-1/log/stream": "GET",
    "local/jobs/fit-1/log/file": "GET",
    "state": "GET",
    "settings": "POST",
    "settings/confirm": "POST",
    "settings/user": "PATCH",
    "instance-types": "GET",
}
HOSTILE_NAMES = [
    *("..", "..%2f..%2fetc%2fpasswd", "%2e%2e", "%00", "a%00b", "-", "a--", "a_b", "a" * 64, "a" * 300),
    *("%3Cimg%20src=x%20onerror=alert(1)%3E", "a%0d%0aX-Evil:%201", "%252e%252e", "%E2%80%AE", "a;rm", "a%20b"),
]


def test_every_route_is_swept_by_these_tests():
    assert len(list_routes("/")) == len(ROUTES)


@pytest.mark.parametrize(("path", "method"), ROUTES.items())
def test_nobody_is_answered_without_the_token(panel, path, method):
    body = {} if method != "GET" else None
    assert panel.ask(method, path, body, token=None).status == 403
    assert panel.ask(method, path, body, token="wrong").status == 403


@pytest.mark.parametrize("path", [path for path, method in ROUTES.items() if method != "GET"])
def test_a_page_of_another_site_cannot_change_anything(panel, path):
    """A browser that is logged in by cookie is refused without the token against cross-site requests."""
    login = panel.ask("GET", "state")
    cookie = "; ".join(each.partition(";")[0] for each in login.headers.get_all("Set-Cookie") or [])
    for origin in ("https://evil.example", panel.server.url):
        headers = {"Cookie": cookie, "Origin": origin, "Referer": f"{origin}/lab"}
        answer = panel.ask(ROUTES[path], path, {}, token=None, headers=headers)
        assert answer.status in (403, 404)
        assert "code" not in answer.json  # Jupyter's refusal; a route of ours was not reached


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "FOO"])
def test_a_method_that_a_route_does_not_have_is_refused(panel, method):
    assert panel.ask(method, "local/jobs", {}).status in (403, 405)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("suffix", ["", "/stop", "/log", "/artefacts"])
def test_a_name_that_is_none_is_refused_before_anything_sees_it(panel, name, suffix):
    answer = panel.ask("POST" if suffix == "/stop" else "GET", f"local/jobs/{name}{suffix}", None)
    assert answer.status in (400, 403, 404)
    assert b"onerror" not in answer.body
    assert answer.headers.get("X-Evil") is None


@pytest.mark.parametrize("target", ["moon", "LOCAL", "%2e%2e", "local%2f.."])
def test_a_target_that_is_none_is_not_found(panel, target):
    assert panel.get(f"{target}/jobs").status == 404


@pytest.mark.parametrize("since", ["-1", "x", "1e9", "9" * 5000, "٣", ""])
def test_a_number_that_is_none_is_answered_with_everything(panel, since):
    answer = panel.get("local/jobs", since=since)
    assert (answer.status, answer.json["whole"]) == (200, True)


@pytest.mark.parametrize("body", [b"", b"[]", b"3", b"{", b"\xff", b'{"values": 3}', b"[" * 100_000])
def test_a_body_that_is_none_is_refused_with_a_reason(panel, body):
    answer = panel.ask("POST", "settings", body)
    assert answer.status == 400
    assert answer.json["what"]


def test_a_job_is_listed_described_streamed_and_its_files_are_there(panel):
    job = talk.submit(60)
    wait_until(lambda: any(row["name"] == job.name for row in panel.get("local/jobs").json["rows"]))
    stream = panel.get(f"local/jobs/{job.name}/log/stream")
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    slices = [json.loads(line[6:]) for line in stream.body.decode().splitlines() if line.startswith("data: ")]
    told = [text for piece in slices for _, _, text in piece["lines"] if text.startswith("line ")]
    assert told == [f"line {number}" for number in range(60)]
    assert [piece["ended"] for piece in slices][-1] is True
    assert len(slices) > 2  # it came while it ran
    assert job.result() == 60

    details = panel.get(f"local/jobs/{job.name}").json
    assert details["row"]["status"] == "Completed"
    assert details["row"]["function"] == "talk"
    files = panel.get(f"local/jobs/{job.name}/artefacts").json["files"]
    (weights,) = [file for file in files if file["path"].endswith("weights.bin")]
    assert weights["size_bytes"] == 1000
    content = panel.get(f"local/jobs/{job.name}/artefacts/file", path=weights["path"])
    assert content.body == b"w" * 1000
    assert content.headers["Content-Disposition"].startswith("attachment")
    whole = panel.get(f"local/jobs/{job.name}/log/file").body.decode()
    assert [line for line in whole.splitlines() if line.startswith("line ")] == told
    assert panel.post(f"local/jobs/{job.name}/stop").status == 409


@pytest.mark.parametrize("path", ["../../x", "/etc/passwd", "data/sm_remote/outcome.bin", "", "nope"])
def test_a_file_that_the_job_did_not_leave_is_not_given(panel, path):
    job = talk.submit(1)
    job.result()
    answer = panel.get(f"local/jobs/{job.name}/artefacts/file", path=path)
    assert (answer.status, answer.json["code"]) == (409, "job")


def test_the_course_of_what_the_log_showed_and_of_what_the_container_used_is_there(panel):
    job = learn.submit()
    job.result()

    def find():
        return {course["name"]: course for course in panel.get(f"local/jobs/{job.name}/metrics").json["courses"]}

    loss = wait_until(lambda: find().get("loss"))
    assert loss["host"] == ""
    assert loss["points"][0][1] > loss["points"][-1][1]
    used = wait_until(lambda: find().get("MemoryUtilization"))
    assert used["host"] == "algo-1"


def test_a_running_job_is_stopped_and_the_list_says_so(panel):
    job = sleep.submit()
    seq = panel.get("local/jobs").json["seq"]
    assert panel.post(f"local/jobs/{job.name}/stop").status == 202

    def find():
        rows = panel.get("local/jobs", since=str(seq)).json["rows"]
        return [row for row in rows if row["name"] == job.name and row["status"] == "Stopped"]

    wait_until(find)


def test_the_same_job_runs_again_under_a_new_name(panel):
    job = talk.submit(2)
    assert job.result() == 2
    again = panel.post(f"local/jobs/{job.name}/replay")
    assert again.status == 201
    name = again.json["name"]
    assert name != job.name
    wait_until(lambda: panel.get(f"local/jobs/{name}").json["row"]["status"] == "Completed", timeout_s=120)


def test_a_job_that_is_not_there_is_not_found_in_words(panel):
    for path in ("", "/log", "/artefacts", "/log/stream"):
        answer = panel.get(f"local/jobs/nope-1{path}")
        assert (answer.status, answer.json["code"]) == (404, "no_such_job")
        assert "nope-1" in answer.json["what"]


def test_sagemaker_without_a_region_says_what_is_missing(panel):
    def problem():
        return panel.get("sagemaker/jobs").json["problem"]

    wait_until(problem)
    assert problem()["code"] in ("no_region", "no_credentials", "offline")
    assert problem()["fix"]


def test_settings_are_judged_and_nothing_is_kept(panel):
    values = {"volume_size": 50, "instance_type": "ml.nope", "target": "sagemaker", "image_uri": "a/b"}
    found = panel.post("settings", {"path": "a.ipynb", "values": values, "trusted": False}).json
    assert set(found["held"]) >= {"target", "image_uri"}
    assert "instance_type" in {*found["problems"], *found["held"]}
    assert found["conflict"] is None
    trusted = panel.post("settings", {"path": "", "values": {"volume_size": 50}, "trusted": True}).json
    assert trusted["taken"] == {"volume_size": 50}
    assert next(each for each in trusted["settings"] if each["name"] == "volume_size")["origin"] == "notebook"
    bad = panel.post("settings", {"path": "../../..", "values": {"volume_size": -1}, "trusted": True}).json
    assert bad["problems"]["volume_size"]["why"]


def test_spot_and_a_warm_pool_contradict_before_any_call(panel):
    both = {"use_spot_instances": True, "keep_alive_period_in_seconds": 600}
    found = panel.post("settings", {"path": "", "values": both, "trusted": True}).json
    assert "warm pool" in found["problems"]["keep_alive_period_in_seconds"]["what"]
    assert found["taken"] == {"use_spot_instances": True}
    assert found["conflict"] is None
    one = panel.post("settings", {"path": "", "values": {"use_spot_instances": True}, "trusted": True}).json
    assert one["problems"] == {}


def test_a_setting_that_does_not_go_with_the_others_is_named_and_the_others_hold(panel):
    values = {"use_spot_instances": True, "max_wait_time_in_seconds": 100, "instance_type": "m5.xlarge"}
    found = panel.post("settings", {"path": "", "values": values, "trusted": True}).json
    assert "less than max_runtime_in_seconds" in found["problems"]["max_wait_time_in_seconds"]["what"]
    assert "ml.m5.xlarge" in found["problems"]["instance_type"]["fix"]
    assert found["taken"] == {"use_spot_instances": True}
    run_first = {**values, "max_runtime_in_seconds": 90, "instance_type": "ml.m5.xlarge"}
    found = panel.post("settings", {"path": "", "values": run_first, "trusted": True}).json
    assert (found["problems"], found["taken"]) == ({}, run_first)


def test_what_was_confirmed_is_not_held_any_more(panel):
    values = {"pre_execution_commands": ["echo hello"]}
    ask = {"path": "", "values": values, "trusted": False}
    assert panel.post("settings", ask).json["held"] == values
    assert panel.post("settings/confirm", {"values": values}).status == 204
    assert panel.post("settings", ask).json["held"] == {}


def test_the_users_file_is_changed_and_its_secrets_do_not_come_back(panel):
    secret = {"environment_variables": {"PANEL_TOKEN": "s3cret"}}
    assert panel.ask("PATCH", "settings/user", {"values": secret}).status == 204
    answer = panel.post("settings", {"path": "", "values": {}, "trusted": True})
    assert b"PANEL_TOKEN" in answer.body
    assert b"s3cret" not in answer.body
    gone = {"environment_variables": {"PANEL_TOKEN": None}}
    assert panel.ask("PATCH", "settings/user", {"values": gone}).status == 204
    assert panel.ask("PATCH", "settings/user", {"values": {"nope": 1}}).json["code"] == "settings"


def test_the_catalogue_has_sizes_and_prices(panel):
    types = {each["name"]: each for each in panel.get("instance-types").json["types"]}
    assert types["ml.g5.xlarge"]["accelerator_count"] == 1
    assert types["ml.m5.large"]["vcpu"] == 2
