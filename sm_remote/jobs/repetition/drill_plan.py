"""What a fire-drill does to a job, and what is read out of it. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

IN_WRITE_SHARE = 0.5
HEEDING_SHARE = 0.3
HOLD_SHARE = 0.3
"""Of the saves of a deaf job, how many hold still for an interruption."""
SPOT_LIFE_S = 4 * 3600.0
"""What an interval is recommended for: so long, on average, until spot capacity is taken away. A guess of ours: AWS
publishes how often instances of a type are interrupted in a month, not after how long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Blow:
    """One interruption.

    Attributes:
        after_s: Seconds after the function has begun its loop.
        in_write: Whether it waits for a checkpoint that is being written instead.
    """

    after_s: float
    in_write: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The interruptions of one job.

    Attributes:
        deaf: Whether the job ignores SIGTERM, and is killed; else it is given time to leave.
    """

    deaf: bool
    blows: tuple[Blow, ...]


def plan_drill(interruptions: int, seed: int, work_s: float) -> tuple[Part, ...]:
    """Spreads interruptions over a job that heeds SIGTERM and one that is deaf, at moments that the seed decides.

    Args:
        interruptions: In all.
        seed: The same gives the same.
        work_s: How long the loop takes without one.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    heeding = round(HEEDING_SHARE * interruptions)

    def draw(count: int, *, deaf: bool) -> tuple[Blow, ...]:
        return tuple(
            Blow(
                after_s=chance.uniform(0.05, 0.7) * work_s / max(count, 1),
                in_write=deaf and chance.random() < IN_WRITE_SHARE,
            )
            for _ in range(count)
        )

    parts = (
        Part(deaf=False, blows=draw(heeding, deaf=False)),
        Part(deaf=True, blows=draw(interruptions - heeding, deaf=True)),
    )
    return tuple(part for part in parts if part.blows)


def recommend_interval_s(save_s: float, restart_s: float, life_s: float) -> float:
    """How often to save so that saving and repeated work together cost least.

    Source: J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", 2006: its first
    order, sqrt(2 * save * (life + restart)) - save, which is Young's formula of 1974 with the restart.
    """
    if save_s >= 2 * life_s:
        return life_s
    return max(math.sqrt(2 * save_s * (life_s + restart_s)) - save_s, save_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class DrillReport:
    """What a drill has shown.

    Attributes:
        jobs: The training jobs: the uninterrupted one first.
        interruptions: How many there were.
        during_writes: How many of them while a checkpoint was written.
        torn: How many restores were of a newest checkpoint that had only partly arrived.
        deaf: How many had no notice.
        work_s: How long the loop took without an interruption.
        lost_s: For each interruption the work that was done again; what is not known is left out.
        lost_saves: For each interruption how many steps that had been saved were done again: 1 where the newest
            checkpoint had not wholly arrived, else 0.
        restart_s: For each interruption the time until the loop went on.
        saves: How many checkpoints the uninterrupted job saved.
        saving_s: How long that took.
        life_s: What `recommended_interval_s` was computed for.
    """

    jobs: tuple[str, ...]
    interruptions: int
    during_writes: int
    torn: int
    deaf: int
    work_s: float
    lost_s: tuple[float, ...]
    lost_saves: tuple[int, ...]
    restart_s: tuple[float, ...]
    saves: int
    saving_s: float
    life_s: float = SPOT_LIFE_S

    @property
    def save_s(self) -> float:
        """What one checkpoint costs; 0 where none was saved."""
        return self.saving_s / self.saves if self.saves else 0.0

    @property
    def recommended_interval_s(self) -> float | None:
        """How often to save; None where nothing was saved."""
        if not self.saves:
            return None
        return recommend_interval_s(self.save_s, _mean(self.restart_s), self.life_s)

    def __str__(self) -> str:
        lines = [
            f"{count_interruptions(self.interruptions)}, {self.during_writes} of them while a checkpoint was written, "
            f"{self.deaf} without a notice, {self.torn} with a newest checkpoint that had not wholly arrived: "
            "the result is the same.",
            f"uninterrupted   {self.work_s:.1f} s",
            f"lost work       {_mean(self.lost_s):.2f} s each, at most {max(self.lost_s, default=0.0):.2f} s",
            f"restart         {_mean(self.restart_s):.2f} s each",
        ]
        interval_s = self.recommended_interval_s
        if interval_s is None:
            return "\n".join([*lines, "checkpoints     none: every interruption costs all that was done"])
        share = 100 * self.saving_s / self.work_s if self.work_s else 0.0
        return "\n".join(
            [
                *lines,
                f"saving          {self.saves} times, {self.save_s * 1000:.0f} ms each, {share:.1f} % of the time",
                f"recommended     every {interval_s:.0f} s (Young/Daly: {self.save_s:.3f} s to save, "
                f"{_mean(self.restart_s):.1f} s to restart, an interruption every {self.life_s / 3600:g} h)",
            ]
        )


def count_interruptions(count: int) -> str:
    """``1 interruption``, ``20 interruptions``."""
    return f"{count} interruption{'' if count == 1 else 's'}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
