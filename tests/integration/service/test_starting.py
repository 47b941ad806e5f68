"""A client that needs a service gets one, also while another is just about to end."""

from __future__ import annotations

import fcntl

import pytest

from sm_remote.aws import local_service
from sm_remote.aws.local_service import ServiceOptions, ensure_service, stop_service
from sm_remote.home import Home, make_private

pytestmark = pytest.mark.service


def test_a_service_that_is_about_to_end_is_succeeded(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    spawn = local_service._spawn

    def spawn_counted(*args):
        starts.append(spawn(*args))
        if len(starts) == 2:
            lock.close()  # the one that held it is gone
        return starts[-1]

    monkeypatch.setattr(local_service, "_spawn", spawn_counted)
    make_private(home.data)
    with (make_private(home.service) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        discovery = ensure_service(home, ServiceOptions(engine="process"))
    assert len(starts) == 2
    stop_service(home, discovery)
