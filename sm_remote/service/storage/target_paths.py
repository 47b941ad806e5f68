"""Where an object becomes a file: below its directory and nowhere else."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from sm_remote.service.storage.objects import ObjectError, is_plain_path


def make_room(directory: Path, relative: str, key: str, *, mode: int) -> Path:
    """Makes the directories above a file that is about to be made; returns its path.

    Args:
        directory: Exists already.
        relative: The file's path below it.
        key: The object, for what is said about it.
        mode: Of the directories, whatever the umask: some image's own user is to get in.

    Raises:
        ObjectError: The path cannot be one, or a file is in its way.
    """
    if not relative or not is_plain_path(relative):
        raise ObjectError(f"{key} cannot be the name of a file")
    target = directory / PurePosixPath(relative)
    missing = []
    for parent in target.parents:
        if parent.is_dir():
            break
        missing.append(parent)
    try:
        for parent in reversed(missing):
            parent.mkdir()
            parent.chmod(mode)
    except OSError as error:
        raise ObjectError(f"{key}: {error.strerror}") from error
    return target
