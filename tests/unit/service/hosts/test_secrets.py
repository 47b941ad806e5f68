"""The service keeps the values of secrets in memory, and gives them to a container through a pipe."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sm_remote.runtime import secrets as runtime
from sm_remote.service.hosts.secrets import SecretPipe, SecretsError, SecretVault, build_secrets, check_values
from sm_remote.service.hosts.working_tree import WorkingTree
from sm_remote.service.records import states
from sm_remote.service.records.job import JobRecord
from sm_remote.wire.layout import SECRETS_FILE
from sm_remote.wire.secret import MOST_BYTES

REQUEST = {"TrainingJobName": "fit-1", "Environment": {"SM_REMOTE_SECRET_HF_TOKEN": "env:MINE", "A": "1"}}


@pytest.fixture
def tree(tmp_path: Path) -> WorkingTree:
    tree = WorkingTree(root=tmp_path / "tree")
    tree.create()
    return tree


def make(tree: WorkingTree, vault: SecretVault) -> SecretPipe:
    (pipe,) = build_secrets(describe(REQUEST), tree, vault)
    return pipe


def describe(request: dict[str, Any], created_at: float = 1000.0) -> JobRecord:
    return JobRecord(
        name="fit-1",
        sequence=1,
        request=request,
        tags={},
        version=1,
        state=states.begin(created_at),
        created_at=created_at,
        modified_at=created_at,
    )


def nothing() -> None:
    pass


def test_a_job_without_secrets_has_no_pipe(tree: WorkingTree) -> None:
    assert build_secrets(describe({"Environment": {"A": "1"}}), tree, SecretVault()) == ()
    assert build_secrets(describe({}), tree, SecretVault()) == ()


def test_the_job_reads_what_was_given_and_no_file_ever_holds_it(
    tree: WorkingTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = SecretVault()
    vault.give("fit-1", {"HF_TOKEN": "value-of-mine"})
    pipe = make(tree, vault)
    for _ in range(2):  # an attempt may be prepared anew
        pipe.prepare(nothing)
    path = tree.config / SECRETS_FILE
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    pipe.start()
    monkeypatch.setenv("SM_REMOTE_ML_ROOT", str(tree.root))
    runtime.take_secrets(REQUEST["Environment"])  # type: ignore[arg-type]
    assert runtime._held == {"HF_TOKEN": "value-of-mine"}
    runtime._held.clear()
    pipe.finish()
    pipe.finish()
    assert not [path for path in tree.root.rglob("*") if path.is_file() and b"mine" in path.read_bytes()]


def test_what_nobody_has_read_is_gone_with_the_container(tree: WorkingTree) -> None:
    vault = SecretVault()
    vault.give("fit-1", {"HF_TOKEN": "value-of-mine"})
    pipe = make(tree, vault)
    pipe.prepare(nothing)
    pipe.finish()
    descriptor = os.open(tree.config / SECRETS_FILE, os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(descriptor, 100) == b""
    os.close(descriptor)


def test_as_much_as_may_be_given_fits_into_the_pipe(tree: WorkingTree) -> None:
    vault = SecretVault()
    values = {"HF_TOKEN": "x" * (MOST_BYTES - len(json.dumps({"HF_TOKEN": ""})) - 1)}
    assert check_values({"Values": values}, REQUEST) == values
    vault.give("fit-1", values)
    pipe = make(tree, vault)
    pipe.prepare(nothing)
    pipe.finish()


def test_a_job_waits_for_its_values(tree: WorkingTree) -> None:
    vault = SecretVault(patience_s=60)
    waits = threading.Event()
    found: list[dict[str, str]] = []

    def wait() -> None:
        found.append(vault.await_values("fit-1", ["HF_TOKEN"], time.time(), waits.set))

    thread = threading.Thread(target=wait)
    thread.start()
    assert waits.wait(120)
    vault.give("another", {"HF_TOKEN": "no"})
    vault.give("fit-1", {"HF_TOKEN": "value-of-mine"})
    thread.join(120)
    assert found == [{"HF_TOKEN": "value-of-mine"}]


def test_a_job_that_was_given_none_fails_and_says_why(tree: WorkingTree) -> None:
    vault = SecretVault(patience_s=20, clock=lambda: 1021.0)  # it was created 21 s ago
    vault.give("fit-1", {"HF_TOKEN": "value-of-mine"})
    vault.forget("fit-1")
    with pytest.raises(SecretsError, match=r"HF_TOKEN.*restarted.*Submit the job again"):
        make(tree, vault).prepare(nothing)


def test_a_stop_ends_the_waiting(tree: WorkingTree) -> None:
    class StopError(Exception):
        pass

    def stop() -> None:
        raise StopError

    with pytest.raises(StopError):
        SecretVault(patience_s=60).await_values("fit-1", ["HF_TOKEN"], time.time(), stop)


def test_nothing_shows_a_value() -> None:
    vault = SecretVault()
    vault.give("fit-1", {"HF_TOKEN": "value-of-mine"})
    assert "value-of-mine" not in f"{vault} {vault!r}"


@pytest.mark.parametrize(
    "values",
    [
        None,
        ["value-of-mine"],
        {},
        {"OTHER": "value-of-mine"},
        {"HF_TOKEN": 5},
        {"HF_TOKEN": "value-of-mine", "B": "value-of-mine"},
        {"HF_TOKEN": "value-of-mine" * MOST_BYTES},
    ],
)
def test_values_that_the_job_does_not_name_are_refused_without_being_shown(values: Any) -> None:
    with pytest.raises(ValueError) as caught:
        check_values({"Values": values}, REQUEST)
    assert "value-of-mine" not in str(caught.value)
