from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from sm_remote.wire.outcome import Frame, load_object, load_outcome, read_header
from sm_remote.wire.outcome_writer import write_exception, write_value

GOLDEN = Path(__file__).parent / "golden" / "v1"
FACTS = {"python": "3.11.7", "started": 1.0, "ended": 2.5, "peak_memory_bytes": 5, "memory_limit_bytes": None}


def link(relation: str, kind: str) -> dict[str, object]:
    return {"relation": relation, "type": kind, "text": "text", "notes": [], "frames": []}


def write_chain(tmp_path: Path, relations: list[str], pickles: list[bytes | None]) -> Path:
    file = io.BytesIO()
    chain = [link(relation, "some.Error") for relation in relations]
    description = {"phase": "run", "chain": chain, "missing_module": None, "note": None, "sources": {}}
    write_exception(file, description, pickles, FACTS)
    path = tmp_path / "outcome"
    path.write_bytes(file.getvalue())
    return path


@pytest.mark.parametrize("python", ["3.11.7", "3.11.7-" + "x" * 50])
def test_a_value_is_aligned_whatever_the_headers_length(tmp_path, python):
    file = io.BytesIO()
    write_value(file, np.arange(9), {**FACTS, "python": python})
    path = tmp_path / "outcome"
    path.write_bytes(file.getvalue())
    header = read_header(path)
    assert (header.kind, header.python, header.started, header.ended) == ("value", python, 1.0, 2.5)
    assert (header.peak_memory_bytes, header.memory_limit_bytes) == (5, None)
    value = load_object(path, header)
    assert value.tolist() == list(range(9))
    assert value.ctypes.data % 64 == 0


def test_causes_and_contexts_are_linked_again(tmp_path):
    pickles = [pickle.dumps(error, 5) for error in (ValueError(1), KeyError(2), OSError(256, "x"))]
    error = load_outcome(write_chain(tmp_path, ["raised", "cause", "context"], pickles))
    assert type(error.__cause__) is KeyError
    assert type(error.__cause__.__context__) is OSError
    assert error.__suppress_context__


@pytest.mark.parametrize("broken", [None, pickle.dumps(print, 5)[:-3], pickle.dumps("no exception", 5)])
def test_a_cause_that_cannot_be_rebuilt_does_not_cost_the_exception(tmp_path, broken):
    error = load_outcome(write_chain(tmp_path, ["raised", "cause"], [pickle.dumps(ValueError(1), 5), broken]))
    assert error.args == (1,)
    assert error.__cause__ is None


def test_an_exception_without_a_pickle_is_text(tmp_path):
    path = write_chain(tmp_path, ["raised"], [None])
    header = read_header(path)
    assert not header.pickled
    assert header.chain[0].text == "text"
    with pytest.raises(LookupError):
        load_object(path, header)


@pytest.mark.parametrize("content", [b"", b"SMROUT01", b"SMROUT02" + bytes(8), b"SMROUT01\2" + bytes(7) + b"[]"])
def test_anything_else_is_a_value_error(tmp_path, content):
    path = tmp_path / "outcome"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        read_header(path)


def test_outcomes_of_version_1_are_still_read():
    assert load_outcome(GOLDEN / "outcome-value") == {"answer": [42]}
    path = GOLDEN / "outcome-exception"
    header = read_header(path)
    raised, cause = header.chain
    assert raised.frames == (
        Frame(filename="/home/u/train.py", name="train", lineno=3, line="raise ValueError('bad') from error"),
    )
    assert raised.notes == ("a note",)
    assert (cause.relation, cause.pickled) == ("cause", True)
    assert header.sources == {"/home/u/train.py": "x\n"}
    error = load_object(path, header)
    assert (type(error), type(error.__cause__)) == (ValueError, KeyError)
