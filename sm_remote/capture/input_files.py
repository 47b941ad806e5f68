"""The files of a local path that becomes a channel: what is there, how big it is, and what nobody means to send.

Data is taken as it is: nothing is left out by name. A link is followed only to what lies in the same directory; one
that leads elsewhere is refused, since nothing says that what it leads to was meant.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sm_remote.capture.sizes import render_size
from sm_remote.errors import ConfigError, StorageError
from sm_remote.storage.store import check_key
from sm_remote.wire.layout import input_prefix

MOST_FILES = 100_000
_LONGEST_PREFIX = input_prefix("0" * 64)


@dataclass(frozen=True, kw_only=True, slots=True)
class InputFile:
    """One file of a channel.

    Attributes:
        name: Below the channel's directory, with slashes.
        path: Where its content is.
        size_bytes: Of its content.
        stamp: Changes with every change of the file: device, inode, size and times.
    """

    name: str
    path: Path
    size_bytes: int
    stamp: tuple[int, ...]


def list_files(channel: str, text: str, *, limit_bytes: int) -> tuple[InputFile, ...]:
    """Lists what a path holds: itself, or all files below it, sorted by name.

    Args:
        channel: Whose it is, for messages.
        text: The path, as it was given.
        limit_bytes: More than this is refused, and not counted on.

    Raises:
        ConfigError: It is not there, is empty, is too much, or holds what cannot be sent.
    """
    path = Path(text)
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            found = [_describe(path.name, path, status)]
        elif stat.S_ISDIR(status.st_mode):
            _check_root(channel, path)
            found = _collect(channel, path, limit_bytes)
        else:
            raise _refuse(channel, path, "It is neither a file nor a directory.", "Give a file or a directory.")
    except OSError as error:
        why = f"{error.strerror or error} ({error.filename})."
        fix = "Correct the path (it is taken from the working directory), or make it readable."
        if text.lower().startswith("s3:"):
            fix = "A place in S3 is written s3://bucket/prefix."
        raise _refuse(channel, path, why, fix) from error
    if not found:
        raise _refuse(channel, path, "The directory holds no file.", "Give one that does, or leave the channel out.")
    _check_size(channel, path, sum(one.size_bytes for one in found), limit_bytes)
    for one in found:
        _check_name(channel, one)
    return tuple(sorted(found, key=lambda one: one.name.encode(errors="surrogateescape")))


def _describe(name: str, path: Path, status: os.stat_result) -> InputFile:
    stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return InputFile(name=name, path=path, size_bytes=status.st_size, stamp=stamp)


def _collect(channel: str, root: Path, limit_bytes: int) -> list[InputFile]:
    found: list[InputFile] = []
    size_bytes = 0
    for one in _walk(channel, root, root, "", frozenset({os.path.realpath(root)})):
        found.append(one)
        size_bytes += one.size_bytes
        _check_size(channel, root, size_bytes, limit_bytes)
        if len(found) > MOST_FILES:
            raise _refuse(
                channel,
                root,
                f"It holds more than {MOST_FILES:,} files.",
                "Pack them into larger ones, or copy them to S3 and give the s3:// URI.",
            )
    return found


def _walk(channel: str, root: Path, folder: Path, prefix: str, around: frozenset[str]) -> Iterator[InputFile]:
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        path, name = folder / entry.name, f"{prefix}{entry.name}"
        if entry.is_symlink():
            _check_link(channel, root, path)
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            yield _describe(name, path, status)
        elif stat.S_ISDIR(status.st_mode):
            real = os.path.realpath(path)
            if real in around:
                raise _refuse(channel, root, f"{path} is a link to a directory that it lies in.", "Remove the link.")
            yield from _walk(channel, root, path, f"{name}/", around | {real})
        else:
            raise _refuse(channel, root, f"{path} is neither a file nor a directory.", "Move it elsewhere.")


def _check_link(channel: str, root: Path, path: Path) -> None:
    real = Path(os.path.realpath(path))
    if real.is_relative_to(os.path.realpath(root)):
        return
    raise _refuse(
        channel,
        root,
        f"{path} is a link that leads out of the directory, to {real}.",
        "Copy what it leads to (`cp -rL` makes a copy without links), or give that place as a channel of its own.",
    )


def _check_root(channel: str, path: Path) -> None:
    real = Path(os.path.realpath(path))
    if real in (Path(real.anchor), Path(os.path.realpath(Path.home()))):
        raise _refuse(
            channel,
            path,
            "It is your home directory or the root of the file system, and holds what is no job's.",
            "Give the directory of the data itself.",
        )


def _check_size(channel: str, path: Path, size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        raise _refuse(
            channel,
            path,
            f"It holds more than {render_size(limit_bytes)} (inputs_limit_bytes).",
            "Give less, copy the data to S3 and give its s3:// URI, or raise inputs_limit_bytes.",
        )


def _check_name(channel: str, one: InputFile) -> None:
    try:
        check_key(f"{_LONGEST_PREFIX}{one.name}")
    except StorageError as error:
        raise _refuse(channel, one.path, error.why, "Rename the file.") from error


def _refuse(channel: str, path: Path, why: str, fix: str) -> ConfigError:
    return ConfigError(
        f"The channel {channel!r} cannot be {str(path)!r}; nothing was sent.",
        why=why,
        fix=fix,
        channel=channel,
        path=str(path),
    )
