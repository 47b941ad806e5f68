from __future__ import annotations

import json
import pickle
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sm_remote.aws.responses import parse_description
from sm_remote.cli.app import app
from sm_remote.cli.job_rendering import render_job
from sm_remote.cli.queries import JobDetails
from sm_remote.cli.world import World
from sm_remote.costs.price import Rate
from sm_remote.costs.spending import add_up_job
from tests.fakes.cli_world import NOW, FakeTrainingJobs, build_answer, build_world

JOBS = (
    build_answer("train-b", "InProgress", age_s=42),
    build_answer("train-a", "Completed", age_s=200, runs_s=12.3),
    build_answer("fit-1", "Failed", age_s=7300, runs_s=65, FailureReason="AlgorithmError: ValueError: no"),
)


def run(world: World, *words: str) -> Result:
    return CliRunner().invoke(app, words, obj=world)


def test_jobs_are_a_table_on_a_terminal(tmp_path: Path) -> None:
    result = run(build_world(tmp_path, *JOBS), "jobs")
    assert result.exit_code == 0
    assert result.stdout == (
        "NAME     STATUS      CREATED    DURATION\n"
        "train-b  InProgress  42 s ago   42 s\n"
        "train-a  Completed   3 min ago  12 s\n"
        "fit-1    Failed      2 h ago    1 min 05 s\n"
    )


def test_jobs_are_lines_with_tabs_in_a_pipe(tmp_path: Path) -> None:
    result = run(build_world(tmp_path, *JOBS, terminal=False), "jobs")
    assert result.stdout == (
        "train-b\tInProgress\t2026-11-21T09:14:18Z\t42.000\n"
        "train-a\tCompleted\t2026-11-21T09:11:40Z\t12.300\n"
        "fit-1\tFailed\t2026-11-21T07:13:20Z\t65.000\n"
    )


def test_a_terminal_gets_twenty_jobs_and_the_way_to_more(tmp_path: Path) -> None:
    many = [build_answer(f"train-{number}") for number in range(21)]
    lines = run(build_world(tmp_path, *many), "jobs").stdout.splitlines()
    assert len(lines) == 22
    assert lines[-1] == "The newest 20. More: `sm-remote jobs --limit 100`, or `--all`."
    assert len(run(build_world(tmp_path, *many[:20]), "jobs").stdout.splitlines()) == 21
    assert len(run(build_world(tmp_path, *many), "jobs", "--all").stdout.splitlines()) == 22


def test_a_pipe_gets_every_job(tmp_path: Path) -> None:
    many = [build_answer(f"train-{number}") for number in range(30)]
    assert len(run(build_world(tmp_path, *many, terminal=False), "jobs").stdout.splitlines()) == 30
    assert len(run(build_world(tmp_path, *many, terminal=False), "jobs", "--limit", "7").stdout.splitlines()) == 7


def test_jobs_can_be_chosen_by_state_and_name(tmp_path: Path) -> None:
    world = build_world(tmp_path, *JOBS, terminal=False)
    assert run(world, "jobs", "--status", "failed").stdout.startswith("fit-1\t")
    assert len(run(world, "jobs", "--name", "train").stdout.splitlines()) == 2


def test_no_jobs_are_said_to_a_person_and_to_a_pipe_beside_it(tmp_path: Path) -> None:
    told = "There are no such training jobs on the target 'local'.\n"
    assert run(build_world(tmp_path), "jobs").stdout == told
    piped = run(build_world(tmp_path, terminal=False), "jobs")
    assert (piped.stdout, piped.stderr) == ("", told)


def test_jobs_are_json_for_programs(tmp_path: Path) -> None:
    first = json.loads(run(build_world(tmp_path, *JOBS), "jobs", "--json").stdout)[1]
    assert first == {
        "name": "train-a",
        "arn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/train-a",
        "status": "Completed",
        "creation_time": "2026-11-21T09:11:40+00:00",
        "end_time": "2026-11-21T09:11:52.300000+00:00",
        "duration_s": 12.3,
    }


def test_all_and_limit_are_wrong_use(tmp_path: Path) -> None:
    result = run(build_world(tmp_path), "jobs", "--all", "--limit", "3")
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr


