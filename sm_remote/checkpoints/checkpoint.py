"""`checkpoint`: the state of a loop that an interruption does not lose."""

from __future__ import annotations

import errno
import operator
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from sm_remote.checkpoints.generation import Generation
from sm_remote.checkpoints.interruption import NOTICE
from sm_remote.checkpoints.layout import STAGING, build_generation_name, is_name
from sm_remote.checkpoints.loaders import find_safe_mode
from sm_remote.checkpoints.lock import Lock
from sm_remote.checkpoints.manifest import GenerationManifest, Opening, read_metric
from sm_remote.checkpoints.place import Place, find_caller, find_place
from sm_remote.checkpoints.rehearsal import find_rehearsal, hold_at
from sm_remote.checkpoints.shelf import Shelf
from sm_remote.checkpoints.writer import GenerationWriter, list_files, remove_tree
from sm_remote.errors import CheckpointError
from sm_remote.wire.payload import load_value

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOTHING: Any = object()
_saved_here: set[Path] = set()
"""The generations of this process. Others that it finds were restored: each attempt begins in a new process."""


def checkpoint(
    name: str,
    *,
    keep: int = 2,
    best: Literal["smallest", "largest"] = "smallest",
    resume: bool | None = None,
    shared: bool = False,
) -> Checkpoint:
    """The state of a loop, kept where an interruption does not reach it.

    ::

        with checkpoint("state") as ckpt:
            state = ckpt.load(default=start)
            for step in range(state.step, n):
                ...
                ckpt.save(state, step=step, metric=loss)
                if ckpt.interrupted:
                    break

    In a training job it lies in the directory that SageMaker synchronises with ``checkpoint_s3_uri``; outside of one,
    in a private directory of this machine. A run that came to the end of its ``with`` block is not taken up by the next
    one; one that was interrupted, stopped or failed is.

    Args:
        name: 1-100 letters, digits, ``.``, ``_`` and ``-``; one for each loop of a function.
        keep: How many generations stay: the newest, the best by its metric, and others as far as there is room. In a
            job up to two more stay until the newest has reached S3.
        best: Which metric is the best one.
        resume: Whether what earlier runs left unfinished is taken up. By default the setting of that name; True also
            takes up what a function of the same name has saved in another module or notebook.
        shared: Whether the first of several ranks saves for all, and the others only load. Otherwise each rank has
            generations of its own, and all go on from the newest step that is whole for each of them.

    Raises:
        ValueError: The name cannot be one, or ``keep`` is below 1.
    """
    place = find_place(os.environ, caller=find_caller(1))
    return Checkpoint(name, place, keep=keep, best=best, resume=resume, shared=shared)


