"""A Python that one side wrote down is the one that the other reads."""

from __future__ import annotations

import pytest

from sm_remote.home import Home
from sm_remote.interpreter import InterpreterRecord, find_record_key, read_record, record_path, write_record

RECORD = InterpreterRecord(
    executable="/usr/bin/python3.11", base_prefix="/usr", version="3.11.7", soabi="cpython-311", platform="linux-x86_64"
)


def test_an_interpreter_is_found_again_by_its_image(home: Home) -> None:
    path = write_record(home, RECORD)
    key = find_record_key(RECORD.image)
    assert key == RECORD.key
    assert path == record_path(home, RECORD.key)
    assert read_record(home, RECORD.key) == RECORD


def test_another_image_stands_for_no_interpreter() -> None:
    assert find_record_key("python:3.11-slim") is None
    assert find_record_key(f"elsewhere/{RECORD.image}") is None


@pytest.mark.parametrize("text", ["{}", "no json", '{"executable": "/usr/bin/python3"}'])
def test_what_is_no_record_is_said_to_be_none(home: Home, text: str) -> None:
    write_record(home, RECORD).write_text(text)
    with pytest.raises(ValueError):
        read_record(home, RECORD.key)
