"""How soon is the end of a job on SageMaker known, and what does it cost in requests?

First in virtual time: a thousand jobs on a list as AWS has it (pages of a hundred, two requests a second for the
account, changes that come 0.3 s late), with the product's own watcher, sweep and turns. Then in real time: three dozen
jobs of the local service behind a proxy, which the client takes for SageMaker, so that no request is held.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from measure import describe_machine, quantile, show_figure

sys.path.insert(0, str(Path(__file__).parents[1]))

from sm_remote.jobs.watching.lists import SweptList
from sm_remote.jobs.watching.watcher import Watcher
from tests.fakes.sagemaker_list import START, FakeSageMaker, VirtualTime, connect_fake

QUOTAS = {"ListTrainingJobs": 2.0, "DescribeTrainingJob": 10.0}
REAL_JOBS = 36


def simulate(
    ends_s: Sequence[float], *, neighbours: float = 0.0, filters_pages: bool = False
) -> tuple[FakeSageMaker, list[float]]:
    """Watches jobs that end so many seconds from now; returns the service and each job's lag.

    Args:
        ends_s: One for each job.
        neighbours: Which share of the list requests is throttled because of others' use of the account.
        filters_pages: Whether SageMaker takes a page of all jobs and leaves out of it then what was not modified.
    """
    clock, chance = VirtualTime(), random.Random(1)
    service = FakeSageMaker(clock, lag_s=0.3, quotas=QUOTAS, filters_pages=filters_pages)
    service.refuse = lambda operation, number: (
        "ThrottlingException" if operation == "ListTrainingJobs" and chance.random() < neighbours else None
    )
    api = connect_fake(service)
    jobs = SweptList(api, clock=lambda: clock.now_s, now=clock.moment)
    watcher = Watcher(api, holds_requests=False, clock=lambda: clock.now_s, jobs=jobs)
    known_s: dict[str, float] = {}

    def note(name: str) -> bool:
        known_s.setdefault(name, clock.now_s - service.ended_at(name))
        return True

    for number, end_s in enumerate(ends_s):
        name = f"job-{number}"
        service.add(name, (clock.now_s, "InProgress"), (clock.now_s + end_s, "Completed"))
        tell = partial(lambda name, _: note(name), name)
        watcher.add(name, START, tell, on_completed=tell)
    while (pause_s := watcher.step()) is not None:
        clock.sleep(pause_s)
    return service, list(known_s.values())


def show_simulation(title: str, service: FakeSageMaker, lags_s: Sequence[float]) -> None:
    rate = service.count("ListTrainingJobs") / (service.time.now_s - 1000.0)
    print(
        f"  {title:58} {rate:6.2f} {service.busiest_s('ListTrainingJobs', 1.0):6}"
        f" {service.busiest_s('DescribeTrainingJob', 1.0):10} {sum(service.throttled.values()):10}"
        f" {quantile(lags_s, 0.5):7.2f} {quantile(lags_s, 0.95):6.2f} {max(lags_s):6.2f}"
    )


def measure_real() -> tuple[list[float], float, int]:
    """Waits for jobs of the local service as for SageMaker's; returns lags, the list's rate, and its busiest second."""
    import os

    from sm_remote.home import Home
    from sm_remote.jobs.attach import attach_through
    from sm_remote.jobs.connection import connect
    from sm_remote.service.hosts.capacity import Capacity
    from tests.fakes.engine import FakeContainer, FakeEngine
    from tests.fakes.service import build_request, serve
    from tests.fault_proxy import run_fault_proxy

    chance, ended_at = random.Random(2), {}
    ends_s = {f"fit-{number}": chance.uniform(5, 25) for number in range(REAL_JOBS)}

    def play(container: FakeContainer) -> int:
        name = container.spec.labels["sm_remote.job"]
        time.sleep(max(0.0, started + ends_s[name] - time.monotonic()))
        ended_at[name] = time.monotonic()
        return 0

    # What is billed is still asked for when all values are there.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        home = Home(data=Path(directory) / "home", cache=Path(directory) / "cache")
        os.environ |= {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}
        host = Capacity(cpus=4.0 * REAL_JOBS, memory_bytes=16 * REAL_JOBS << 30, gpus=0)
        with serve(home, FakeEngine(play), host=host) as service, run_fault_proxy(service) as proxy:
            os.environ |= {f"AWS_ENDPOINT_URL_{name}": proxy.endpoint_url for name in ("SAGEMAKER", "CLOUDWATCH_LOGS")}
            connection = connect(target="sagemaker", home=home, region="us-east-1")
            started = time.monotonic()
            seen_at: dict[str, float] = {}
            jobs: list[Any] = []
            for name in ends_s:
                connection.training_jobs.create(build_request(name))
                job = attach_through(connection, name)
                job.add_done_callback(lambda done: seen_at.setdefault(done.name, time.monotonic()))
                jobs.append(job)
            for job in jobs:
                job.result()
            lists = [call.at_s for call in proxy.calls if call.operation == "ListTrainingJobs"]
            busiest = max(sum(at <= other < at + 1.0 for other in lists) for at in lists)
            rate = len(lists) / (time.monotonic() - started)
            return [seen_at[name] - ended_at[name] for name in ends_s], rate, busiest


def main() -> None:
    print(describe_machine())
    chance = random.Random(0)
    spread = [chance.uniform(60, 360) for _ in range(1000)]
    print(f"\n  {'virtual time':58} list/s   most describe/s  throttled     p50    p95    max  s")
    service, lags_s = simulate([600.0])
    show_simulation("one job of ten minutes", service, lags_s)
    service, lags_s = simulate(spread)
    spread_lag_s = quantile(lags_s, 0.95)
    most = service.busiest_s("ListTrainingJobs", 1.0)
    show_simulation("1,000 jobs that end within five minutes", service, lags_s)
    service, lags_s = simulate(spread, neighbours=0.2)
    busy_lag_s = quantile(lags_s, 0.95)
    show_simulation("the same, each fifth list throttled because of others", service, lags_s)
    service, lags_s = simulate([60.0] * 1000)
    show_simulation("1,000 jobs that end at one moment", service, lags_s)
    service, lags_s = simulate(spread, filters_pages=True)
    show_simulation("within five minutes, were pages taken before the filter", service, lags_s)
    lags_s, rate, busiest = measure_real()
    print(f"\n  real time, {REAL_JOBS} jobs within 20 s: {rate:.2f} lists a second, at most {busiest} in any")
    print(f"  end to value: p50 {quantile(lags_s, 0.5):.2f} s, p95 {quantile(lags_s, 0.95):.2f} s")
    show_figure("lists in any second, 1,000 jobs", most, 2, "requests")
    show_figure("lag, 1,000 jobs, p95", spread_lag_s, 2, "s")
    show_figure("lag, 1,000 jobs, each fifth list throttled because of others, p95", busy_lag_s, 2, "s")
    show_figure(f"lag to the value, {REAL_JOBS} jobs in real time, p95", quantile(lags_s, 0.95), 2, "s")


if __name__ == "__main__":
    main()