def test_a_name_may_be_the_beginning_of_one(tmp_path: Path) -> None:
    assert run(build_world(tmp_path, *JOBS), "show", "fit").stdout.startswith("fit-1\n")


def test_a_beginning_of_two_names_is_refused_with_both(tmp_path: Path) -> None:
    result = run(build_world(tmp_path, *JOBS), "show", "train")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "Error: 2 training jobs begin with 'train'.\n  They are: train-b, train-a.\n  Give more of the name.\n"
    )


def test_an_unknown_name_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    result = run(build_world(tmp_path, *JOBS), "logs", "trian-b")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: There is no training job 'trian-b' on the target 'local'.\n"
        "  Close matches: train-b, train-a.\n"
        "  `sm-remote jobs` lists the newest.\n"
    )


LOG = ("epoch 1", "\x1b[32mgood\x1b[0m \x1b[2J\x1b]0;title\x07bytes", "10%\r20%")


def test_a_log_on_a_terminal_cannot_act(tmp_path: Path) -> None:
    world = build_world(tmp_path, training_jobs=FakeTrainingJobs(JOBS, log=LOG))
    assert run(world, "logs", "train-a").stdout == "epoch 1\ngood bytes\n20%\n"


def test_a_log_in_a_pipe_is_as_the_job_wrote_it(tmp_path: Path) -> None:
    world = build_world(tmp_path, terminal=False, training_jobs=FakeTrainingJobs(JOBS, log=LOG))
    result = run(world, "logs", "-f", "train-a")
    assert result.stdout_bytes.decode() == "".join(line + "\n" for line in LOG)


def test_a_live_job_is_stopped(tmp_path: Path) -> None:
    api = FakeTrainingJobs(JOBS)
    result = run(build_world(tmp_path, training_jobs=api), "stop", "train-b")
    assert (result.exit_code, result.stdout) == (0, "train-b is being stopped.\n")
    assert api.stopped == ["train-b"]


def test_of_several_that_begin_so_the_one_that_lives_is_stopped(tmp_path: Path) -> None:
    jobs = [build_answer("nap-3", "InProgress"), build_answer("nap-2"), build_answer("nap-1", "Failed")]
    api = FakeTrainingJobs(jobs)
    result = run(build_world(tmp_path, training_jobs=api), "stop", "nap")
    assert (result.exit_code, result.stdout) == (0, "nap-3 is being stopped.\n")
    assert run(build_world(tmp_path, *jobs), "show", "nap").exit_code == 1


def test_stopping_an_ended_job_does_nothing(tmp_path: Path) -> None:
    api = FakeTrainingJobs(JOBS)
    result = run(build_world(tmp_path, training_jobs=api), "stop", "fit-1")
    assert (result.exit_code, result.stdout) == (0, "fit-1 has ended already: Failed.\n")
    assert api.stopped == []


def test_the_value_of_a_job_that_is_no_function_is_none(tmp_path: Path) -> None:
    world = build_world(tmp_path, *JOBS)
    assert run(world, "result", "train-a").stdout == "None\n"
    assert run(world, "result", "train-a", "--json").stdout == "null\n"
    assert run(world, "result", "train-a").stderr == ""  # nothing of waiting: the job has ended


