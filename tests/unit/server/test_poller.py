"""One thread a target, which looks while somebody does and asks for no more than it must."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from botocore.exceptions import NoCredentialsError

from sm_remote.errors import CredentialsExpired, ServiceUnavailable, SubmitError, Throttled
from sm_remote.server.poller import LEASE_S, Poller
from tests.fakes.cli_world import FakeTrainingJobs, build_answer
from tests.fakes.service import wait_until

START = datetime(2026, 11, 21, tzinfo=timezone.utc)


class ListedJobs(FakeTrainingJobs):
    """The fake API, with pages, and counting what it is asked."""

    described = 0
    listed = 0
    tagged = 0
    error: Exception | None = None

    def list_page(self, *, size: int = 100, wait_s: float = 0.0, seen: int = 0, **_):
        self.listed += 1
        if self.error is not None:
            raise self.error
        return list(self.list_all())[:size], None, len(self.answers)

    def describe(self, name, *, wait_s=0.0, seen=0):
        self.described += 1
        return super().describe(name)

    def list_tags(self, arn):
        self.tagged += 1
        return super().list_tags(arn)


@pytest.fixture
def time():
    return [0.0]


@pytest.fixture
def start(time):
    """A poller over some answers; its lease is over at the end of the test."""
    made = []

    def build(api):
        told = []
        poller = Poller("local", lambda panel: api, lambda target, seq: told.append(seq), clock=lambda: time[0])
        made.append(poller)
        poller.look(panel=True)
        return poller, told

    yield build
    time[0] += 10 * LEASE_S
    for poller in made:
        poller._woken.set()
        wait_until(lambda poller=poller: not poller.is_running)


def test_rows_are_listed_first_and_described_then(start):
    api = ListedJobs([build_answer("a"), build_answer("b", "InProgress")], tags={"sm_remote:function": "fit"})
    poller, told = start(api)
    wait_until(lambda: all(row.detailed for row in poller.table.rows()) and poller.table.rows())
    assert {row.name: row.function for row in poller.table.rows()} == {"a": "fit", "b": "fit"}
    wait_until(lambda: told)
    assert all(row.ours for row in poller.table.rows())


def test_an_ended_job_is_described_once_and_tags_are_asked_for_once(start):
    api = ListedJobs([build_answer("a"), build_answer("b", "InProgress")], tags={"sm_remote:function": "fit"})
    _, _ = start(api)
    wait_until(lambda: api.described >= 5)  # the live one is looked at again and again
    assert api.tagged == 2


def test_a_job_that_is_gone_disappears_at_the_next_whole_look(start):
    api = ListedJobs([build_answer("a"), build_answer("b")])
    poller, _ = start(api)
    wait_until(lambda: len(poller.table.rows()) == 2)
    api.answers = api.answers[:1]
    poller.look(panel=True, refresh=True)
    wait_until(lambda: [row.name for row in poller.table.rows()] == ["a"])


def test_nobody_looks_so_the_thread_ends_and_starts_again_when_somebody_does(start, time):
    poller, _ = start(ListedJobs([build_answer("a")]))
    wait_until(lambda: poller.table.rows())
    time[0] += LEASE_S + 1
    poller._woken.set()
    wait_until(lambda: not poller.is_running)
    poller.look(panel=False)
    assert poller.is_running


def build_absent():
    error = CredentialsExpired("The AWS credentials have expired or are gone.")
    error.__cause__ = NoCredentialsError()
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServiceUnavailable("The training-job API could not be reached."), "no_service"),
        (SubmitError("Refused.", code="AccessDeniedException"), "no_permission"),
        (CredentialsExpired("The AWS credentials have expired."), "expired_credentials"),
        (build_absent(), "no_credentials"),
        (RuntimeError("a bug"), "unexpected"),
    ],
)
def test_what_keeps_it_from_looking_is_a_problem_until_it_is_mended(start, error, code):
    api = ListedJobs([build_answer("a")])
    api.error = error
    poller, told = start(api)
    wait_until(lambda: poller.table.since(0).problem)
    assert poller.table.since(0).problem.code == code
    wait_until(lambda: told)
    api.error = None
    poller.look(panel=True, refresh=True)
    wait_until(lambda: poller.table.since(0).problem is None)


def test_throttling_is_no_problem_and_leaves_what_is_shown(start):
    api = ListedJobs([build_answer("a")])
    poller, _ = start(api)
    wait_until(lambda: poller.table.rows())
    api.error, listed = Throttled("The API asked to slow down."), api.listed
    poller.look(panel=True, refresh=True)
    wait_until(lambda: api.listed > listed)
    assert poller.table.since(0).problem is None
    assert [row.name for row in poller.table.rows()] == ["a"]
    api.error = None
    api.answers = [*api.answers, build_answer("b")]
    poller.look(panel=True, refresh=True)
    wait_until(lambda: len(poller.table.rows()) == 2)


class PolledJobs(ListedJobs):
    """The same as SageMaker answers: at once, and with the moment of each change."""

    def __init__(self, *names):
        super().__init__([build_answer(name, "InProgress") for name in names])
        self.session = SimpleNamespace(holds_requests=False)
        self.modified = dict.fromkeys(names, START)
        self.asked = []
        self.page_size = 100

    def list_page(self, *, modified_after=None, page=None, **_):
        self.asked.append(modified_after)
        found = [row for row in self.list_all() if modified_after is None or row.modified_time > modified_after]
        end = int(page or 0) + self.page_size
        return found[int(page or 0) : end], str(end) if end < len(found) else None, 0

    def list_all(self, **_):
        return iter([replace(row, modified_time=self.modified[row.name]) for row in super().list_all()])


def test_sagemaker_is_asked_for_changes_and_describes_only_what_has_changed(start):
    api = PolledJobs("a", "b")
    poller, _ = start(api)
    wait_until(lambda: len(api.asked) > 0 and all(row.detailed for row in poller.table.rows()))
    described = api.described
    for _ in range(3):
        looks = len(api.asked)
        poller._woken.set()
        wait_until(lambda looks=looks: len(api.asked) > looks)
    assert api.described == described == 2
    assert api.asked[-1] is not None
    api.modified["b"] = START + timedelta(hours=1)
    poller._woken.set()
    wait_until(lambda: api.described > described)


def test_more_changes_than_a_page_holds_are_all_taken_up(start):
    api = PolledJobs("a", "b", "c")
    poller, _ = start(api)
    wait_until(lambda: len(poller.table.rows()) == 3 and all(row.detailed for row in poller.table.rows()))
    api.page_size = 1
    api.answers = [build_answer(name) for name in "abc"]
    api.modified = {name: START + timedelta(hours=hours) for hours, name in enumerate("cab", start=1)}
    poller._woken.set()
    wait_until(lambda: all(row.is_terminal for row in poller.table.rows()))


def test_what_a_throttled_look_has_found_is_told(start):
    api = PolledJobs("a")
    poller, told = start(api)
    wait_until(lambda: told and all(row.detailed for row in poller.table.rows()))
    api.describe = lambda name, **_: (_ for _ in ()).throw(Throttled("The API asked to slow down."))
    api.answers = [*api.answers, build_answer("b", "InProgress")]
    api.modified["b"] = START + timedelta(hours=1)
    seen = len(told)
    poller._woken.set()
    wait_until(lambda: len(told) > seen)
    assert {row.name for row in poller.table.rows()} == {"a", "b"}


def test_without_a_service_there_are_no_jobs_and_no_problem(start):
    poller, _ = start(None)
    wait_until(lambda: poller.table.since(0).as_of_ms)
    assert poller.table.since(0).problem is None
