"""What type checkers see of a decorated function. Checked by mypy (`tests/integration/test_typing.py`), never run."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import Any

from sm_remote import Job, RemoteExecutor, get_future, list_futures, remote

if sys.version_info >= (3, 11):
    from typing import assert_type
else:
    from typing_extensions import assert_type


@remote(instance_type="ml.m5.large")
def train(frame: list[float], depth: int = 3) -> float:
    return sum(frame) * depth


@remote
async def fetch(url: str) -> bytes:
    return url.encode()


def plain(x: int) -> str:
    return str(x)


assert_type(train([1.0], depth=2), float)
assert_type(train.submit([1.0]), Job[float])
assert_type(train.submit([1.0]).result(), float)
assert_type(train.map([[1.0], [2.0]]), list[float])
assert_type(train.map([[1.0]], return_exceptions=True), list[float | BaseException])
assert_type(train.options(instance_type="ml.c5.xlarge")([1.0]), float)
assert_type(train.local([1.0]), float)
_fetched: Coroutine[Any, Any, bytes] = fetch("u")
assert_type(fetch.submit("u"), Job[bytes])
assert_type(remote(instance_type="ml.m5.large")(plain)(1), str)
assert_type(remote(plain)(1), str)
assert_type(RemoteExecutor().submit(plain, 1), Job[str])
assert_type(get_future("train-1"), Job[Any])
assert_type(next(list_futures("train")), Job[Any])

train("no list")  # type: ignore[arg-type]
train([1.0], width=2)  # type: ignore[call-arg]
train.submit()  # type: ignore[call-arg]
remote(instance_typ="ml.m5.large")  # type: ignore[call-overload]
