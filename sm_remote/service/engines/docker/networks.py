"""The networks on which the hosts of one training job find each other, one for each attempt.

Every host has a fixed address and every container a list of all of them, so that each name resolves before the first
container runs; Docker's own DNS knows a container only once it has been started. Docker gives fixed addresses only in
a network whose range was asked for, so Docker is first let find a range that is free.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import docker
from docker.errors import APIError, NotFound

from sm_remote.service.engines.engine import Cluster, EngineError

_TRIES = 5


class DockerNetworks:
    """Opens, finds and removes clusters' networks.

    Args:
        client: Connected to the daemon.
    """

    def __init__(self, client: docker.APIClient) -> None:
        self._api: Any = client

    def open(self, cluster: Cluster, labels: Mapping[str, str]) -> dict[str, str]:
        """The addresses of a cluster's hosts, in its network; the network is made where it is not there yet.

        Raises:
            EngineError: Docker finds no range of addresses, or the network of that name is somebody else's.
        """
        found = self._find(cluster.network)
        if found is None:
            found = self._create(cluster, labels)
        elif (found.get("Labels") or {}) != dict(labels):
            raise EngineError(f"the Docker network {cluster.network} is somebody else's")
        return plan_addresses(_read_subnet(found), cluster.hosts)

    def remove(self, name: str) -> None:
        """Removes a network; no error if there is none."""
        found = self._find(name)
        if found is not None:
            for container in found.get("Containers") or {}:
                self._api.disconnect_container_from_network(container, name, force=True)
            self._api.remove_network(found["Id"])

    def list_names(self, instance: str) -> list[str]:
        """Names of the networks of a service instance."""
        return [network["Name"] for network in self._api.networks(filters={"label": f"sm_remote.instance={instance}"})]

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._api.inspect_network(name)
        except NotFound:
            return None
        return found

    def _create(self, cluster: Cluster, labels: Mapping[str, str]) -> dict[str, Any]:
        options = {"driver": "bridge", "internal": cluster.isolated, "labels": dict(labels), "check_duplicate": True}
        for _ in range(_TRIES):
            draft = self._api.create_network(cluster.network, **options)["Id"]
            subnet = _read_subnet(self._api.inspect_network(draft))
            self._api.remove_network(draft)
            pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=str(subnet))])
            try:
                self._api.create_network(cluster.network, ipam=pool, **options)
            except APIError as error:
                if "overlap" not in str(error.explanation):  # somebody else has taken it in between
                    raise
                continue
            found = self._find(cluster.network)
            if found is not None:
                return found
        raise EngineError(f"Docker finds no addresses for the network {cluster.network}")


def plan_addresses(subnet: ipaddress.IPv4Network | ipaddress.IPv6Network, hosts: Sequence[str]) -> dict[str, str]:
    """Each host's address: behind the gateway's, in the order of the hosts."""
    first = 2
    if len(hosts) + first >= subnet.num_addresses:
        raise EngineError(f"the network {subnet} has no room for {len(hosts)} hosts")
    return {host: str(subnet[number]) for number, host in enumerate(hosts, first)}


def _read_subnet(network: Mapping[str, Any]) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(network["IPAM"]["Config"][0]["Subnet"])
