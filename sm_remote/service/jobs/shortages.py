"""Capacity that is scripted away: instance types that this machine pretends not to have, so that a client's fallback
to another type, or to on-demand capacity, can be tried out.

Kept in a file, because the service may end and start again in between.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from sm_remote.home import write_private
from sm_remote.service.hosts.host import list_hosts

ANY = "*"


class Effect(str, Enum):
    """What happens to a job that wants what is short."""

    ERROR = "error"
    PENDING = "pending"

    def __str__(self) -> str:
        return self.value


class Market(str, Enum):
    """Which capacity is short."""

    ANY = "any"
    SPOT = "spot"
    ON_DEMAND = "on-demand"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortage:
    """One instance type that is not to be had.

    Attributes:
        instance_type: Its name, or `ANY`.
        market: Spot capacity, on-demand capacity, or both.
        effect: The job fails with a CapacityError, or waits until the shortage is over.
    """

    instance_type: str
    market: Market
    effect: Effect

    def concerns(self, request: Mapping[str, Any]) -> bool:
        """Whether a job that was requested so is short of it."""
        market = Market.SPOT if request.get("EnableManagedSpotTraining") else Market.ON_DEMAND
        types = {host.instance_type for host in list_hosts(request)}
        return self.market in (Market.ANY, market) and (self.instance_type == ANY or self.instance_type in types)


class Shortages:
    """All shortages.

    Args:
        path: Where they are kept.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._found = _load(path)

    def list_all(self) -> tuple[Shortage, ...]:
        """All of them."""
        return self._found

    def set(self, shortage: Shortage) -> None:
        """Adds one, instead of one of the same type and market."""
        with self._lock:
            self._save([*self._without(shortage.instance_type, shortage.market), shortage])

    def clear(self, instance_type: str, market: Market) -> None:
        """Ends those of a type and market; `ANY` and `Market.ANY` stand for all."""
        with self._lock:
            self._save(self._without(instance_type, market))

    def find_effect(self, request: Mapping[str, Any]) -> Effect | None:
        """What happens to a job because of them: failing comes before waiting; None where nothing is short."""
        effects = {shortage.effect for shortage in self._found if shortage.concerns(request)}
        return next((effect for effect in Effect if effect in effects), None)

    def _without(self, instance_type: str, market: Market) -> list[Shortage]:
        return [
            shortage
            for shortage in self._found
            if not (instance_type in (ANY, shortage.instance_type) and market in (Market.ANY, shortage.market))
        ]

    def _save(self, shortages: Iterable[Shortage]) -> None:
        found = tuple(shortages)
        write_private(self._path, json.dumps([asdict(shortage) for shortage in found]))
        self._found = found


def _load(path: Path) -> tuple[Shortage, ...]:
    try:
        entries = json.loads(path.read_text())
    except FileNotFoundError:
        return ()
    return tuple(
        Shortage(instance_type=entry["instance_type"], market=Market(entry["market"]), effect=Effect(entry["effect"]))
        for entry in entries
    )
