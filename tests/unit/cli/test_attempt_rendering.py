"""What `show` says of attempts and checkpoints."""

from __future__ import annotations

from dataclasses import replace

from sm_remote.cli.attempt_rendering import (
    describe_newest,
    list_attempt_facts,
    render_attempts,
    render_checkpoints,
    render_savings,
)
from sm_remote.jobs.artifacts.stored_checkpoints import StoredGeneration
from sm_remote.jobs.succession.attempts import list_attempts
from tests.unit.jobs.succession.test_attempts import INTERRUPTED, TWICE, at, describe, save


def test_attempts_are_a_line_each():
    openings = [(10.5, None, None), (131, 90, 8)]
    attempts = list_attempts(describe(*TWICE), [save(170, *openings)])
    lines = render_attempts(attempts).splitlines()
    assert lines[0] == "attempts"
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]
    assert lines[1].endswith("Interrupted  lost 20 s")
    assert lines[2].endswith("Completed    from step 8")
    assert render_attempts(attempts[:1]) == ""
    facts = list_attempt_facts(attempts)
    assert [(fact["cause"], round(fact["lost_s"]), fact["resumed_step"]) for fact in facts] == [
        ("Interrupted", 20, None),
        ("Completed", 0, 8),
    ]


def test_a_running_job_shows_what_an_interruption_would_cost():
    live = describe(*INTERRUPTED, ("Training", 130), status="InProgress")
    stored = [StoredGeneration(prefix="p/", manifest=replace(save(400), step=7), whole=True)]
    text = "last durable checkpoint (step 7) 3 min ago; if interrupted now you lose 3 min"
    assert render_checkpoints(live, stored, at(580)) == text
    assert render_checkpoints(live, [], at(580)).startswith("no durable checkpoint yet")
    assert render_checkpoints(describe(*TWICE), stored, at(580)) == "s3://b/p"
    assert describe_newest(live, stored)["step"] == 7
    assert describe_newest(live, []) is None


def test_savings_are_shown_once_they_are_known():
    times = {"TrainingTimeInSeconds": 100, "BillableTimeInSeconds": 30}
    assert render_savings(describe(*TWICE, **times)) == "70.0% (Managed Spot Training)"
    assert render_savings(describe(*TWICE)) == ""


def test_an_estimate_is_labelled_until_the_next_attempt_has_saved():
    live = describe(*INTERRUPTED, ("Training", 130), status="InProgress")
    before = list_attempts(live, [save(90, (10.5, None, None))])
    assert "lost about 20 s (an estimate)" in render_attempts(before)
    assert [fact["lost_is_estimate"] for fact in list_attempt_facts(before)] == [True, False]
    after = list_attempts(live, [save(90, (10.5, None, None)), save(170, (10.5, None, None), (131, 90, 8))])
    assert "lost 20 s" in render_attempts(after)
    assert "about" not in render_attempts(after)


def test_attempts_of_several_jobs_name_job_and_machine():
    first, second = list_attempts(describe(*TWICE), [save(170, (10.5, None, None), (131, 90, 8))])
    moved = [replace(first, spot=True), replace(second, job_name="train-1-2", instance_type="ml.m5.xlarge", spot=False)]
    lines = render_attempts(moved).splitlines()
    assert lines[1].endswith("ml.m5.large (spot)  train-1")
    assert lines[2].endswith("ml.m5.xlarge  train-1-2")
