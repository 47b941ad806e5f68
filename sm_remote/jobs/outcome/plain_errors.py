"""Lets errors leave public functions without the way that they took through our modules.

A notebook shows source lines around every frame: the three lines that say what to do, or the one that names the
interrupted job, would stand below a hundred of ours and of botocore's. The way is in the log, at level DEBUG.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from sm_remote.capture.function import bind_call
from sm_remote.errors import JobError, RemoteError
from sm_remote.jobs.outcome.remote_traceback import find_remote_part

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("sm_remote")


def raise_plainly(func: Callable[P, T]) -> Callable[P, T]:
    """Makes what a public function raises look as if it were raised there, and go on through the job's frames if any.

    So do arguments that do not fit, and an interrupt. Any other error keeps every frame: somebody must find its cause.
    What led to an error of ours stays in its ``__context__``; a `JobError` goes on showing its cause, the job's own.
    """

    @functools.wraps(func)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        try:
            return func(*args, **kwargs)
        except (Exception, KeyboardInterrupt) as error:
            shorten(error)
            if sys.version_info < (3, 11):  # there a bare raise would bring back the traceback that was caught
                raise error
            raise

    return call


def shorten(error: BaseException) -> None:
    """Leaves of an error's traceback what its reader needs; see `raise_plainly`."""
    remote = find_remote_part(error.__traceback__)
    if remote is None:
        if not (isinstance(error, (RemoteError, KeyboardInterrupt)) or _is_wrong_call(error)):
            return
        logger.debug("%s leaves sm_remote", type(error).__name__, exc_info=error)
        if not isinstance(error, JobError):
            error.__cause__, error.__suppress_context__ = None, True
    error.__traceback__ = remote


def _is_wrong_call(error: BaseException) -> bool:
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    return frames is not None and frames.tb_frame.f_code is bind_call.__code__
