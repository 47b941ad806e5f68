"""Forgetting a job: directories first, record last, so that a crash in between leaves something to go on from."""

from __future__ import annotations

from sm_remote.home import Home
from sm_remote.service.hosts.working_tree import clear_away, remove_tree
from sm_remote.service.records.store import JobStore


def purge_job(home: Home, store: JobStore, name: str) -> None:
    """Removes all that the service holds of a job; its outputs in S3 stay, as on AWS."""
    clear_away(home.jobs / name, home)
    remove_tree(home.logs / name)
    store.delete(name)
