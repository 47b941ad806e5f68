"""Turns are shared by all processes of a machine, and taken before each attempt that botocore makes."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from sm_remote.aws.pace import SLOWER
from sm_remote.aws.pacing import Pacer


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def sleep(self, pause_s: float) -> None:
        self.pauses.append(pause_s)
        self.now += pause_s


def build_pacer(directory: Path | None, clock: Clock) -> Pacer:
    return Pacer(directory, clock=lambda: clock.now, sleep=clock.sleep, chance=lambda: 0.0)


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"other": 1}', b"[]"])
def test_two_processes_share_one_quota(tmp_path: Path, content: bytes | None) -> None:
    directory, clock = tmp_path / "limits" / "us-east-1", Clock()
    if content is not None:
        directory.mkdir(parents=True)
        (directory / "ListTrainingJobs").write_bytes(content)
    first, second = build_pacer(directory, clock), build_pacer(directory, clock)
    for pacer in (first, second, first, second):
        pacer.await_turn("ListTrainingJobs")
    assert clock.pauses == [0.5, 0.5, 0.5]
    second.slow_down("ListTrainingJobs")
    first.await_turn("ListTrainingJobs")
    assert clock.pauses[-1] == pytest.approx(0.5 / SLOWER)
    assert content is not None or stat.S_IMODE((directory / "ListTrainingJobs").stat().st_mode) == 0o600


def test_where_nothing_can_be_shared_a_process_counts_its_own(tmp_path: Path) -> None:
    (tmp_path / "limits").write_text("a file in the place of the directory")
    clock = Clock()
    pacer = build_pacer(tmp_path / "limits" / "us-east-1", clock)
    for _ in range(3):
        pacer.await_turn("ListTrainingJobs")
    assert clock.pauses == [0.5, 0.5]


def test_what_has_no_quota_waits_for_nobody() -> None:
    clock = Clock()
    pacer = build_pacer(None, clock)
    for _ in range(100):
        pacer.await_turn("StopTrainingJob")
    assert clock.pauses == []


def test_each_attempt_of_botocore_takes_a_turn_and_throttling_slows_the_next() -> None:
    clock, sent = Clock(), []
    config = Config(retries={"mode": "standard", "total_max_attempts": 1})
    client = boto3.session.Session("AKIA", "secret", region_name="us-east-1").client("sagemaker", config=config)
    build_pacer(None, clock).register(client)

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(clock.now)
        body = b'{"__type":"ThrottlingException","message":"Rate exceeded"}'
        return AWSResponse(request.url, 400, {"Content-Type": "application/x-amz-json-1.1"}, _Body(body))

    client.meta.events.register("before-send.sagemaker", answer)
    for _ in range(3):
        with pytest.raises(ClientError):
            client.list_training_jobs()
    assert sent[1] - sent[0] == pytest.approx(0.5 / SLOWER)
    assert sent[2] - sent[1] >= sent[1] - sent[0]


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Any:
        yield self._content
