"""A forked child shares no connection with its parent: nobody in it would watch jobs."""

from __future__ import annotations

import os
import warnings

import boto3

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


def test_each_session_that_is_given_has_a_connection_of_its_own(home) -> None:
    first, second = (boto3.Session("a", "b", region_name="eu-west-1") for _ in range(2))
    try:
        made = [
            connection.connect(target="sagemaker", home=home, region="eu-west-1", boto_session=session)
            for session in (first, second, first)
        ]
        assert made[0] is made[2]
        assert made[0] is not made[1]
    finally:
        connection._connections.clear()
