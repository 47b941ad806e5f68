"""Generations as they are found in a directory: which are whole, and which of them a run goes on from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sm_remote.checkpoints.layout import FILES, MANIFEST, STATE, UPLOADED, UPLOADING, read_generation_number
from sm_remote.checkpoints.manifest import GenerationManifest
from sm_remote.wire.digest import digest_file


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """A directory that has a manifest; its files may still be others than the manifest says."""

    directory: Path
    manifest: GenerationManifest

    @property
    def state(self) -> Path | None:
        """The payload that `save` was given, if it was given one."""
        return self.directory / STATE if STATE in self.manifest.files else None

    @property
    def files(self) -> Path:
        """Where a framework's files lie."""
        return self.directory / FILES

    def describe(self) -> str:
        """What people call it."""
        step = self.manifest.step
        return f"step {step}" if step is not None else f"generation {self.manifest.number}"

    def find_fault(self) -> str | None:
        """Why it cannot be used, or None. Every byte is read."""
        for path, ref in self.manifest.files.items():
            file = self.directory / path
            try:
                size_bytes = file.stat().st_size
                if size_bytes != ref.size_bytes:
                    return f"{path} has {size_bytes} bytes instead of {ref.size_bytes}"
                if digest_file(file) != ref.digest:
                    return f"{path} has other bytes than were saved"
            except FileNotFoundError:
                return f"{path} is missing"
            except OSError as error:
                return f"{path} cannot be read: {error.strerror}"
        return None

    def has_arrived(self) -> bool:
        """Whether the platform has marked every file as uploaded."""
        return all(_beside(self.directory / path, UPLOADED).exists() for path in (*self.manifest.files, MANIFEST))

    def is_in_flight(self) -> bool:
        """Whether a file is being uploaded now: SageMaker does not bear its deletion.

        Source: aws/sagemaker-xgboost-container, checkpointing.py.
        """
        files = [self.directory / path for path in (*self.manifest.files, MANIFEST)]
        return any(_beside(file, UPLOADING).exists() and not _beside(file, UPLOADED).exists() for file in files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """A directory of a generation that has no usable manifest."""

    directory: Path
    fault: str


def list_generations(directory: Path) -> tuple[list[Generation], list[Broken]]:
    """Reads the manifests in a checkpoint's directory.

    Returns:
        The generations, oldest first, and the directories that are none.
    """
    found: list[Generation] = []
    broken: list[Broken] = []
    for entry in sorted(directory.iterdir()) if directory.is_dir() else ():
        if read_generation_number(entry.name) is None or not entry.is_dir():
            continue
        try:
            manifest = GenerationManifest.from_json((entry / MANIFEST).read_bytes())
        except FileNotFoundError:
            broken.append(Broken(directory=entry, fault="its manifest is missing"))
        except (OSError, ValueError, TypeError, KeyError) as error:
            broken.append(Broken(directory=entry, fault=str(error)))
        else:
            found.append(Generation(directory=entry, manifest=manifest))
    return found, broken


def order_resumable(generations: Iterable[Generation], *, run: str, finished: int, resume: bool) -> list[Generation]:
    """What a run may go on from, best first: its own generations, then what earlier runs left unfinished.

    Args:
        generations: All there are.
        run: The training job's name; an attempt after an interruption has the same.
        finished: The number up to which another run came to its end.
        resume: Whether other runs' are taken at all.
    """

    def is_own(generation: Generation) -> bool:
        return generation.manifest.job == run

    usable = [each for each in generations if is_own(each) or (resume and each.manifest.number > finished)]
    return sorted(usable, key=lambda each: (is_own(each), each.manifest.number), reverse=True)


def choose_kept(
    generations: Sequence[Generation],
    *,
    keep: int,
    largest: bool,
    arrived: Collection[int] | None,
    predecessor: bool,
) -> set[int]:
    """The numbers of the generations to keep: the newest, the best by metric, and others up to ``keep``.

    Args:
        generations: Oldest first, at least one.
        keep: How many.
        largest: Whether a larger metric is better.
        arrived: Which are known to have reached S3, where a copy in S3 is what counts. The newest of them stays, and
            the oldest of those behind it: else a generation could be gone from S3 before its successor is there.
        predecessor: Whether the last but one stays in any case: another rank may have to fall back to it.
    """
    numbers = [each.manifest.number for each in generations]
    kept = {numbers[-1]}
    ranked = [(each.manifest.metric, each.manifest.number) for each in generations if each.manifest.metric is not None]
    if ranked and keep > 1:
        kept.add((max if largest else min)(ranked, key=lambda pair: pair[0])[1])
    for number in reversed(numbers):
        if len(kept) >= keep:
            break
        kept.add(number)
    if predecessor:
        kept.update(numbers[-2:])
    if arrived is not None:
        newest = max((number for number in numbers if number in arrived), default=None)
        kept |= {newest} if newest is not None else set()
        waiting = [number for number in numbers if number not in arrived and (newest is None or number > newest)]
        kept.update(waiting[:1])
    return kept


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)
