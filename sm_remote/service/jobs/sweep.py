"""Removes containers and networks of ours that belong to no job that runs: what crashes and engines' trouble left."""

from __future__ import annotations

import logging

from sm_remote.service.engines.engine import EngineError
from sm_remote.service.hosts.host import list_hosts
from sm_remote.service.jobs.containers import network_name
from sm_remote.service.jobs.standby import standby_name
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.records.attempts import container_name
from sm_remote.service.records.job import JobRecord

logger = logging.getLogger("sm_remote.service")


def sweep_leftovers(shop: Workshop) -> None:
    """Removes them; where the engine does not answer, the next sweep does."""
    try:
        containers = shop.engine.list_containers(shop.owner)
        networks = shop.engine.list_networks(shop.owner)
        # Listed first: a container that is started meanwhile is not in the list.
        unfinished = shop.store.list_unfinished()
        wanted = {name for record in unfinished for name in _list_names(record)}
        wanted |= {standby_name(record.name) for record in shop.store.list_pools()}
        for name in containers.keys() - wanted:
            logger.warning("Removing the container %s, which belongs to no unfinished job", name)
            shop.engine.stop(name, 0.0)
            shop.engine.remove(name)
        known = {network_name(record.name, record.attempt) for record in unfinished if record.may_have_containers}
        for name in set(networks) - known:
            shop.engine.remove_network(name)
    except EngineError as error:
        logger.warning("Containers could not be swept: %s", error)


def _list_names(record: JobRecord) -> list[str]:
    """The names of the containers that a job may have."""
    if not record.may_have_containers or not record.attempts:
        return []
    names = [container_name(record.name, record.attempt, host.name) for host in list_hosts(record.request)]
    return names if record.current.pool is None else [*names, standby_name(record.current.pool)]
