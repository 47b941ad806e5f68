"""The generations of one checkpoint on disk: which of them a run goes on from, and which may go."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

from sm_remote.checkpoints.generation import Generation, choose_kept, list_generations, order_resumable
from sm_remote.checkpoints.layout import FINISHED, read_generation_number
from sm_remote.checkpoints.owner import Owner
from sm_remote.checkpoints.writer import remove_tree, write_file
from sm_remote.errors import CheckpointError

UPLOAD_LAG_S = 60.0
"""Where the platform sets no marks, a generation of this age is taken to have reached S3. Source: there is none; what
has been seen is seconds to minutes."""


class Shelf:
    """A checkpoint's directory, as one run sees it.

    Args:
        name: The checkpoint's.
        siblings: The directories of all its ranks.
        rank: Which of them is this run's.
        run: The training job's name, or what stands for it.
        owner: Whose it is.
        adopts: Whether it is taken up wherever the function was when it was saved.
        resume: Whether what other runs left unfinished is taken up.
        say: Tells the user.
    """

    def __init__(
        self,
        *,
        name: str,
        siblings: Sequence[Path],
        rank: int,
        run: str,
        owner: Owner,
        adopts: bool,
        resume: bool,
        say: Callable[[str], None],
    ) -> None:
        self.directory = siblings[rank]
        self._name = name
        self._siblings = siblings
        self._run = run
        self._owner = owner
        self._adopts = adopts
        self._resume = resume
        self._say = say
        self._restored: frozenset[int] = frozenset()

    def tidy(self) -> None:
        """Removes what is no generation: what was being written, or copied, when its process was killed."""
        for each in list_generations(self.directory)[1]:
            remove_tree(each.directory)

    def note_restored(self, *, saved_here: Collection[Path]) -> None:
        """Notes what the platform has restored: it came from S3, though nothing marks it as uploaded.

        Args:
            saved_here: Generations that this process has saved itself, under an earlier opening.
        """
        there = list_generations(self.directory)[0]
        self._restored = frozenset(each.manifest.number for each in there if each.directory not in saved_here)

    def find_last_number(self) -> int:
        """The largest number that any generation here has had, whole or not; 0 without one."""
        names = [entry.name for entry in self.directory.iterdir()]
        return max((read_generation_number(name) or 0 for name in names), default=0)

    def find_newest(self) -> Generation | None:
        """The newest generation that is whole and that this run may go on from; what is left out is said.

        Raises:
            CheckpointError: Another function's generations are here.
        """
        generations, broken = list_generations(self.directory)
        self._refuse_foreign(generations)
        for each in broken:
            self._say(f"generation {each.directory.name} is not whole ({each.fault}): it is left out")
        common = self._find_common_steps() if len(self._siblings) > 1 else None
        for generation in self._order(generations):
            if common is not None and generation.manifest.step not in common:
                continue
            fault = generation.find_fault()
            if fault is None:
                return generation
            self._say(f"{generation.describe()} is not whole ({fault}): it is left out")
        return None

    def find_best(self, *, largest: bool) -> Generation | None:
        """The whole generation of this run, or of what it goes on from, with the best metric."""
        own = self._order(list_generations(self.directory)[0])
        ranked = [each for each in own if each.manifest.metric is not None]
        ranked.sort(key=lambda each: each.manifest.metric or 0.0, reverse=largest)
        return next((each for each in ranked if each.find_fault() is None), None)

    def prune(self, *, keep: int, largest: bool, now: float | None) -> None:
        """Removes the generations that need not stay, see `choose_kept`.

        Args:
            keep: How many stay.
            largest: Whether a larger metric is better.
            now: The time, where the directory is synchronised with S3.
        """
        generations = list_generations(self.directory)[0]
        own = self._order(generations)[::-1]
        kept = choose_kept(
            own,
            keep=keep,
            largest=largest,
            arrived=None if now is None else _list_arrived(own, now) | self._restored,
            predecessor=len(self._siblings) > 1,
        )
        done_with = self._read_finished() if self._resume else 0
        for each in generations:
            is_of_finished_run = each.manifest.number <= done_with and each.manifest.job != self._run
            is_superseded = each in own and each.manifest.number not in kept
            if (is_of_finished_run or is_superseded) and not each.is_in_flight():
                remove_tree(each.directory)

    def write_finished(self, number: int) -> None:
        """Notes that this run came to its end: later ones begin anew."""
        text = json.dumps({"job": self._run, "number": number}).encode()
        with suppress(OSError):  # then the next run goes on from the end, and is done at once
            write_file(self.directory / FINISHED, text)

    def _read_finished(self) -> int:
        """The number up to which another run came to its end; 0 where none did."""
        try:
            content = json.loads((self.directory / FINISHED).read_bytes())
            return int(content["number"]) if content["job"] != self._run else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _order(self, generations: Sequence[Generation]) -> list[Generation]:
        return order_resumable(generations, run=self._run, finished=self._read_finished(), resume=self._resume)

    def _find_common_steps(self) -> set[int | None]:
        """The steps that every rank has whole; the whole prefix is restored to each host."""
        return set.intersection(
            *(
                {each.manifest.step for each in list_generations(sibling)[0] if each.find_fault() is None}
                for sibling in self._siblings
            )
        )

    def _refuse_foreign(self, generations: Sequence[Generation]) -> None:
        if not self._resume:
            return
        for each in generations:
            if self._owner.is_other_function(each.manifest.owner):
                raise self._describe_foreign(each, "")
        newest = next(iter(self._order(generations)), None)
        if newest is not None and not self._adopts and self._owner.is_other_home(newest.manifest.owner):
            raise self._describe_foreign(newest, " Where it is the same function, moved: resume=True takes it up.")

    def _describe_foreign(self, generation: Generation, offer: str) -> CheckpointError:
        owner, other = self._owner, generation.manifest.owner
        return CheckpointError(
            f"The checkpoint {self._name!r} is another function's: {other.describe(owner)}'s, and this is "
            f"{owner.describe(other)}.",
            why=f"{generation.manifest.job} saved it under the same prefix.",
            fix=f"Use another checkpoint_s3_uri, or begin anew beside it: resume=False.{offer}",
            function=other.function,
        )


def _list_arrived(generations: Sequence[Generation], now: float) -> set[int]:
    """Which have reached S3, by the platform's marks, or by their age where it sets none."""
    marked = {each.manifest.number for each in generations if each.has_arrived()}
    return marked or {each.manifest.number for each in generations if each.manifest.saved_at <= now - UPLOAD_LAG_S}
