"""A container that a warm pool holds ready: started, and waiting to be told what it is to run.

It has never run a job, so nothing of an earlier one is in it. Its working tree becomes that of the next job by one
rename, which the mounts follow. Where the next job wants anything else (another image, other mounts), where it has
companions with mounts of their own, or several hosts, it starts cold, as it does where the engine holds none ready.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sm_remote.home import Home, make_private
from sm_remote.service.channels.file_mode import find_channel_mounts
from sm_remote.service.engines.engine import ContainerSpec, EngineError
from sm_remote.service.hosts.companions import Companion
from sm_remote.service.hosts.host import Host, list_hosts
from sm_remote.service.hosts.working_tree import WorkingTree, clear_away, find_tree
from sm_remote.service.jobs.containers import build_container
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.records.job import JobRecord
from sm_remote.service.records.pool import PoolStatus
from sm_remote.service.storage.objects import ObjectError

logger = logging.getLogger("sm_remote.service")

_NOTE = "standby.json"
"""What a container was made for, in its working tree: the tree is a standby's, or was."""


def standby_name(job_name: str) -> str:
    """The deterministic name of the container that a job's pool holds ready."""
    return f"smr-pool-{job_name}"


def pool_directory(home: Home, root: str) -> Path:
    """Where a pool keeps what outlives its jobs."""
    return home.pools / root


def prepare_standby(record: JobRecord, shop: Workshop) -> None:
    """Holds a container ready for the job that follows an ended one; harmless where that is not possible."""
    if record.pool is None or len(list_hosts(record.request)) > 1:
        return
    (host,) = list_hosts(record.request)
    tree = _find_standby_tree(record, shop)
    try:
        _remove(standby_name(record.name), shop)  # of a service that died while it prepared one
        tree.create()
        spec = replace(_build_spec(record, host, tree, (), shop), name=standby_name(record.name), environment={})
        for mount in spec.mounts:
            if mount.source.is_relative_to(tree.root):
                mount.source.mkdir(parents=True, exist_ok=True)
        if shop.engine.prepare_standby(spec):
            (tree.root / _NOTE).write_text(json.dumps(_describe(spec, tree)))
    except (EngineError, ObjectError, OSError):
        logger.warning("No container is held ready for what follows %s", record.name, exc_info=True)
    if not _is_available(shop, record.name) or not (tree.root / _NOTE).exists():
        discard_standby(record, shop)


def _is_available(shop: Workshop, job_name: str) -> bool:
    pool = shop.store.find(job_name).pool
    return pool is not None and pool.status is PoolStatus.AVAILABLE


def discard_standby(record: JobRecord, shop: Workshop) -> None:
    """Removes what a job's pool holds ready, if it does."""
    try:
        _remove(standby_name(record.name), shop)
    except EngineError:
        # The scheduler's sweep finds what is left.
        logger.exception("The container %s could not be removed", standby_name(record.name))
    clear_away(_find_standby_tree(record, shop).root, shop.home)


def _remove(container: str, shop: Workshop) -> None:
    """Removes a container if it is ours: another user's job on the same daemon may have the same name."""
    if container in shop.engine.list_containers(shop.owner):
        shop.engine.stop(container, 0.0)
        shop.engine.remove(container)


def adopt_standby(
    record: JobRecord, ended: JobRecord, host: Host, companions: Sequence[Companion], shop: Workshop
) -> bool:
    """Makes the working tree of a container that is held ready that of a job; whether the job can have it.

    Args:
        record: The job, whose working tree does not exist yet.
        ended: The job whose pool it has.
        host: Its host.
        companions: What lives beside its container.
        shop: What to work with.
    """
    tree = find_tree(shop.home, record.name, record.attempt, host.name)
    ready = _find_standby_tree(ended, shop)
    try:
        wanted = _describe(_build_spec(record, host, tree, companions, shop), tree)
        fits = json.loads((ready.root / _NOTE).read_text()) == wanted and not tree.root.exists()
        if fits:
            make_private(tree.root.parent)
            ready.root.rename(tree.root)
            return True
    except (OSError, ObjectError, ValueError):
        logger.debug("Nothing is held ready for %s", record.name, exc_info=True)
    discard_standby(ended, shop)
    return False


def find_standby(record: JobRecord, tree: WorkingTree) -> str | None:
    """The name of the container that was held ready for a working tree; None where there was none."""
    return standby_name(record.current.pool) if record.current.pool and (tree.root / _NOTE).exists() else None


def _find_standby_tree(record: JobRecord, shop: Workshop) -> WorkingTree:
    root = record.pool.root if record.pool else record.name
    return WorkingTree(root=pool_directory(shop.home, root) / "standby" / record.name)


def _build_spec(
    record: JobRecord, host: Host, tree: WorkingTree, companions: Sequence[Companion], shop: Workshop
) -> ContainerSpec:
    channels = find_channel_mounts(record.request, host, tree.data, shop.buckets)
    return build_container(
        record, host, tree, channels, companions, machine=shop.host, owner=shop.owner, home=shop.home
    )


def _describe(spec: ContainerSpec, tree: WorkingTree) -> dict[str, Any]:
    """What of a container cannot be changed once it has been started; sources in the tree by their place in it."""
    return {
        "image": spec.image,
        "mounts": [[_render_source(mount.source, tree), mount.target, mount.read_only] for mount in spec.mounts],
        "cpus": spec.cpus,
        "memory_bytes": spec.memory_bytes,
        "gpus": list(spec.gpus),
        "network": spec.network,
        "has_cluster": spec.cluster is not None,
    }


def _render_source(source: Path, tree: WorkingTree) -> str:
    return f"tree/{source.relative_to(tree.root)}" if source.is_relative_to(tree.root) else str(source)