class Checkpoint:
    """One checkpoint, to be used as a context manager. Made by `checkpoint`.

    Attributes:
        name: What it is called.
        directory: Where its generations lie.
        path: A directory for a framework's own save function; the next `save` takes what lies there.
        restored: The files of the generation that was found, for a framework's own load function; None without one.
        step: Of the newest generation, found or saved; None without one.
        saves: How many generations were saved.
        saving_s: How long that took.
    """

    def __init__(
        self,
        name: str,
        place: Place,
        *,
        keep: int = 2,
        best: str = "smallest",
        resume: bool | None = None,
        shared: bool = False,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not is_name(name):
            raise ValueError(f"A checkpoint cannot be called {name!r}: 1-100 letters, digits, '.', '_' and '-'.")
        if keep < 1:
            raise ValueError(f"keep={keep}: at least the newest generation stays.")
        if best not in ("smallest", "largest"):
            raise ValueError(f"best={best!r}: 'smallest' or 'largest'.")
        self.name = name
        self.restored: Path | None = None
        self.step: int | None = None
        self.saves = 0
        self.saving_s = 0.0
        self._place = place
        self._keep = keep
        self._largest = best == "largest"
        self._saves_here = not shared or place.rank == 0
        suffixes = [""] if shared or not place.rank_names else [f".{each}" for each in place.rank_names]
        self._rank, self._ranks = (0, 1) if shared else (place.rank, place.ranks)
        self._shelf = Shelf(
            name=name,
            siblings=[place.directory / f"{name}{suffix}" for suffix in suffixes],
            rank=self._rank,
            run=place.run,
            owner=place.owner,
            adopts=resume is True or place.adopts,
            resume=place.resume if resume is None else resume,
            say=self._say,
        )
        self.directory = self._shelf.directory
        self.path = self.directory / STAGING
        self._clock, self._now = clock, now
        self._found: Generation | None = None
        self._openings: tuple[Opening, ...] = ()
        self._lock: Lock | None = None
        self._saving = threading.Lock()
        self._listening = False
        self._opened_at = self._saved_at = 0.0
        self._next_number = 1
        self._rehearsal = find_rehearsal()

    # -- opening and closing ----------------------------------------------------------------------------------------

    def __enter__(self) -> Checkpoint:
        try:
            self._open()
        except OSError as error:
            self._close()
            raise CheckpointError(
                f"The checkpoint {self.name!r} cannot be opened in {self.directory}.",
                why=f"{type(error).__name__}: {error}",
                fix="Have a directory there that this process may write.",
            ) from error
        except BaseException:
            self._close()
            raise
        self._opened_at = self._clock()
        self._listening = NOTICE.listen()
        if self._rehearsal is not None:
            self._rehearsal.open(self.step)
        return self

    def _open(self) -> None:
        self._place.directory.mkdir(parents=True, exist_ok=True, mode=0o755 if self._place.in_job else 0o700)
        self.directory.mkdir(exist_ok=True)
        if self._saves_here:
            self._lock = Lock(self.directory, name=self.name)
            remove_tree(self.path)  # what an interrupted process had not saved
            self.path.mkdir()
        self._shelf.note_restored(saved_here=_saved_here)
        self._next_number = self._shelf.find_last_number() + 1
        self._found = self._shelf.find_newest()
        if self._saves_here:
            self._shelf.tidy()
        self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self.interrupted and self.saves and self._found is not None:
                self._shelf.write_finished(self._found.manifest.number)
            self._tell_cost()
        finally:
            self._close()

    def _close(self) -> None:
        if self._lock is not None:
            remove_tree(self.path)
            self._lock.release()
            self._lock = None
        if self._listening:
            self._listening = False
            # In a job the rest of the function runs, and the runtime says that it was interrupted.
            NOTICE.leave(deliver=not self._place.in_job)

    # -- loading ----------------------------------------------------------------------------------------------------

    def load(self, default: Any = None, *, best: bool = False) -> Any:
        """The state of the newest whole generation, or the default where there is none.

        Every byte is checked before anything is unpickled.

        Args:
            default: What to begin with.
            best: Whether the generation with the best metric is meant instead of the newest.

        Raises:
            CheckpointError: It is whole, but cannot be unpickled by this program.
        """
        found = self._shelf.find_best(largest=self._largest) if best else self._found
        if found is None or found.state is None:
            return default
        try:
            return load_value(found.state)
        except Exception as error:
            raise CheckpointError(
                f"The checkpoint {self.name!r} cannot be loaded.",
                why=f"Its newest generation is whole, but unpickling it raised {type(error).__name__}: {error}",
                fix="Give the function the classes and packages that it was saved with, or begin anew: "
                f"checkpoint({self.name!r}, resume=False).",
                directory=str(found.directory),
            ) from error

    def load_file(self, name: str, loader: Callable[..., Any], **options: Any) -> Any:
        """Loads one of the files that a framework saved, with the framework's own function, in its safe mode.

        Args:
            name: Its path below `restored`.
            loader: Such as ``torch.load``, ``keras.models.load_model`` or ``numpy.load``, for which the safe mode is
                switched on unless ``options`` say otherwise.
            **options: What else the loader is told.

        Raises:
            FileNotFoundError: There is no such file, or nothing was restored.
        """
        if self.restored is None or not (self.restored / name).exists():
            raise FileNotFoundError(f"The checkpoint {self.name!r} has no file {name!r} to load.")
        return loader(self.restored / name, **{**find_safe_mode(loader), **options})

    # -- saving -----------------------------------------------------------------------------------------------------

    def save(
        self, state: Any = _NOTHING, *, step: int | None = None, metric: float | None = None, every_s: float = 0.0
    ) -> bool:
        """Saves a generation, whole or not at all: what is given, and what a framework has left in `path`.

        Args:
            state: Anything that can be pickled; arrays and tensors are written from where they lie.
            step: How far the loop is.
            metric: By which the best generation is found; one that is no number is never the best.
            every_s: Does nothing where the last generation is younger than this many seconds, unless the process has
                been told to end.

        Returns:
            Whether a generation was saved.

        Raises:
            CheckpointError: It cannot be written, as when the disk is full; the generation before it stays.
            ValueError: There is neither a state nor a file.
            Exception: Whatever pickling the state raises; the generation before it stays.
        """
        if not self._is_due(every_s) or not self._saves_here:
            return False
        if self._lock is None:
            raise CheckpointError(
                f"The checkpoint {self.name!r} is not open.", fix="Save inside of its `with` block.", name=self.name
            )
        with self._saving:
            self._save(state, step=None if step is None else operator.index(step), metric=read_metric(metric))
        return True

    def _is_due(self, every_s: float) -> bool:
        return self.saves == 0 or self.interrupted or self._clock() - self._saved_at >= every_s

    def _save(self, state: Any, *, step: int | None, metric: float | None) -> None:
        started = self._clock()
        has_files = bool(list_files(self.path))
        if state is _NOTHING and not has_files:
            raise ValueError(f"save() was given no state, and there is no file in {self.path}.")
        number = self._next_number
        self._next_number += 1
        directory = self.directory / build_generation_name(number, secrets.token_hex(4))
        chosen = self._rehearsal.choose_point() if self._rehearsal else None
        try:
            writer = GenerationWriter(directory)
            hold_at(self._rehearsal, chosen, "begun")
            if state is not _NOTHING:
                writer.write_state(state, before_rename=lambda: hold_at(self._rehearsal, chosen, "written"))
            if has_files:
                writer.take_files(self.path)
            hold_at(self._rehearsal, chosen, "sealing")
            manifest = self._describe(number, step, metric, writer, self._clock() - started)
            writer.publish(manifest.to_json())
            if self._rehearsal is not None:
                self._rehearsal.tell_saved(step)
            hold_at(self._rehearsal, chosen, "published")
        except OSError as error:
            remove_tree(directory)
            raise self._refuse_to_save(step, error) from error
        except BaseException:
            remove_tree(directory)
            raise
        self.saves += 1
        _saved_here.add(directory)
        self.step = step
        self._found = Generation(directory=directory, manifest=manifest)
        self._shelf.prune(keep=self._keep, largest=self._largest, now=self._now() if self._place.synchronised else None)
        self._saved_at = self._clock()
        self.saving_s += self._saved_at - started

    def _describe(
        self, number: int, step: int | None, metric: float | None, writer: GenerationWriter, saving_s: float
    ) -> GenerationManifest:
        return GenerationManifest(
            name=self.name,
            number=number,
            function=self._place.function,
            home=self._place.home,
            job=self._place.run,
            rank=self._rank,
            ranks=self._ranks,
            step=step,
            metric=metric,
            saved_at=self._now(),
            saving_s=saving_s,
            saves=self.saves + 1,
            total_saving_s=self.saving_s + saving_s,
            files=dict(writer.files),
            openings=self._openings,
        )

    def _refuse_to_save(self, step: int | None, error: OSError) -> CheckpointError:
        what = f"The checkpoint {self.name!r} could not be saved" + (f" at step {step}" if step is not None else "")
        kept = "The generation before it stays." if self._found is not None else "There is none before it."
        if error.errno in _FULL:
            return CheckpointError(
                f"{what}: the disk is full. {kept}",
                why=f"{self.directory}: {error.strerror}",
                fix="Save less, keep fewer generations (keep=1), or ask for a larger disk (volume_size).",
                name=self.name,
                step=step,
            )
        return CheckpointError(f"{what}. {kept}", why=f"{type(error).__name__}: {error}", name=self.name, step=step)

    # -- telling ----------------------------------------------------------------------------------------------------

    @property
    def next_step(self) -> int:
        """Where the loop goes on: behind the newest generation's step, or at 0."""
        return 0 if self.step is None else self.step + 1

    @property
    def interrupted(self) -> bool:
        """Whether the process has been told to end: save, and leave the loop."""
        return NOTICE.given

    @property
    def grace_left_s(self) -> float | None:
        """Seconds until the process is killed; None unless `interrupted`."""
        return NOTICE.grace_left_s

    def _begin(self) -> None:
        now = self._now()
        before = self._found
        opening = Opening(
            at=now,
            resumed_at=None if before is None else before.manifest.saved_at,
            step=None if before is None else before.manifest.step,
        )
        if before is None:
            self._openings = (opening,)
            return
        same_job = before.manifest.job == self._place.run
        self._openings = (*(before.manifest.openings if same_job else ()), opening)
        self.step = before.manifest.step
        self.restored = before.files
        age_s = max(0.0, now - before.manifest.saved_at)
        self._say(
            f"goes on from {before.describe()}, saved {age_s:.0f} s ago"
            + ("" if same_job else f" by {before.manifest.job}")
        )

    def _tell_cost(self) -> None:
        if self.saves:
            whole_s = self._clock() - self._opened_at
            # Of a moment's work no share tells what saving costs.
            share = f", {100 * self.saving_s / whole_s:.1f} % of {whole_s:.0f} s" if whole_s >= 1 else ""
            self._say(f"{self.saves} saved in {self.saving_s:.1f} s{share}")

    def _say(self, text: str) -> None:
        with suppress(OSError, ValueError, AttributeError):  # stderr may be closed, or not be there
            sys.stderr.write(f"sm_remote: checkpoint {self.name!r}: {text}\n")
            sys.stderr.flush()
