"""The ledger loses nothing that was acknowledged, and two writers at once count each other."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from sm_remote.costs.entry import EntryState, settle, void
from sm_remote.costs.ledger import KEPT_S, Held, Ledger
from sm_remote.errors import MaxCostExceeded, StorageError
from sm_remote.home import Home
from tests.ledger_entries import NOW, build_entry, build_settled, describe

MIDNIGHT = NOW.replace(hour=0).timestamp()


@pytest.fixture
def state(tmp_path):
    return Home(data=tmp_path / "data", cache=tmp_path / "cache")


def add(ledger, *entries):
    for entry in entries:
        ledger.reserve(entry, MIDNIGHT, lambda entry, held: entry)


def test_reading_makes_no_file(state):
    ledger = Ledger(state)
    assert (
        ledger.list_since(0) == ledger.list_unsettled(5) == ledger.list_runs("train", "sagemaker", "ml.m5.xlarge") == []
    )
    assert ledger.change("train-1", "sagemaker", lambda entry: entry) is None
    assert not state.data.exists()


def test_an_entry_comes_back_as_it_was_written_from_a_file_that_is_private(state):
    entry = build_entry(is_spot=True, limit_usd=None, usd_per_hour=None)
    add(Ledger(state), entry)
    assert Ledger(state).list_since(0) == [entry]
    assert {stat.S_IMODE(file.stat().st_mode) for file in state.costs.iterdir()} == {0o600}
    assert stat.S_IMODE(state.costs.stat().st_mode) == 0o700


def test_an_entry_is_settled_once(state):
    ledger = Ledger(state)
    add(ledger, build_entry())
    ledger.change("train-1", "sagemaker", lambda entry: settle(entry, describe(status="InProgress")))
    assert [entry.state for entry in ledger.list_unsettled(9)] == [EntryState.OPEN]
    settled = ledger.change("train-1", "sagemaker", lambda entry: settle(entry, describe()))
    assert ledger.list_since(0) == [settled]
    assert ledger.list_unsettled(9) == []
    assert ledger.change("train-1", "sagemaker", lambda entry: void(entry, 0.0)) is None
    assert ledger.list_since(0) == [settled]


def test_a_job_of_the_same_name_on_this_machine_is_another(state):
    ledger = Ledger(state)
    add(ledger, build_entry(), build_entry(target="local"))
    ledger.change("train-1", "local", lambda entry: settle(entry, describe()))
    assert [entry.target for entry in ledger.list_unsettled(9)] == ["sagemaker"]
    assert ledger.list_unsettled(9, target="local") == []


def test_what_was_never_created_is_in_no_list(state):
    ledger = Ledger(state)
    add(ledger, build_entry())
    ledger.change("train-1", "sagemaker", lambda entry: void(entry, NOW.timestamp()))
    assert ledger.list_since(0) == ledger.list_unsettled(9) == []


def test_history_is_of_completed_jobs_of_the_function_on_the_same_machines_newest_first(state):
    ledger = Ledger(state)
    at = NOW.timestamp()
    add(
        ledger,
        build_settled("older", opened_at=at - 9),
        build_settled("newer", opened_at=at - 5, state=EntryState.POOL),
        build_settled("failed", status="Failed"),
        build_settled("elsewhere", machines="2 x ml.m5.xlarge"),
        build_settled("here", target="local"),
        build_settled("another", function="evaluate"),
        build_entry("runs"),
    )
    assert [entry.name for entry in ledger.list_runs("train", "sagemaker", "ml.m5.xlarge")] == ["newer", "older"]


def test_what_counts_already_is_seen_when_a_job_is_entered(state):
    ledger, seen = Ledger(state), []
    add(
        ledger,
        build_settled("yesterday", ended_at=MIDNIGHT - 1),
        build_settled("today", ended_at=MIDNIGHT + 1),
        build_entry("long-since", opened_at=MIDNIGHT - 80_000),
        build_entry("here", target="local", call="first"),
        build_settled("first", ended_at=MIDNIGHT - 1),
    )

    def allow(entry, held: Held):
        seen.append(held)
        return entry

    ledger.reserve(build_entry("second", call="first"), MIDNIGHT, allow)
    assert {entry.name for entry in seen[0].day} == {"today", "long-since"}
    assert [entry.name for entry in seen[0].call] == ["first"]


def test_what_is_refused_leaves_nothing(state):
    def refuse(entry, held):
        raise MaxCostExceeded("too much")

    with pytest.raises(MaxCostExceeded):
        Ledger(state).reserve(build_entry(), MIDNIGHT, refuse)
    assert Ledger(state).list_since(0) == []
    add(Ledger(state), build_entry())  # and it holds no lock


def test_of_many_threads_no_two_take_the_same_room(state):
    refused = []

    def allow(entry, held: Held):
        if sum(other.held_usd for other in held.day) + entry.held_usd > 10:
            raise MaxCostExceeded("the day is full")
        return entry

    def reserve(number):
        try:
            Ledger(state).reserve(build_entry(f"job-{number}"), MIDNIGHT, allow)
        except MaxCostExceeded:
            refused.append(number)

    threads = [threading.Thread(target=reserve, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Ledger(state).list_since(0)) == 5
    assert len(refused) == 15


CHILD = """
import sys
from pathlib import Path
from sm_remote.costs.ledger import Ledger
from sm_remote.home import Home
from tests.ledger_entries import build_entry
ledger = Ledger(Home(data=Path(sys.argv[1]) / "data", cache=Path(sys.argv[1]) / "cache"))
number = 0
while True:
    ledger.reserve(build_entry(f"{sys.argv[2]}-{number}"), 0.0, lambda entry, held: entry)
    print(number, flush=True)
    number += 1
