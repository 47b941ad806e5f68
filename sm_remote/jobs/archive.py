"""Unpacks model and output archives. They come out of a container, so they are not trusted."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from sm_remote.errors import StorageError


def extract_archive(archive: Path, directory: Path) -> None:
    """Extracts regular files and directories; links, devices and paths that lead out are refused.

    ``tarfile``'s own filters are not a boundary on every Python that is in use, so nothing is left to them.

    Raises:
        StorageError: A member is not a plain file or would lie outside; what was extracted before remains.
    """
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or "\0" in member.name:
                raise StorageError(f"{archive.name} holds {member.name!r}, which would lie outside {directory}.")
            target = directory.joinpath(*path.parts)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                if source is not None:
                    with source, target.open("wb") as file:
                        shutil.copyfileobj(source, file)
            else:
                raise StorageError(f"{archive.name} holds {member.name!r}, which is neither a file nor a directory.")
