"""Which of this machine's GPUs a job gets: by number, so that no two jobs share one while others are idle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Deal = Mapping[str, tuple[int, ...]]
"""Each host's GPUs, by their numbers."""


def deal_gpus(wanted: Mapping[str, int], *, taken: Iterable[int], total: int) -> Deal:
    """Gives each host as many GPUs as it wants.

    A job may want more than are free: it runs because it is alone on the machine, and then its hosts share them.

    Args:
        wanted: How many each host wants, never more than there are.
        taken: Numbers that other jobs have.
        total: How many the machine has.
    """
    taken = set(taken)
    order = sorted(range(total), key=lambda number: number in taken)
    dealt: dict[str, tuple[int, ...]] = {}
    at = 0
    for host, count in wanted.items():
        dealt[host] = tuple(sorted(order[(at + place) % total] for place in range(count)))
        at += count
    return dealt