"""


def test_what_killed_processes_have_acknowledged_is_there(state, tmp_path):
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), name], stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    acknowledged = {}
    for name, child in zip(("one", "two"), children, strict=True):
        for line in child.stdout:
            acknowledged[name] = int(line)
            if acknowledged[name] >= 20:
                break
        child.send_signal(signal.SIGKILL)
        child.communicate()
    names = {entry.name for entry in Ledger(state).list_since(0)}
    for name, last in acknowledged.items():
        assert {f"{name}-{number}" for number in range(last + 1)} <= names


FORK = """
import os
import sys
from pathlib import Path
from sm_remote.costs.ledger import Ledger
from sm_remote.home import Home
from tests.ledger_entries import build_entry
ledger = Ledger(Home(data=Path(sys.argv[1]) / "data", cache=Path(sys.argv[1]) / "cache"))
def add(name):
    ledger.reserve(build_entry(name), 0.0, lambda entry, held: entry)
add("parent-1")
child = os.fork()
add("child" if child == 0 else "parent-2")
if child:
    sys.exit(os.waitpid(child, 0)[1])
"""


def test_a_forked_child_writes_through_a_connection_of_its_own(state, tmp_path):
    subprocess.run([sys.executable, "-c", FORK, str(tmp_path)], check=True)
    assert {entry.name for entry in Ledger(state).list_since(0)} == {"parent-1", "child", "parent-2"}


def test_a_ledger_that_was_moved_away_begins_anew(state):
    add(Ledger(state), build_entry("before"))
    state.costs.rename(state.costs.with_name("old"))
    add(Ledger(state), build_entry("after"))
    assert [entry.name for entry in Ledger(state).list_since(0)] == ["after"]


def test_a_file_that_is_no_ledger_is_told_and_left_alone(state):
    state.costs.mkdir(parents=True)
    (state.costs / "ledger.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match=r"ledger.*cannot be used"):
        Ledger(state).list_since(0)
    assert (state.costs / "ledger.sqlite").read_bytes().startswith(b"not a database")


def test_a_ledger_of_before_accounts_were_kept_goes_on(state):
    add(Ledger(state), build_entry("old"))
    other = Home(data=state.data.with_name("other"), cache=state.cache)
    add(Ledger(other), build_entry())  # closes the first
    with sqlite3.connect(state.costs / "ledger.sqlite") as connection:
        connection.execute("ALTER TABLE entries DROP COLUMN account")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    add(Ledger(state), build_entry("new", account="1"))
    found = {entry.name: entry.account for entry in Ledger(state).list_unsettled(9, account="1")}
    assert found == {"old": "", "new": "1"}


def test_a_ledger_of_a_newer_version_is_left_alone(state):
    add(Ledger(state), build_entry())
    other = Home(data=state.data.with_name("other"), cache=state.cache)
    Ledger(other).reserve(build_entry(), 0.0, lambda entry, held: entry)  # closes the first
    with sqlite3.connect(state.costs / "ledger.sqlite") as connection:
        connection.execute("PRAGMA user_version=9")
    connection.close()
    with pytest.raises(StorageError, match="has schema 9"):
        Ledger(state).list_since(0)


def test_entries_of_the_same_job_replace_each_other(state):
    ledger = Ledger(state)
    add(ledger, build_entry(), replace(build_entry(), limit_usd=7.0))
    assert [entry.limit_usd for entry in ledger.list_since(0)] == [7.0]


@pytest.mark.parametrize("target", ["sagemaker", "local"])
def test_what_ended_long_ago_is_forgotten_and_what_is_not_settled_is_not(state, target):
    now = NOW.timestamp()

    def entry(name, opened_at, **changes):
        return replace(build_entry(name), target=target, opened_at=opened_at, **changes)

    ended = {"state": EntryState.SETTLED, "status": "Completed", "billable_s": 60.0}
    old = entry("old", now, ended_at=now, **ended)
    void_one = entry("void", now, state=EntryState.VOID, ended_at=now)
    late = entry("late", now, ended_at=now + 60, **ended)
    add(Ledger(state), old, void_one, late, entry("open", now))
    add(Ledger(state), entry("new", now + KEPT_S[target] + 1))
    kept = {name: Ledger(state).find(name, target) for name in ("old", "void", "late", "open", "new")}
    assert [name for name, found in kept.items() if found is not None] == ["late", "open", "new"]