def test_a_value_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "my value.pkl"
    file.write_text("old")
    result = run(build_world(tmp_path, *JOBS), "result", "train-a", "-o", str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("Wrote 4 bytes to ")
    assert pickle.loads(file.read_bytes()) is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["my value.pkl"]


def test_a_value_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    result = run(build_world(tmp_path, *JOBS), "result", "train-a", "-o", str(tmp_path / "missing" / "value"))
    assert result.exit_code == 1
    assert "could not be written" in result.stderr
    assert "No such file or directory" in result.stderr


def test_a_stopped_job_has_no_value(tmp_path: Path) -> None:
    result = run(build_world(tmp_path, build_answer("train-c", "Stopped")), "result", "train-c")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Training job train-c was stopped.\n  ")


SHOWN = """\
fit-1
  status         Failed
  target         local
  instance type  ml.m5.large
  image          sm-remote-local/python:3.11.7-0123456789ab
  created        2026-11-21T09:12:00Z (3 min ago)
  duration       12 s
  billable       9.0 s
  cost           no charge (on SageMaker under $0.01); $0.115 an hour (us-east-1, on demand; list price, date unknown)

phases
  Starting     1.0 s  ==
  Downloading  1.0 s    ==
  Training      10 s       =========================

failure
  AlgorithmError: ValueError: the frame has no column named 'target' at
  /home/user/train.py:7 in train: frame['target'] [2Jx
  exit code: 1

tags
  sm_remote:function  train
  sm_remote:user      alice

model   s3://bucket/fit-1/output/model
output  s3://sm-remote-local/sm_remote/jobs/fit-1/output/data/
log     sm-remote logs fit-1
value   sm_remote.attach('fit-1').result()
"""


def test_a_failed_job_is_shown_whole(tmp_path: Path) -> None:
    reason = (
        "AlgorithmError: ValueError: the frame has no column named 'target' at /home/user/train.py:7 in train: "
        "frame['target'] \x1b\x1b[2J[2Jx\nexit code: 1"
    )
    answer = build_answer(
        "fit-1",
        "Failed",
        FailureReason=reason,
        BillableTimeInSeconds=9,
        ModelArtifacts={"S3ModelArtifacts": "s3://bucket/fit-1/output/model"},
    )
    tags = {"sm_remote:user": "alice", "sm_remote:function": "train"}
    result = run(build_world(tmp_path, training_jobs=FakeTrainingJobs([answer], tags=tags)), "show", "fit-1")
    assert result.stdout == SHOWN
    assert result.exit_code == 0


def test_a_running_job_shows_what_it_does(tmp_path: Path) -> None:
    shown = run(build_world(tmp_path, *JOBS), "show", "train-b").stdout
    assert "status         InProgress (Training)\n" in shown
    assert "duration       42 s\n" in shown


def test_one_job_is_json_for_programs(tmp_path: Path) -> None:
    shown: dict[str, Any] = json.loads(run(build_world(tmp_path, *JOBS), "show", "fit-1", "--json").stdout)
    assert shown["status"] == "Failed"
    assert shown["failure_reason"] == "AlgorithmError: ValueError: no"
    assert shown["phases"][0] == {"name": "Starting", "start": "2026-11-21T07:13:20+00:00", "duration_s": 1.0}
    assert shown["output_uri"] == "s3://sm-remote-local/sm_remote/jobs/fit-1/output/data/"
    assert shown["cost"] == {
        "usd": 0.0,
        "is_charged": False,
        "is_final": True,
        "billed_s": 0.0,
        "usd_per_hour": 0.115,
        "region": "us-east-1",
        "price_origin": "list price, date unknown",
        "call_usd": 0.0,
    }


@pytest.mark.parametrize("words", [["nonsense"], ["show"], ["jobs", "--limit", "0"], ["jobs", "--status", "Done"]])
def test_wrong_use_exits_with_two(tmp_path: Path, words: list[str]) -> None:
    assert run(build_world(tmp_path), *words).exit_code == 2


def test_a_model_is_shown_only_where_one_lies(tmp_path: Path) -> None:
    for name, shown in (("fit-1", True), ("bare-1", False)):
        model = {"ModelArtifacts": {"S3ModelArtifacts": f"s3://sm-remote-local/sm_remote/jobs/{name}/output/model"}}
        result = run(build_world(tmp_path, build_answer(name, **model)), "show", name)
        assert result.exit_code == 0
        assert ("\nmodel " in result.stdout) is shown


def test_what_all_the_jobs_of_a_call_have_cost_is_told_beside_its_own() -> None:
    description = parse_description(build_answer("fit-2", BillableTimeInSeconds=3600))
    rate = Rate(machines="ml.m5.large", region="us-east-1", usd_per_hour=0.115, origin="a list")
    spent = add_up_job(description, None, rate, is_charged=True, now=NOW)
    details = JobDetails(
        target="sagemaker",
        description=description,
        phases=(),
        tags={},
        chain=("fit-1", "fit-2"),
        spending=spent,
        call_usd=None,
    )
    for call_usd, told in ((None, "unknown; 2 jobs"), (1.5, "$1.50; 2 jobs")):
        text = render_job(replace(details, call_usd=call_usd), now=NOW, width=80, colours=False)
        assert f"cost of call   {told}\n" in text
        assert "cost           $0.12; $0.115 an hour (us-east-1, on demand; a list)\n" in text
