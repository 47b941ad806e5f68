"""What differs between two jobs, as rows and as a table."""

from __future__ import annotations

import copy
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription, parse_description
from sm_remote.jobs.repetition.diff import DiffRow, compare, split_requirement
from tests.fakes.cli_world import build_answer

LOCK: dict[str, Any] = {
    "format": 1,
    "job": "fit-1",
    "python": "3.11.7",
    "sm_remote": "0.1.0",
    "code": {"function": "fit", "hash": "a" * 64, "objects": []},
    "arguments": "b" * 64,
    "environment": {"layer": "c" * 32, "archive": None, "requirements": ["numpy==1.26.4", "mine @ file:///x"]},
    "image": {"uri": "i", "digest": None, "definition": None},
    "data": {"train": {"uri": "s3://b/x", "objects": 2, "size_bytes": 10, "digest": "d" * 64}},
    "seeds": {"PYTHONHASHSEED": None},
    "settings": {"stream_logs": {"value": True, "origin": "default"}},
}


def job(name: str, **more: Any) -> TrainingJobDescription:
    return parse_description(build_answer(name, **more))


def test_jobs_of_the_same_have_no_rows() -> None:
    found = compare(job("fit-1"), LOCK, job("fit-2"), LOCK)
    assert not found
    assert str(found) == "fit-1 and fit-2 are made of the same."


def test_code_packages_data_settings_and_machine_have_rows() -> None:
    other = copy.deepcopy(LOCK)
    other["code"]["hash"] = "e" * 64
    other["environment"] = {"layer": "f" * 32, "archive": None, "requirements": ["numpy==2.0.0", "pandas==3.0"]}
    other["data"]["train"]["digest"] = "0" * 64
    other["settings"]["stream_logs"] = {"value": False, "origin": "argument"}
    machine = {"ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1}}
    found = compare(job("fit-1"), LOCK, job("fit-2", **machine, HyperParameters={"seed": "1"}), other)
    assert list(found) == [
        DiffRow(what="code", before="a" * 12, after="e" * 12),
        DiffRow(what="package numpy", before="1.26.4", after="2.0.0"),
        DiffRow(what="package mine", before="file:///x", after=""),
        DiffRow(what="layer", before="c" * 12, after="f" * 12),
        DiffRow(what="instance type", before="ml.m5.large", after="ml.g5.xlarge"),
        DiffRow(what="data train", before=f"2 objects, 10 bytes, {'d' * 12}", after=f"2 objects, 10 bytes, {'0' * 12}"),
        DiffRow(what="setting stream_logs", before="True (default)", after="False (argument)"),
        DiffRow(what="package pandas", before="", after="3.0"),
        DiffRow(what="hyperparameter seed", before="", after="1"),
    ]
    assert len(found) == 9


def test_the_table_is_aligned() -> None:
    found = compare(job("fit-1", HyperParameters={"a": "1"}), LOCK, job("fit-2"), LOCK)
    assert str(found) == "what              fit-1  fit-2\nhyperparameter a  1"


def test_values_of_variables_are_not_shown() -> None:
    before = job("fit-1", Environment={"A": "secret", "B": "secret", "C": "secret"})
    found = compare(before, LOCK, job("fit-2", Environment={"A": "hidden", "B": "secret", "D": "hidden"}), LOCK)
    assert [(row.what, row.before, row.after) for row in found] == [
        ("variable A", "(a value)", "(another value)"),
        ("variable C", "(a value)", ""),
        ("variable D", "", "(a value)"),
    ]


def test_a_job_without_a_lock_is_compared_by_what_the_api_says() -> None:
    found = compare(job("fit-1"), LOCK, job("script-1", HyperParameters={"a": "1"}), None)
    assert [row.what for row in found] == ["hyperparameter a"]
    assert found.notes == ("script-1 has no job.lock: only what the API says of it is compared.",)
    assert str(found).endswith(found.notes[0])


def test_requirements_are_split_into_name_and_version() -> None:
    assert split_requirement("numpy==2.0") == ("numpy", "2.0")
    assert split_requirement("x @ git+https://host/x.git") == ("x", "git+https://host/x.git")
    assert split_requirement("bare") == ("bare", "any")
