"""A job's directories on this host, and how a container sees them.

Never a mount over /opt/ml itself: images bring files of their own below it. A channel of hard links gets a read-only
mount of its own (`channels.find_channel_mounts`), because under a writable one a job could change the store.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sm_remote.home import Home, make_private
from sm_remote.service.engines.engine import Mount
from sm_remote.service.records.failures import MAX_CHARACTERS
from sm_remote.wire.layout import OUTCOME

logger = logging.getLogger("sm_remote.service")


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkingTree:
    """The directories of one host in one attempt of a job.

    Attributes:
        root: ``<jobs>/<job>/a<attempt>/<host>``.
    """

    root: Path

    @property
    def config(self) -> Path:
        """/opt/ml/input/config."""
        return self.root / "input" / "config"

    @property
    def data(self) -> Path:
        """/opt/ml/input/data."""
        return self.root / "input" / "data"

    @property
    def model(self) -> Path:
        """/opt/ml/model."""
        return self.root / "model"

    @property
    def output_data(self) -> Path:
        """/opt/ml/output/data."""
        return self.root / "output" / "data"

    @property
    def checkpoints(self) -> Path:
        """/opt/ml/checkpoints, or wherever CheckpointConfig.LocalPath is; made only for a job that has them."""
        return self.root / "checkpoints"

    @property
    def outcome(self) -> Path:
        """The outcome that our own runtime leaves."""
        return self.output_data / OUTCOME

    @property
    def taken(self) -> WorkingTree:
        """Where an outcome is moved to before the container's end; no container sees it."""
        return WorkingTree(root=self.root / "taken")

    @property
    def scratch(self) -> Path:
        """For the engine, and for archives that are being made."""
        return self.root / "scratch"

    def create(self) -> None:
        """Makes all directories anew; what an earlier, unfinished try left goes."""
        remove_tree(self.root)
        make_private(self.root)
        for directory in (self.config, self.data, self.model, self.output_data):
            directory.mkdir(parents=True)
        self.scratch.mkdir(mode=0o700)
        # Open to whatever user the image runs as; nobody else passes the private directory above.
        for directory in (self.root / "input", self.model, self.root / "output", self.output_data):
            directory.chmod(0o777)
        for directory in (self.config, self.data):
            directory.chmod(0o755)

    def mounts(self, extra: Iterable[Mount]) -> tuple[Mount, ...]:
        """What a container is given, parents first."""
        mounts = (
            Mount(source=self.root / "input", target="/opt/ml/input", read_only=False),
            Mount(source=self.model, target="/opt/ml/model", read_only=False),
            Mount(source=self.root / "output", target="/opt/ml/output", read_only=False),
            *extra,
        )
        return tuple(sorted(mounts, key=lambda mount: PurePosixPath(mount.target).parts))

    def read_failure(self) -> str:
        """What the job says about its failure; never the content of a file that it made a link to."""
        try:
            with open(self.root / "output" / "failure", "rb", opener=_open_plainly) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return ""
                return file.read(4 * MAX_CHARACTERS).decode("utf-8", "replace")[:MAX_CHARACTERS].strip()
        except OSError:
            return ""


def _open_plainly(path: str, flags: int) -> int:
    # Not blocking: it may be a pipe.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def find_tree(home: Home, job_name: str, attempt: int, host: str) -> WorkingTree:
    """Where an attempt's tree is or would be."""
    return WorkingTree(root=home.jobs / job_name / f"a{attempt}" / host)


def remove_tree(directory: Path) -> None:
    """Removes a directory as far as that is possible; files of another user stay, and what is nested without end."""
    with suppress(RecursionError):
        shutil.rmtree(directory, ignore_errors=True)


def clear_away(directory: Path, home: Home, *, remove: Callable[[Path], None] = remove_tree) -> None:
    """Removes what an ended job holds; what is another user's is put aside, and the log says how to remove it.

    A container of an image with a user of its own, root above all, leaves directories that only that user can empty.
    """
    remove(directory)
    if not directory.exists():
        return
    try:
        aside = tempfile.mkdtemp(prefix=f"{directory.name}-", dir=make_private(home.leftovers))
        directory.rename(Path(aside) / directory.name)
    except OSError:
        logger.exception("%s can be neither removed nor put aside", directory)
        return
    logger.warning("What a container wrote, as another user or very deep, stays. Remove it: sudo rm -rf -- %s", aside)
