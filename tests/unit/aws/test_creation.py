"""Whatever becomes of requests and answers, there is one job, and its creator knows it."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sm_remote.aws.creation import PAUSES_S, THROTTLED_TRIES, create_once
from sm_remote.aws.responses import TrainingJobDescription, parse_description
from sm_remote.errors import (
    CredentialsExpired,
    JobNameInUse,
    JobNotFound,
    RemoteError,
    ServiceUnavailable,
    SubmitError,
    Throttled,
)
from tests.fakes.cli_world import build_answer


def build_request(name: str, *arguments: str) -> dict[str, Any]:
    return {"TrainingJobName": name, "AlgorithmSpecification": {"ContainerArguments": list(arguments)}}


def lost() -> RemoteError:
    return ServiceUnavailable("The answer was lost.", may_have_arrived=True)


class Api:
    """Creates jobs, and has trouble on the way there (``before``) or back (``after``), call by call."""

    def __init__(self, *trouble: tuple[str, RemoteError] | None) -> None:
        self.trouble = list(trouble)
        self.jobs: dict[str, list[str]] = {}
        self.executed = self.sent = self.described = 0
        self.description_trouble: list[RemoteError] = []
        self.lock = threading.Lock()

    def next_trouble(self) -> tuple[str, RemoteError] | None:
        return self.trouble.pop(0) if self.trouble else None

    def send_creation(self, request: Any) -> str:
        with self.lock:
            self.sent += 1
            where, error = self.next_trouble() or ("", ServiceUnavailable(""))
            if where == "before":
                raise error
            name = request["TrainingJobName"]
            if name in self.jobs:
                raise JobNameInUse(f"{name} exists already.", why="it exists")
            self.jobs[name] = request["AlgorithmSpecification"]["ContainerArguments"]
            self.executed += 1
            if where == "after":
                raise error
            return f"arn:{name}"

    def describe(self, name: str) -> TrainingJobDescription:
        with self.lock:
            self.described += 1
            if self.description_trouble:
                raise self.description_trouble.pop(0)
            if name not in self.jobs:
                raise JobNotFound(f"no {name}")
            specification = {"ContainerArguments": self.jobs[name]}
            arn = {"TrainingJobArn": f"arn:{name}", "AlgorithmSpecification": specification}
            return parse_description(build_answer(name, "InProgress") | arn)


def create(api: Any, *arguments: str) -> tuple[str, list[float]]:
    pauses_s: list[float] = []
    return create_once(api, build_request("fit-1", *(arguments or ("manifest",))), sleep=pauses_s.append), pauses_s


def test_a_lost_answer_is_settled_by_describe_before_anything_is_sent_again() -> None:
    api = Api(("after", lost()))
    assert create(api) == ("arn:fit-1", [])
    assert (api.sent, api.described) == (1, 1)


def test_what_was_not_carried_out_is_sent_again() -> None:
    api = Api(("before", lost()), ("before", lost()), ("after", lost()))
    assert create(api) == ("arn:fit-1", list(PAUSES_S[:2]))
    assert (api.sent, api.described, api.executed) == (3, 3, 1)


def test_a_request_that_comes_in_late_is_the_same_job() -> None:
    api = Api(("before", lost()))
    describe = api.describe

    def arrive_late(name: str) -> TrainingJobDescription:
        try:
            return describe(name)
        finally:
            api.jobs.setdefault(name, ["manifest"])

    api.describe = arrive_late  # type: ignore[method-assign]
    assert create(api)[0] == "arn:fit-1"
    assert api.executed == 0


@pytest.mark.parametrize("arguments", [("another",), ()])
def test_another_job_of_the_name_is_not_taken_for_ours(arguments: tuple[str, ...]) -> None:
    api = Api()
    api.jobs["fit-1"] = list(arguments)
    with pytest.raises(JobNameInUse):
        create_once(api, build_request("fit-1", *(("manifest",) if arguments else ())), sleep=lambda _: None)
    api = Api(("before", lost()))
    api.jobs["fit-1"] = ["another"]
    with pytest.raises(JobNameInUse):
        create(api)


def test_throttling_is_waited_out_without_a_word_and_not_for_ever() -> None:
    api = Api(*[("before", Throttled("slow down"))] * (THROTTLED_TRIES - 1))
    assert create(api) == ("arn:fit-1", [])
    assert api.described == 0
    with pytest.raises(Throttled):
        create(Api(*[("before", Throttled("slow down"))] * THROTTLED_TRIES))


def test_a_refusal_is_raised_at_once() -> None:
    for error in (SubmitError("Refused.", code="ResourceLimitExceeded"), CredentialsExpired("They have expired.")):
        api = Api(("before", error))
        with pytest.raises(type(error)) as caught:
            create(api)
        assert api.sent == 1
        assert not caught.value.facts.get("may_exist")


def test_nobody_who_takes_requests_is_tried_again_without_a_question() -> None:
    away = ServiceUnavailable("No route.", unreachable=True)
    api = Api(("before", away), ("before", away))
    assert create(api)[0] == "arn:fit-1"
    assert api.described == 0


def test_what_stays_in_doubt_says_so() -> None:
    api = Api(("after", lost()))
    api.description_trouble = [CredentialsExpired("They have expired.")]
    with pytest.raises(CredentialsExpired) as caught:
        create(api)
    assert caught.value.facts["may_exist"]
    with pytest.raises(ServiceUnavailable) as unanswered:
        create(Api(*[("before", lost())] * 10))
    assert unanswered.value.facts["may_exist"]


def test_a_refusal_after_a_lost_answer_may_be_of_the_very_job_that_arrived() -> None:
    quota = SubmitError("Refused.", code="ResourceLimitExceeded")
    api = Api(("before", lost()), ("before", quota))
    describe = api.describe

    def arrive_late(name: str) -> TrainingJobDescription:
        if api.described == 1:
            api.jobs.setdefault(name, ["manifest"])
        return describe(name)

    api.describe = arrive_late  # type: ignore[method-assign]
    assert create(api)[0] == "arn:fit-1"
    assert (api.sent, api.described) == (2, 2)


def test_a_refusal_or_throttling_without_end_after_a_lost_answer_leaves_the_job_in_doubt() -> None:
    for error in (SubmitError("Refused.", code="ResourceLimitExceeded"), Throttled("slow down")):
        with pytest.raises(type(error)) as caught:
            create(Api(("before", lost()), *[("before", error)] * THROTTLED_TRIES))
        assert caught.value.facts["may_exist"]


def test_of_fifty_at_a_time_each_has_exactly_its_own_job() -> None:
    api, chance = Api(), random.Random(11)
    chosen = {0: ("after", lost()), 1: ("after", lost()), 2: ("after", lost()), 3: ("before", lost())}
    api.next_trouble = lambda: chosen.get(chance.randrange(10))  # type: ignore[method-assign]

    def submit(number: int) -> str:
        return create_once(api, build_request(f"fit-{number}", f"manifest {number}"), sleep=lambda _: None)

    with ThreadPoolExecutor(50) as threads:
        arns = list(threads.map(submit, range(500)))
    assert arns == [f"arn:fit-{number}" for number in range(500)]
    assert api.executed == len(api.jobs) == 500
