"""One process saves a checkpoint at a time."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from sm_remote.checkpoints.layout import LOCK
from sm_remote.errors import CheckpointError

_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class Lock:
    """A lock on a checkpoint's directory, let go at the latest when the process ends, however it ends."""

    def __init__(self, directory: Path, *, name: str) -> None:
        self._file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise CheckpointError(
                f"The checkpoint {name!r} is open already{f', in process {holder}' if holder else ''}.",
                why=f"Two that save under one name in {directory} would take up each other's work.",
                fix="Give each a name of its own, or pass shared=True where one of several ranks saves for all.",
                name=name,
                directory=str(directory),
            ) from None
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                os.close(self._file)
                raise
        else:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets others in."""
        os.close(self._file)
