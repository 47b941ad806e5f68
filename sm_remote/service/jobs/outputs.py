"""A job's outputs, put where the request wants them: model and output data, archived or file by file.

Source: API_OutputDataConfig; an archive holds the contents of /opt/ml/model or /opt/ml/output/data at its root, and
there is none for an empty directory. A link that leads out of its tree is refused: it would carry a file of this host.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sm_remote.service.storage.objects import Bucket, ObjectError, ObjectUri

_COMPRESSION_LEVEL = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputTree:
    """One of the two directories that a job leaves.

    Attributes:
        directory: On this host.
        inside: As the container knows it; absolute links begin with it.
        archive: The archive's name.
        prefix: What stands for the archive when there is no compression.
    """

    directory: Path
    inside: str
    archive: str
    prefix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A file, directory or link below an output tree; ``link`` is relative to it and stays within its tree."""

    relative: str
    path: Path
    status: os.stat_result
    link: str | None = None


def list_trees(model: Path, data: Path) -> tuple[OutputTree, OutputTree]:
    """The two trees, given where they lie on this host."""
    return (
        OutputTree(directory=model, inside="/opt/ml/model", archive="model.tar.gz", prefix="model"),
        OutputTree(directory=data, inside="/opt/ml/output/data", archive="output.tar.gz", prefix="data"),
    )


def model_uri(output: ObjectUri, compressed: bool) -> str:
    """What Describe calls S3ModelArtifacts."""
    return str(output.join("model.tar.gz" if compressed else "model"))


def publish_archive(trees: Sequence[OutputTree], bucket: Bucket, output: ObjectUri, scratch: Path) -> None:
    """Writes the trees of all hosts as one archive, unless they are empty.

    Raises:
        ObjectError: A link leads out of the tree, or the archive cannot be written.
    """
    members = [member for _, member in _merge(trees)]
    if not members:
        return
    name = trees[0].archive
    temporary = scratch / name
    try:
        with tarfile.open(temporary, "w:gz", compresslevel=_COMPRESSION_LEVEL, format=tarfile.PAX_FORMAT) as archive:
            for member in members:
                _add(archive, member)
    except OSError as error:
        raise ObjectError(f"{name}: {error}") from error
    bucket.publish(temporary, output.join(name).key)


def publish_files(trees: Sequence[OutputTree], bucket: Bucket, output: ObjectUri, go_on: Callable[[], None]) -> None:
    """Writes each file of the trees of all hosts as an object of its own; the files may be gone afterwards.

    A link to a file becomes a copy of the file. A link to a directory is left out: S3 has no links, and the directory
    is there under its own name.

    Raises:
        ObjectError: A link leads out of the tree, or an object cannot be written.
    """
    # Links first, while what they point to is still there.
    members = sorted(_merge(trees), key=lambda found: found[1].link is None)
    for tree, member in members:
        if stat.S_ISDIR(member.status.st_mode) or (member.link is not None and member.path.is_dir()):
            continue
        go_on()
        source = member.path if member.link is None else _copy_target(tree, member)
        bucket.publish(source, output.join(tree.prefix, member.relative).key)


def _merge(trees: Sequence[OutputTree]) -> list[tuple[OutputTree, Member]]:
    """What lies below several trees, in order of paths: where two have the same one, the first tree's.

    What lies below a path that is no directory in an earlier tree is left out with it. On SageMaker the last writer
    wins, in an order that is undefined; here the first host always comes last.
    """
    found: dict[PurePosixPath, tuple[OutputTree, Member]] = {}
    for tree in trees:
        for member in walk_tree(tree):
            path = PurePosixPath(member.relative)
            if path not in found and not any(parent in found and _is_plain(found[parent]) for parent in path.parents):
                found[path] = (tree, member)
    return [found[path] for path in sorted(found, key=lambda path: path.parts)]


def _is_plain(found: tuple[OutputTree, Member]) -> bool:
    return not stat.S_ISDIR(found[1].status.st_mode)


def walk_tree(tree: OutputTree) -> Iterator[Member]:
    """Yields what lies below a tree, parents first, in order of names; sockets, pipes and devices are passed over.

    Raises:
        ObjectError: A link leads out of the tree, or a directory cannot be read.
    """
    try:
        yield from _walk(tree, tree.directory, PurePosixPath())
    except FileNotFoundError:
        return
    except OSError as error:
        raise ObjectError(f"{tree.inside}: {error}") from error


def _walk(tree: OutputTree, directory: Path, relative: PurePosixPath) -> Iterator[Member]:
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        status = entry.stat(follow_symlinks=False)
        inner = relative / entry.name
        if stat.S_ISLNK(status.st_mode):
            link = _resolve_link(tree, inner, os.readlink(entry.path))
            yield Member(relative=str(inner), path=Path(entry.path), status=status, link=link)
        elif stat.S_ISDIR(status.st_mode):
            yield Member(relative=str(inner), path=Path(entry.path), status=status)
            yield from _walk(tree, Path(entry.path), inner)
        elif stat.S_ISREG(status.st_mode):
            yield Member(relative=str(inner), path=Path(entry.path), status=status)


def _resolve_link(tree: OutputTree, relative: PurePosixPath, target: str) -> str:
    """The link's text relative to its own directory; what the text passes through may not be a link itself."""
    if target.startswith(tree.inside + "/"):
        within = os.path.normpath(target[len(tree.inside) + 1 :])
    else:
        within = os.path.normpath(os.path.join(relative.parent, target))
    if os.path.isabs(within) or within.split(os.sep)[0] == os.pardir:
        raise ObjectError(f"{tree.inside}/{relative} is a link to {target}, which is outside of {tree.inside}")
    resolved = Path(os.path.realpath(tree.directory / within))
    if not resolved.is_relative_to(os.path.realpath(tree.directory)):
        raise ObjectError(f"{tree.inside}/{relative} is a link that leads outside of {tree.inside}")
    return os.path.relpath(within, relative.parent)


def _add(archive: tarfile.TarFile, member: Member) -> None:
    info = tarfile.TarInfo(member.relative)
    info.mtime = int(member.status.st_mtime)
    info.mode = stat.S_IMODE(member.status.st_mode)
    if member.link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, member.link
        archive.addfile(info)
    elif stat.S_ISDIR(member.status.st_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    else:
        descriptor = os.open(member.path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            info.size = os.fstat(descriptor).st_size
            archive.addfile(info, file)


def _copy_target(tree: OutputTree, member: Member) -> Path:
    """Replaces a link by a copy of what it points to."""
    within = os.path.normpath(os.path.join(os.path.dirname(member.relative), member.link or ""))
    try:
        content = (tree.directory / within).read_bytes()
        member.path.unlink()
        member.path.write_bytes(content)
    except OSError as error:
        raise ObjectError(f"{tree.inside}/{member.relative}: {error}") from error
    return member.path
