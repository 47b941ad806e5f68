"""Operations on built images (``SmRemote.*Image*``): building and pushing take long, so they are works to be followed.

A work is begun by one request and asked after by others, so that a client that goes away ends nothing, and a second
client that wants the same joins.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sm_remote.service.api.errors import invalid
from sm_remote.service.api.replies import Reply
from sm_remote.service.engines.built_images import ImageBuildError, is_built_image
from sm_remote.service.engines.engine import BuiltImages, Engine, EngineError

_LONGEST_WAIT_S = 20.0
_MOST_LINES = 1000


@dataclass(slots=True)
class Work:
    """A build or a push that goes on, or has ended."""

    lines: list[str] = field(default_factory=list)
    status: str = "InProgress"
    result: dict[str, Any] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def say(self, line: str) -> None:
        """Adds a line to the log."""
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def end(self, status: str, result: dict[str, Any]) -> None:
        """Ends it."""
        with self.changed:
            self.status, self.result = status, result
            self.changed.notify_all()


class ImageOperations:
    """Building, listing, removing and pushing images.

    Args:
        engine: Builds them, where it can.
        note_end: Told when a work has ended.
    """

    def __init__(self, engine: Engine, note_end: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._note_end = note_end
        self._guard = threading.Lock()
        self._works: dict[str, Work] = {}

    def build(self, request: Mapping[str, Any]) -> Reply:
        """SmRemote.BuildImage {Image}: begins to build an image that is recorded, or joins who builds it."""
        image = _read_image(request)

        def carry_out(work: Work) -> dict[str, Any]:
            self._engine.prepare_image(image, work.say)
            return {"Image": image}

        return self._begin(f"build {image}", carry_out)

    def push(self, request: Mapping[str, Any]) -> Reply:
        """SmRemote.PushImage {Image, Target, Username, Password}: begins to send an image to a registry."""
        image = _read_image(request)
        target, username, password = (request.get(name) for name in ("Target", "Username", "Password"))
        if not isinstance(target, str) or not isinstance(username, str) or not isinstance(password, str):
            raise invalid("Target, Username and Password must be strings.")
        credentials = {"username": username, "password": password}

        def carry_out(work: Work) -> dict[str, Any]:
            self._engine.prepare_image(image, work.say)
            return {"Digest": self._images().push_image(image, target, credentials, work.say)}

        return self._begin(f"push {image} {target}", carry_out)

    def describe(self, request: Mapping[str, Any]) -> Reply:
        """SmRemote.DescribeImageWork {Work, After, WaitS}: lines after a number, and how it ended if it has."""
        work = self._works.get(str(request.get("Work")))
        if work is None:
            raise invalid("There is no such work; the service may have been started anew.")
        after = int(request.get("After") or 0)
        deadline = time.monotonic() + min(float(request.get("WaitS") or 0), _LONGEST_WAIT_S)
        with work.changed:
            while work.status == "InProgress" and len(work.lines) <= after:
                if not work.changed.wait(max(0.0, deadline - time.monotonic())):
                    break
            lines = work.lines[after : after + _MOST_LINES]
            ended = after + len(lines) == len(work.lines)
            status, result = (work.status, work.result) if ended else ("InProgress", {})
        return Reply(body={"Status": status, "Lines": lines, "Next": after + len(lines), **result})

    def list_images(self, _: Mapping[str, Any]) -> Reply:
        """SmRemote.ListImages: what was built here."""
        try:
            found = self._images().list_images()
        except EngineError as error:
            raise invalid(str(error)) from error
        images = [
            {
                "Image": one.uri,
                "Description": one.description,
                "CreationTime": int(one.created),
                "SizeBytes": one.size_bytes,
            }
            for one in found
        ]
        return Reply(body={"Images": images})

    def remove(self, request: Mapping[str, Any]) -> Reply:
        """SmRemote.RemoveImage {Image}."""
        image = _read_image(request)
        try:
            self._images().remove_image(image)
        except EngineError as error:
            raise invalid(str(error)) from error
        return Reply(body={})

    def is_working(self) -> bool:
        """Whether anything is being built or pushed."""
        with self._guard:
            return any(work.status == "InProgress" for work in self._works.values())

    def _images(self) -> BuiltImages:
        if self._engine.built_images is None:
            raise ImageBuildError(
                f"the engine {self._engine.name!r} builds no images: it runs jobs without containers",
                fix="Install and start Docker (sudo scripts/setup-engine.sh), then: sm-remote service stop.",
            )
        return self._engine.built_images

    def _begin(self, name: str, carry_out: Callable[[Work], dict[str, Any]]) -> Reply:
        with self._guard:
            work = self._works.get(name)
            if work is None or work.status != "InProgress":
                work = self._works[name] = Work()
                threading.Thread(
                    target=_carry_out, args=(work, carry_out, self._note_end), name=name[:60], daemon=True
                ).start()
        return Reply(body={"Work": name})


def _carry_out(work: Work, function: Callable[[Work], dict[str, Any]], note_end: Callable[[], None]) -> None:
    try:
        work.end("Completed", function(work))
    except ImageBuildError as error:
        work.end("Failed", {"Reason": str(error), "Fix": error.fix, "Step": error.step, "Tail": list(error.tail)})
    except EngineError as error:
        work.end("Failed", {"Reason": str(error)})
    except Exception as error:  # noqa: BLE001 - whoever follows the work has to learn that it has ended
        work.end("Failed", {"Reason": f"{type(error).__name__}: {error}"})
    finally:
        note_end()


def _read_image(request: Mapping[str, Any]) -> str:
    image = request.get("Image")
    if not isinstance(image, str) or not is_built_image(image):
        raise invalid("Image must be sm-remote-local/image:<key>.")
    return image
