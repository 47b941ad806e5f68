"""A forked child shares no connection with its parent: nobody in it would watch jobs."""

from __future__ import annotations

import os
import warnings

from sm_remote.jobs import connection


def test_a_forked_child_connects_anew() -> None:
    connection._connections["here",] = object()  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
            with connection._lock:
                child = os.fork()
                if child == 0:
                    os._exit(0 if not connection._connections and not connection._lock.locked() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert connection._connections
    finally:
        connection._connections.clear()
