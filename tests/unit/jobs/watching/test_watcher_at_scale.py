"""Jobs on SageMaker, watched in virtual time: few calls, a short lag, and no trouble that a job would notice."""

from __future__ import annotations

import logging
import random
from datetime import datetime
from typing import Any

import pytest

from sm_remote.aws.responses import TrainingJobSummary
from sm_remote.errors import CredentialsExpired, JobNotFound
from sm_remote.jobs.watching.lists import SweptList
from sm_remote.jobs.watching.watcher import PATIENCE_S, Watcher
from tests.fakes.sagemaker_list import START, FakeSageMaker, VirtualTime, connect_fake

QUOTAS = {"ListTrainingJobs": 2.0, "DescribeTrainingJob": 10.0}


class Simulation:
    """A watcher over the fake service, driven step by step."""

    def __init__(self, **service: Any) -> None:
        self.time = VirtualTime()
        self.service = FakeSageMaker(self.time, quotas=QUOTAS, **service)
        api = connect_fake(self.service)
        jobs = SweptList(api, clock=lambda: self.time.now_s, now=self.time.moment)
        self.watcher = Watcher(api, holds_requests=False, clock=lambda: self.time.now_s, jobs=jobs)
        self.told: dict[str, tuple[float, Any]] = {}
        self.known_at: dict[str, float] = {}
        self.troubles: list[CredentialsExpired] = []

    def start(self, name: str, end_at: float, status: str = "Completed", *, created_at: float | None = None) -> None:
        created = self.time.now_s if created_at is None else created_at
        self.service.add(name, (created, "InProgress"), (end_at, status))
        self.watch(name, START)

    def watch(self, name: str, created: datetime) -> None:
        def on_end(end: Any) -> None:
            assert name not in self.told
            self.told[name] = (self.time.now_s, end)
            self.known_at.setdefault(name, self.time.now_s)

        def on_completed(row: TrainingJobSummary) -> bool:
            assert row.name == name
            self.known_at.setdefault(name, self.time.now_s)
            return True

        self.watcher.add(name, created, on_end, self.troubles.append, on_completed)

    def run(self, until_s: float = float("inf")) -> None:
        while self.time.now_s < until_s:
            pause_s = self.watcher.step()
            if pause_s is None:
                return
            self.time.sleep(pause_s)

    def lags_s(self) -> list[float]:
        return sorted(at - self.service.ended_at(name) for name, at in self.known_at.items())


def test_a_thousand_jobs_are_seen_to_end_within_two_seconds() -> None:
    simulation, chance = Simulation(lag_s=0.3), random.Random(7)
    for number in range(1000):
        # Five minutes of endings: three and a half a second.
        status = chance.choice(["Completed", "Completed", "Failed", "Stopped"])
        simulation.start(f"job-{number}", 1100 + chance.uniform(0, 300), status)
    simulation.run()
    lags_s = simulation.lags_s()
    assert len(lags_s) == 1000
    assert lags_s[950] <= 2.0
    service = simulation.service
    assert service.busiest_s("ListTrainingJobs", 1.0) <= 2
    assert service.count("DescribeTrainingJob") == 1000
    assert not service.throttled


def test_what_others_use_of_the_quota_delays_few() -> None:
    simulation, chance = Simulation(lag_s=0.3), random.Random(7)
    simulation.service.refuse = lambda operation, number: (
        "ThrottlingException" if operation == "ListTrainingJobs" and chance.random() < 0.2 else None
    )
    for number in range(1000):
        simulation.start(f"job-{number}", 1100 + chance.uniform(0, 300))
    simulation.run()
    assert simulation.lags_s()[950] <= 2.0


def test_a_thousand_that_end_at_one_moment_are_known_as_soon_as_their_pages_may_be_asked_for() -> None:
    simulation = Simulation(lag_s=0.3)
    for number in range(1000):
        simulation.start(f"job-{number}", 1100)
    simulation.run()
    assert simulation.lags_s()[-1] <= 10 / QUOTAS["ListTrainingJobs"] + 2.0  # ten pages
    assert len(simulation.told) == 1000  # each was described, too


