"""Which host of a training job gets which part of a channel. Pure.

Source: API_S3DataSource (S3DataDistributionType, InstanceGroupNames), API_ShuffleConfig. SageMaker says only that each
of n hosts gets about 1/n of the objects, and that shuffling moves objects between hosts from epoch to epoch; which
object goes where is our choice.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sm_remote.service.hosts.host import Host

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """One host's part of a channel.

    Attributes:
        index: Which part, from 0 on.
        count: Of how many.
        seed: ShuffleConfig.Seed, or None for the order of the source.
    """

    index: int
    count: int
    seed: int | None = None

    def select(self, items: Sequence[T], epoch: int = 0) -> list[T]:
        """This host's items in an epoch, in its order: shuffled over all hosts, then dealt out in turn."""
        order = list(items)
        if self.seed is not None:
            random.Random(f"{self.seed} {epoch}").shuffle(order)  # noqa: S311 - to be repeatable, not secret
        return order[self.index :: self.count]


def reaches(channel: Mapping[str, Any], host: Host) -> bool:
    """Whether a host gets a channel at all."""
    groups = channel["DataSource"]["S3DataSource"].get("InstanceGroupNames")
    return not groups or host.instance_group in groups


def find_shard(channel: Mapping[str, Any], host: Host, hosts: Iterable[Host]) -> Shard:
    """The part of a channel that one of its hosts gets: everything, unless it is sharded."""
    source = channel["DataSource"]["S3DataSource"]
    seed = channel.get("ShuffleConfig", {}).get("Seed")
    if source.get("S3DataDistributionType") != "ShardedByS3Key":
        return Shard(index=0, count=1, seed=seed)
    names = [each.name for each in hosts if reaches(channel, each)]
    return Shard(index=names.index(host.name), count=len(names), seed=seed)
