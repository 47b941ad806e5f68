"""Unpacks model and output archives. They come out of a container, so they are not trusted."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from sm_remote.errors import StorageError


def extract_archive(archive: Path, directory: Path, *, leave_out: str = "") -> int:
    """Extracts regular files and directories; links, devices and paths that lead out are refused.

    ``tarfile``'s own filters are not a boundary on every Python that is in use, so nothing is left to them.

    Args:
        archive: A tar file, compressed by gzip.
        directory: Where to.
        leave_out: A folder at the archive's root that is passed over.

    Returns:
        How many files were extracted.

    Raises:
        StorageError: It is no such archive, a member is not a plain file or would lie outside; what was extracted
            before remains.
    """
    count = 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if not leave_out or path.parts[:1] != (leave_out,):
                    count += _extract_member(tar, member, path, directory)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise StorageError(
            f"{archive.name} cannot be unpacked.", why=str(error), fix="Fetch it again; it may be cut off."
        ) from error
    return count


def _extract_member(tar: tarfile.TarFile, member: tarfile.TarInfo, path: PurePosixPath, directory: Path) -> int:
    if path.is_absolute() or ".." in path.parts or "\0" in member.name:
        raise StorageError(f"{tar.name!s} holds {member.name!r}, which would lie outside {directory}.")
    target = directory.joinpath(*path.parts)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    source = tar.extractfile(member) if member.isreg() else None
    if source is None:
        raise StorageError(f"{tar.name!s} holds {member.name!r}, which is neither a file nor a directory.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
    return 1
