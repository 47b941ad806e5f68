"""Which host gets which part of a channel."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sm_remote.service.channels.shards import Shard, find_shard, reaches
from sm_remote.service.hosts.host import Host

ITEMS = st.lists(st.integers(), unique=True, max_size=50)
SEEDS = st.none() | st.integers(min_value=0)
HOSTS = [Host(name=f"algo-{n}", instance_type="ml.m5.large", instance_group=f"g{n % 2}") for n in range(1, 5)]


def channel(distribution: str = "FullyReplicated", seed: int | None = None, groups: tuple[str, ...] = ()):
    source = {"S3DataDistributionType": distribution, "InstanceGroupNames": list(groups)}
    made = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
    return made if seed is None else {**made, "ShuffleConfig": {"Seed": seed}}


@given(ITEMS, st.integers(1, 8), SEEDS, st.integers(0, 3))
def test_all_hosts_together_get_everything_once_and_almost_the_same_number(items, count, seed, epoch):
    parts = [Shard(index=index, count=count, seed=seed).select(items, epoch) for index in range(count)]
    assert sorted(item for part in parts for item in part) == sorted(items)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@given(ITEMS, st.integers(min_value=0), st.integers(0, 3))
def test_a_seed_gives_the_same_order_each_time(items, seed, epoch):
    shard = Shard(index=0, count=1, seed=seed)
    assert shard.select(items, epoch) == shard.select(items, epoch)


@given(ITEMS, st.integers(0, 3))
def test_without_a_seed_the_order_is_the_sources_in_every_epoch(items, epoch):
    assert Shard(index=0, count=1).select(items, epoch) == items


def test_a_seed_reorders_in_each_epoch_and_moves_objects_between_hosts():
    items = list(range(100))
    shard = Shard(index=1, count=4, seed=7)
    first, second = shard.select(items, 0), shard.select(items, 1)
    assert first != second
    assert set(first) != set(second)


def test_a_replicated_channel_is_whole_on_every_host():
    assert [find_shard(channel(), host, HOSTS) for host in HOSTS] == [Shard(index=0, count=1)] * 4


def test_a_sharded_channel_is_dealt_out_among_the_hosts_of_its_groups():
    sharded = channel("ShardedByS3Key", seed=3, groups=("g1",))
    assert [host.name for host in HOSTS if reaches(sharded, host)] == ["algo-1", "algo-3"]
    assert find_shard(sharded, HOSTS[0], HOSTS) == Shard(index=0, count=2, seed=3)
    assert find_shard(sharded, HOSTS[2], HOSTS) == Shard(index=1, count=2, seed=3)
