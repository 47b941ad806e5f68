"""Wheels built on the fly: of a source tree by uv, of installed files by their RECORD where there are only those.

Nothing is ever built in the user's own tree: build backends write beside the sources, so a copy is built.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sm_remote.capture.distributions import Distribution, normalise
from sm_remote.capture.uv_program import LIMIT_S, run_uv
from sm_remote.errors import CaptureError, DependencyInstallFailed

_LEFT_OUT = {".venv", "venv", ".tox", ".nox", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", ".eggs"}
_LEFT_OUT |= {".pytest_cache", ".ipynb_checkpoints", ".hypothesis", "dist", "build"}
_DATES = (1980, 1, 1, 0, 0, 0)
_SCM = ("setuptools_scm", "setuptools-scm", "hatch-vcs", "versioningit", "pdm.version", "dunamai", "versioneer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A wheel file.

    Attributes:
        path: Its file.
        name: Of the distribution, normalised.
        version: Of the distribution.
        digest: SHA-256 of its RECORD: equal for equal content, whenever it was built.
        is_pure: Whether it works on every platform.
    """

    path: Path
    name: str
    version: str
    digest: str
    is_pure: bool


def is_tree(path: Path) -> bool:
    """Whether a folder is a source tree that can be built."""
    return (path / "pyproject.toml").is_file() or (path / "setup.py").is_file()


def build_tree(tree: Path, cache: Path, *, limit_s: float = LIMIT_S) -> Wheel:
    """Builds the wheel of a source tree, unless that was done since the tree last changed.

    Args:
        tree: The folder that holds pyproject.toml or setup.py.
        cache: Where built wheels are kept.
        limit_s: For the build.

    Raises:
        DependencyInstallFailed: It cannot be built; the message ends with what the build said.
    """
    target = cache / stamp_tree(tree)
    known = list(target.glob("*.whl"))
    if known:
        return read_wheel(known[0])
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=cache) as folder:
        copy = Path(folder, tree.name or "tree")
        shutil.copytree(tree, copy, ignore=_ignored(tree), symlinks=False, ignore_dangling_symlinks=True)
        made = Path(folder, "wheel")
        _build(tree, copy, made, limit_s)
        if not target.exists():
            made.rename(target)
    return read_wheel(next(target.glob("*.whl")))


def _build(tree: Path, copy: Path, out: Path, limit_s: float) -> None:
    command = ["build", "--wheel", "--out-dir", str(out), "--python", sys.executable, str(copy)]
    answer = run_uv(command, doing=f"Building a wheel of {tree.name}", cwd=copy, limit_s=limit_s)
    if answer.code:
        # Without a network the build's own requirements cannot be had; often this environment has them.
        second = run_uv([*command, "--no-build-isolation"], doing=f"Building a wheel of {tree.name}", cwd=copy)
        if second.code == 0:
            return
        raise DependencyInstallFailed(
            f"No wheel could be built of {tree}. Nothing was uploaded or started.",
            why=f"uv said:\n{answer.tail.replace(str(copy), str(tree))}",
            fix=f"See that `uv build --wheel {tree}` works.",
            requirement=str(tree),
        )


def stamp_tree(tree: Path) -> str:
    """Identifies a source tree by its files' names, sizes and times."""
    state = hashlib.sha256(f"{tree}\0{sys.implementation.cache_tag}".encode())
    for folder, names, files in os.walk(tree):
        names[:] = sorted(name for name in names if name not in _LEFT_OUT and name != ".git")
        for name in sorted(files):
            path = os.path.join(folder, name)
            try:
                status = os.stat(path)
            except OSError:
                continue
            state.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return state.hexdigest()[:32]


def _ignored(tree: Path):  # type: ignore[no-untyped-def]  # as shutil.copytree takes it
    project = tree / "pyproject.toml"
    text = project.read_text(errors="replace") if project.is_file() else ""
    left_out = _LEFT_OUT if any(word in text for word in _SCM) else _LEFT_OUT | {".git"}
    return lambda _, names: [name for name in names if name in left_out or name.endswith((".pyc", ".egg-info"))]


def build_from_record(one: Distribution, folder: Path) -> Wheel:
    """Builds a wheel of an installed distribution from the files that its RECORD lists.

    Raises:
        CaptureError: A file is missing, or its files only work on this platform.
    """
    text = one.read_text("WHEEL") or "Wheel-Version: 1.0\nGenerator: sm_remote\nRoot-Is-Purelib: true\n"
    tag = re.search(r"^Tag: (\S+)$", text, re.MULTILINE)
    if tag is None:
        text, tag_name = f"{text.rstrip()}\nTag: py3-none-any\n", "py3-none-any"
    else:
        tag_name = tag[1]
    info = one.info_folder_name
    stem = info.removesuffix(".dist-info").partition("-")[0]
    path = folder / f"{stem}-{one.version}-{tag_name}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, str, int]] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(_wheel_files(one, info, text.encode())):
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append((name, f"sha256={digest}", len(data)))
            archive.writestr(zipfile.ZipInfo(name, _DATES), data)
        record = io.StringIO()
        csv.writer(record, lineterminator="\n").writerows([*rows, (f"{info}/RECORD", "", "")])
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD", _DATES), record.getvalue())
    return read_wheel(path)


def _wheel_files(one: Distribution, info: str, wheel: bytes) -> Iterator[tuple[str, bytes]]:
    own = one.info_folder.name if one.info_folder is not None else info
    left_out = {f"{own}/{name}" for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "WHEEL")}
    yield f"{info}/WHEEL", wheel
    for file in one.files:
        if file.name in left_out or file.name.endswith(".pyc"):
            continue
        name = f"{info}/{file.name.partition('/')[2]}" if file.name.startswith(f"{own}/") else file.name
        try:
            yield name, (one.folder / file.name).read_bytes()
        except OSError as error:
            raise CaptureError(
                f"The installed package {one.pin} is incomplete: {file.name} cannot be read.",
                why=str(error),
                fix=f"Install it again: `pip install --force-reinstall --no-deps {one.pin}`.",
                distribution=one.name,
            ) from error


def read_wheel(path: Path) -> Wheel:
    """Reads what a wheel says of itself."""
    with zipfile.ZipFile(path) as archive:
        record = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        lines = sorted(archive.read(record).decode().splitlines())
    name, version = path.name.split("-")[:2]
    return Wheel(
        path=path,
        name=normalise(name),
        version=version.replace("_", "+"),
        digest=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        is_pure=path.name.endswith("-any.whl"),
    )
