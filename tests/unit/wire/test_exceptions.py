from __future__ import annotations

import io
import pickle

import pytest

from sm_remote.wire.pickler import ValuePickler


class OwnArguments(Exception):
    def __init__(self, code, *, detail):
        super().__init__(f"{code} {detail}")
        self.code = code


class OwnOsError(OSError):
    def __init__(self, path):
        super().__init__(2, "gone", path)


class OwnUnicodeError(UnicodeDecodeError):
    def __init__(self, text):
        super().__init__("utf-8", text, 0, 1, "bad")


class OwnReduce(Exception):
    def __init__(self, one, two):
        super().__init__(one)
        self.two = two

    def __reduce__(self):
        return OwnReduce, (self.args[0], self.two), self.__dict__


class OwnNew(Exception):
    def __new__(cls, *args):
        return super().__new__(cls, *args)

    def __init__(self, one="default"):
        super().__init__(one)


def round_trip(error: BaseException) -> BaseException:
    file = io.BytesIO()
    ValuePickler(file).dump(error)
    return pickle.loads(file.getvalue())


@pytest.mark.parametrize(
    "error",
    [
        OwnArguments(3, detail="x"),
        OwnOsError("/x"),
        OwnUnicodeError(b"\xff"),
        OwnReduce(1, 2),
        OwnNew(5),
        ImportError("x", name="m"),
        SystemExit(3),
        StopIteration(4),
        KeyError("k"),
        OSError(256, "odd"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_exceptions_come_back_as_themselves(error):
    error.extra = ["more"]
    back = round_trip(error)
    assert type(back) is type(error)
    assert (back.args, back.__dict__, str(back)) == (error.args, error.__dict__, str(error))
    for field in ("errno", "filename", "start", "object", "name", "code", "value", "two"):
        assert getattr(back, field, None) == getattr(error, field, None)
