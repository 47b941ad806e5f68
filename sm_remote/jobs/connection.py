"""One connection for each API that this process talks to: its client, its store and its watcher, made once."""

from __future__ import annotations

import os
import sys
import threading
from functools import cached_property
from typing import Any

from sm_remote.aws.local_service import ServiceOptions
from sm_remote.aws.s3_terms import USUAL_TERMS, S3Terms
from sm_remote.aws.session import Session, connect_aws, connect_local
from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.home import Home, check_platform
from sm_remote.jobs.account import Account
from sm_remote.jobs.logs.ends import LogEnds
from sm_remote.jobs.watching.alarm import Alarm
from sm_remote.jobs.watching.watcher import Watcher
from sm_remote.storage import Store, open_store

_lock = threading.Lock()
_connections: dict[tuple[Any, ...], Connection] = {}


def _forget_all() -> None:
    """In a forked child nobody watches jobs, and its sockets are its parent's: it connects anew."""
    global _lock
    _lock = threading.Lock()
    _connections.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


class Connection:
    """What a job needs to be submitted, watched and collected.

    Attributes:
        target: ``"local"`` or ``"sagemaker"``.
        home: Where local state lies.
        training_jobs: The API.
        watcher: The one thread that watches all jobs of this connection.
        log_ends: Reads what jobs that have ended said last.
        alarm: The one thread that looks at some of them at given moments.
    """

    def __init__(self, *, home: Home, session: Session) -> None:
        self.target = session.target
        self.home = home
        self.training_jobs = TrainingJobs(session)
        self.watcher = Watcher(self.training_jobs, holds_requests=session.holds_requests)
        self.log_ends = LogEnds(self.training_jobs)
        self.alarm = Alarm()
        self._session_of_stores = session
        self._stores: dict[str, Store] = {}

    @cached_property
    def account(self) -> Account:
        """The account's role and bucket, each looked for when it is first needed."""
        return Account(self.training_jobs.session)

    def open_store(self, root_uri: str) -> Store:
        """The store below an S3 URI; one object for each URI, so that what it knows of its objects is kept."""
        session = self.training_jobs.session
        if self.target == "sagemaker" and session is not self._session_of_stores:  # it has other credentials
            self._session_of_stores, self._stores = session, {}
        if root_uri not in self._stores:
            self._stores[root_uri] = open_store(
                root_uri, home=self.home, s3_client_factory=lambda: session.client("s3")
            )
        return self._stores[root_uri]


def connect(
    *,
    target: str,
    home: Home,
    region: str | None = None,
    options: ServiceOptions | None = None,
    terms: S3Terms = USUAL_TERMS,
    boto_session: Any = None,
) -> Connection:
    """Returns the connection to a target, made at the first call.

    Args:
        target: ``"local"`` or ``"sagemaker"``.
        home: Where local state lies.
        region: The AWS region; by default that of the AWS configuration.
        options: How the local service is started.
        terms: What every request to S3 says of buckets.
        boto_session: Whose credentials are used on AWS, instead of those that boto3 finds.

    Raises:
        ServiceUnavailable: The API cannot be reached or started.
        EngineUnavailable: The wanted engine does not answer.
        ConfigError: No AWS region is known, or this is Windows.
    """
    check_platform(sys.platform)
    chosen = options or ServiceOptions()
    key = (target, home, region, chosen, terms) if target == "local" else (target, home, region, terms, boto_session)
    with _lock:
        found = _connections.get(key)
        if found is None:
            if target == "local":
                session = connect_local(home, chosen, terms)
            else:
                session = connect_aws(region, terms, boto_session=boto_session, limits=home.limits)
            found = _connections[key] = Connection(home=home, session=session)
        return found
