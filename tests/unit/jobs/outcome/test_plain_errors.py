"""What a person sees of an error that leaves a public function."""

from __future__ import annotations

import sys
import traceback

import pytest

from sm_remote.capture.function import bind_call
from sm_remote.errors import ConfigError, JobFailed
from sm_remote.jobs.outcome.plain_errors import raise_plainly
from sm_remote.jobs.outcome.remote_traceback import build_traceback
from sm_remote.wire.outcome import Frame

OWN_FRAMES = 0 if sys.version_info >= (3, 11) else 1


def names_of_frames(error: BaseException) -> list[str]:
    """The functions in an error's traceback, without this module's and without what Python 3.10 must add."""
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names.count("call") == OWN_FRAMES
    return [name for name in names[1:] if name != "call"]


@raise_plainly
def give(error: BaseException, cause: BaseException | None = None) -> None:
    """Raises from deeper inside."""

    def deeper() -> None:
        raise error from cause

    deeper()


def test_an_error_of_ours_comes_without_the_way_to_it_and_without_foreign_errors() -> None:
    foreign = KeyError("x")
    with pytest.raises(ConfigError) as caught:
        give(ConfigError("No x."), foreign)
    assert names_of_frames(caught.value) == []
    assert "KeyError" not in "".join(traceback.format_exception(caught.value))


def test_what_led_to_it_can_still_be_asked_for() -> None:
    @raise_plainly
    def look() -> None:
        try:
            raise KeyError("x")
        except KeyError as error:
            raise ConfigError("No x.") from error

    with pytest.raises(ConfigError) as caught:
        look()
    assert isinstance(caught.value.__context__, KeyError)


def test_an_interrupt_comes_without_the_frames_that_it_hit() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        give(KeyboardInterrupt())
    assert names_of_frames(caught.value) == []


def test_arguments_that_do_not_fit_are_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="unexpected keyword") as caught:
        raise_plainly(bind_call)(lambda x: x, (1,), {"z": 2})
    assert names_of_frames(caught.value) == []


def test_a_jobs_own_error_keeps_its_frames_however_often_it_is_raised() -> None:
    frames = [Frame(filename="train.py", lineno=3, name="train", line="raise ValueError")]
    error = ValueError("bad row").with_traceback(build_traceback(frames))
    for _ in range(3):
        with pytest.raises(ValueError, match="bad row") as caught:
            give(error)
        assert names_of_frames(caught.value) == ["train"]


def test_a_failed_job_goes_on_showing_its_cause() -> None:
    cause = SystemExit(3)
    with pytest.raises(JobFailed) as caught:
        give(JobFailed("Training job fit-1 failed."), cause)
    assert caught.value.__cause__ is cause
    assert names_of_frames(caught.value) == []


def test_an_error_that_nobody_foresaw_keeps_every_frame() -> None:
    with pytest.raises(AttributeError) as caught:
        give(AttributeError("a bug"))
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-2:] == ["give", "deeper"]