def test_a_failed_job_does_not_wait_for_completed_ones_to_be_described() -> None:
    simulation = Simulation()
    for number in range(500):
        simulation.start(f"job-{number}", 1100)
    simulation.start("broken", 1101, "Failed")
    simulation.run()
    assert simulation.known_at["broken"] - 1101 <= 5.0
    assert simulation.told["broken"][1].status == "Failed"


@pytest.mark.parametrize("filters_pages", [False, True])
def test_an_account_s_earlier_jobs_delay_nobody(filters_pages: bool) -> None:
    simulation = Simulation(lag_s=0.3, filters_pages=filters_pages)
    for number in range(5000):
        simulation.service.add(f"earlier-{number}", (number / 10, "Completed"))
    for number in range(50):
        name, end = f"job-{number}", 1100 + number * 2.0
        simulation.service.add(name, (simulation.time.now_s, "InProgress"), (end, "Completed"))
        simulation.watch(name, simulation.time.moment())
    simulation.run()
    assert simulation.lags_s()[-1] <= 2.0


def test_one_job_costs_less_than_a_call_a_second() -> None:
    simulation = Simulation()
    simulation.start("fit", 1000 + 600)
    simulation.run()
    assert simulation.lags_s()[0] <= 2.0
    assert simulation.service.count("ListTrainingJobs") <= 600 * 0.95
    assert simulation.service.count("DescribeTrainingJob") == 1


def test_a_change_that_comes_late_into_the_list_is_seen_at_the_next_whole_look() -> None:
    simulation = Simulation(lag_s=25.0)
    simulation.start("old", 1200)
    simulation.start("later", 1220)
    simulation.run()
    assert set(simulation.told) == {"old", "later"}


def test_a_deleted_job_is_not_found() -> None:
    simulation = Simulation()
    simulation.start("kept", 1500)
    simulation.watch("gone", START)
    simulation.run()
    assert isinstance(simulation.told["gone"][1], JobNotFound)
    assert simulation.told["kept"][1].status == "Completed"


def test_throttling_slows_the_looks_and_is_nobodys_error(caplog: pytest.LogCaptureFixture) -> None:
    simulation = Simulation()
    simulation.service.refuse = lambda operation, number: (
        "ThrottlingException" if 1010 < simulation.time.now_s < 1100 else None
    )
    simulation.start("fit", 1005)
    simulation.start("later", 1105)
    simulation.run()
    assert set(simulation.told) == {"fit", "later"}
    while_throttled = [at for _, at in simulation.service.calls if 1010 < at < 1100]
    assert len(while_throttled) < 135  # of 180
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_throttling_that_lasts_minutes_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    simulation = Simulation()
    simulation.service.refuse = lambda operation, number: (
        "ThrottlingException" if simulation.time.now_s < 1010 + 3 * PATIENCE_S else None
    )
    simulation.start("fit", 1005)
    simulation.run()
    assert "fit" in simulation.told
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_expired_credentials_are_told_and_the_watch_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    simulation = Simulation()
    simulation.service.refuse = lambda operation, number: (
        "ExpiredTokenException" if 1010 < simulation.time.now_s < 1100 else None
    )
    simulation.start("fit", 1050)
    simulation.run()
    assert simulation.told["fit"][1].status == "Completed"
    assert simulation.troubles
    assert all("attach" in error.fix or "call again" in error.fix for error in simulation.troubles)
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_a_job_that_cannot_be_described_holds_up_no_other() -> None:
    simulation = Simulation()
    describe = simulation.service._describe

    def describe_others(name: str) -> Any:
        if name == "odd" and simulation.time.now_s < 1200:
            raise ValueError("an answer that is none")
        return describe(name)

    simulation.service._describe = describe_others  # type: ignore[method-assign]
    simulation.start("odd", 1010)
    simulation.start("fit", 1011)
    simulation.run()
    assert simulation.told["fit"][0] < 1100 < simulation.told["odd"][0]
