"""Builds and pushes are works that are begun once and asked after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sm_remote.service.api.errors import ApiError
from sm_remote.service.engines.built_images import ImageBuildError
from sm_remote.service.engines.engine import BuiltImage
from sm_remote.service.operations.images import ImageOperations
from tests.fakes.engine import FakeEngine

IMAGE = "sm-remote-local/image:" + "0" * 24


class BuildingEngine(FakeEngine):
    """Builds when it is let, and pushes to nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.go_on.set()
        self.builds = 0
        self.failure: ImageBuildError | None = None
        self.pushed: list[tuple[str, str, Mapping[str, str]]] = []
        self.built_images = self  # type: ignore[assignment]

    def prepare_image(self, image: str, say: Callable[[str], None]) -> None:
        self.builds += 1
        say("Step 1/1 : FROM a")
        self.go_on.wait(120)
        if self.failure:
            raise self.failure

    def list_images(self) -> list[BuiltImage]:
        return [BuiltImage(uri=IMAGE, description="Image.python('3.11')", created="1700000000", size_bytes=5)]

    def remove_image(self, uri: str) -> None:
        return

    def push_image(self, uri: str, target: str, credentials: Mapping[str, str], say: Callable[[str], None]) -> str:
        self.pushed.append((uri, target, credentials))
        return "sha256:1"


def follow(operations: ImageOperations, work: str) -> dict[str, Any]:
    lines, after = [], 0
    while True:
        answer = operations.describe({"Work": work, "After": after, "WaitS": 5}).body or {}
        lines += answer["Lines"]
        after = answer["Next"]
        if answer["Status"] != "InProgress":
            return {**answer, "Lines": lines}


def test_a_build_is_joined_while_it_goes_on_and_its_lines_come_back() -> None:
    engine = BuildingEngine()
    engine.go_on.clear()
    operations = ImageOperations(engine)
    first = operations.build({"Image": IMAGE}).body
    assert operations.build({"Image": IMAGE}).body == first
    assert operations.is_working()
    engine.go_on.set()
    ended = follow(operations, (first or {})["Work"])
    assert not operations.is_working()
    assert ended["Status"] == "Completed"
    assert ended["Lines"] == ["Step 1/1 : FROM a"]
    assert engine.builds == 1


def test_a_failed_build_tells_its_step_and_log_and_can_be_begun_again() -> None:
    engine = BuildingEngine()
    engine.failure = ImageBuildError("no", fix="mend it", step="RUN x", tail=("a", "b"))
    operations = ImageOperations(engine)
    ended = follow(operations, (operations.build({"Image": IMAGE}).body or {})["Work"])
    assert (ended["Status"], ended["Reason"], ended["Step"], ended["Tail"]) == ("Failed", "no", "RUN x", ["a", "b"])
    engine.failure = None
    assert follow(operations, (operations.build({"Image": IMAGE}).body or {})["Work"])["Status"] == "Completed"


def test_a_push_gives_the_digest_and_shows_no_password() -> None:
    engine = BuildingEngine()
    operations = ImageOperations(engine)
    request = {"Image": IMAGE, "Target": "host/x:1", "Username": "AWS", "Password": "word"}
    begun = operations.push(request).body or {}
    assert "word" not in str(begun)
    assert follow(operations, begun["Work"])["Digest"] == "sha256:1"
    assert engine.pushed == [(IMAGE, "host/x:1", {"username": "AWS", "password": "word"})]


def test_an_engine_without_images_says_so() -> None:
    with pytest.raises(ApiError, match="builds no images"):
        ImageOperations(FakeEngine()).list_images({})


@pytest.mark.parametrize("image", [None, 3, "python:3.11-slim", "sm-remote-local/image:latest"])
def test_only_images_of_records_are_built(image: object) -> None:
    with pytest.raises(ApiError):
        ImageOperations(BuildingEngine()).build({"Image": image})
