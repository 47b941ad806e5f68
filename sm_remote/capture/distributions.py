"""The distributions that are installed for the running interpreter, and which of them a module belongs to.

Read from the metadata that installers leave (``*.dist-info``), once per process and again when a folder of sys.path
changes. importlib.metadata.packages_distributions would do, but costs several times as much, and on Python 3.10 it
misses what modern build backends install.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import os
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

OWN_DISTRIBUTION = "sm-remote"
"""It travels with every job as the runtime, and so is never among a function's dependencies."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalledFile:
    """A file of a distribution: its name below the folder it is installed in, and its size when that is recorded."""

    name: str
    size_bytes: int


class Distribution:
    """One installed distribution. Everything beyond name and version is read when it is first asked for."""

    def __init__(self, found: metadata.Distribution) -> None:
        self._found = found
        stem, self.version = _name_and_version(found)
        self.key = normalise(stem)
        self.folder = Path(str(found.locate_file("")))

    @functools.cached_property
    def name(self) -> str:
        """As its authors spell it."""
        return _header(self._found)[0] or self.key

    @property
    def pin(self) -> str:
        """How a requirements file asks for just this: ``numpy==2.4.6``."""
        return f"{self.name}=={self.version}"

    @functools.cached_property
    def requires(self) -> tuple[str, ...]:
        """Its Requires-Dist lines."""
        return tuple(self._found.requires or ())

    @functools.cached_property
    def record(self) -> str:
        """Its RECORD, or what stands for one where the installer left none: names of files, one a line."""
        text = self._found.read_text("RECORD")
        return text if text is not None else "\n".join(_unrecorded_files(self._found, self.folder, self.name))

    @functools.cached_property
    def record_sha256(self) -> str:
        """Identifies the installed files, as a RECORD holds the digest of each."""
        return hashlib.sha256(self.record.encode()).hexdigest()

    @functools.cached_property
    def files(self) -> tuple[InstalledFile, ...]:
        """Its files inside the folder; scripts and data files that were put elsewhere are not among them."""
        rows = (row for row in csv.reader(self.record.splitlines()) if row)
        return tuple(
            InstalledFile(name=row[0], size_bytes=int(row[2]) if len(row) > 2 and row[2].isdigit() else 0)
            for row in rows
            if _is_inside(row[0])
        )

    @functools.cached_property
    def size_bytes(self) -> int:
        """The sum of its recorded sizes."""
        # Each line ends with it; parsing them all as CSV would take most of a call's time in a large environment.
        sizes = (line.rpartition(",")[2] for line in self.record.splitlines() if not line.startswith(("..", "/")))
        return sum(int(size) for size in sizes if size.isdigit())

    @functools.cached_property
    def top_modules(self) -> frozenset[str]:
        """The names under which its modules are imported."""
        names = set((self._found.read_text("top_level.txt") or "").split())
        for name in re.findall(r"^([^\"/,\n]+)[/,]", self.record, re.MULTILINE):
            stem = name.partition(".")[0]
            if not name.endswith((".dist-info", ".egg-info", ".data", ".libs", ".pth")) and stem.isidentifier():
                names.add(stem)
        return frozenset(names)

    @property
    def editable_root(self) -> Path | None:
        """The source tree of an editable install; None for any other."""
        text = self._found.read_text("direct_url.json")
        try:
            facts = json.loads(text) if text else {}
            if not facts.get("dir_info", {}).get("editable"):
                return None
            return Path(unquote(urlsplit(facts["url"]).path))
        except (ValueError, KeyError, AttributeError):
            return None

    def read_text(self, name: str) -> str | None:
        """A file of its metadata folder."""
        return self._found.read_text(name)

    @functools.cached_property
    def url(self) -> str:
        """Where it was installed from, when from no index: a repository, a URL or a path. Source: PEP 610."""
        try:
            facts = json.loads(self._found.read_text("direct_url.json") or "{}")
            url = str(facts.get("url", ""))
        except (ValueError, AttributeError):
            return ""
        commit = (facts.get("vcs_info") or {}).get("commit_id")
        prefix = f"{facts['vcs_info'].get('vcs', 'git')}+" if commit else ""
        folder = f"#subdirectory={facts['subdirectory']}" if facts.get("subdirectory") else ""
        return f"{prefix}{url}{f'@{commit}' if commit else ''}{folder}" if url else ""

    @property
    def info_folder(self) -> Path | None:
        """The folder of its metadata."""
        path = getattr(self._found, "_path", None)
        return Path(path) if path is not None else None

    @property
    def info_folder_name(self) -> str:
        """The name that its metadata folder has where it is installed from a wheel."""
        return f"{re.sub(r'[-_.]+', '_', self.name)}-{self.version}.dist-info"


@dataclass(frozen=True, kw_only=True)
class Index:
    """The installed distributions by normalised name, and the names of those that provide a top-level module.

    Attributes:
        by_name: The one of each name that is found first.
        hidden: Further installations of the same names.
    """

    by_name: Mapping[str, Distribution]
    hidden: Mapping[str, tuple[Distribution, ...]] = field(default_factory=dict)

    @functools.cached_property
    def by_module(self) -> Mapping[str, tuple[str, ...]]:
        """Names of distributions by top-level module: every RECORD is read for it."""
        found: dict[str, list[str]] = {}
        for key in sorted(self.by_name):
            for module in self.by_name[key].top_modules:
                found.setdefault(module, []).append(key)
        return {name: tuple(keys) for name, keys in found.items()}


def normalise(name: str) -> str:
    """A distribution's name as indexes compare it. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_index() -> Index:
    """The index of what is installed now."""
    return _read_index(tuple(_stamps(sys.path)))


def _stamps(folders: list[str]) -> Iterator[tuple[str, int]]:
    for folder in folders:
        try:
            yield folder, os.stat(folder or ".").st_mtime_ns
        except OSError:
            continue


@functools.lru_cache(maxsize=1)
def _read_index(_stamps: tuple[tuple[str, int], ...]) -> Index:
    by_name: dict[str, Distribution] = {}
    hidden: dict[str, list[Distribution]] = {}
    for found in metadata.distributions():
        one = Distribution(found)
        if not one.key or not one.version:
            continue  # a damaged installation: pip leaves such folders behind
        if by_name.setdefault(one.key, one) is not one and one.version != by_name[one.key].version:
            hidden.setdefault(one.key, []).append(one)
    return Index(by_name=by_name, hidden={name: tuple(others) for name, others in hidden.items()})


def _name_and_version(found: metadata.Distribution) -> tuple[str, str]:
    # The folder's name says both; parsing METADATA for them would make the index several times slower.
    path = getattr(found, "_path", None)
    stem, _, suffix = (path.name if path is not None else "").rpartition(".")
    name, _, version = stem.partition("-")
    if suffix == "dist-info" and name[:1].isalnum() and version:
        return name, version
    return _header(found)


def _header(found: metadata.Distribution) -> tuple[str, str]:
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    facts = dict(re.findall(r"^(Name|Version):[ \t]*(\S+)", text, re.MULTILINE))
    return facts.get("Name", ""), facts.get("Version", "")


def providers_of(module: str, file: Path | None, index: Index) -> list[Distribution]:
    """The distributions that an installed module belongs to: one, or several that share a namespace package."""
    candidates = [index.by_name[key] for key in index.by_module.get(module.partition(".")[0], ())]
    if len(candidates) < 2:
        return candidates
    path = module.replace(".", "/")
    if file is not None:
        owners = [one for one in candidates if f"\n{_relative(file, one.folder)}," in f"\n{one.record}"]
    else:
        owners = [one for one in candidates if f"\n{path}/" in f"\n{one.record}"]
    return owners or candidates


def _relative(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/")


def _unrecorded_files(found: metadata.Distribution, folder: Path, name: str) -> Iterator[str]:
    """Lists the files of a distribution whose installer left no RECORD (conda, Debian, old setuptools)."""
    names = _conda_files(name, folder) or [str(file) for file in found.files or ()]
    if names:
        yield from sorted(names)
        return
    tops = (found.read_text("top_level.txt") or "").split() or [name.replace("-", "_")]
    info = getattr(found, "_path", None)
    wanted = [folder / top for top in tops] + [folder / f"{top}.py" for top in tops]
    for each in [*wanted, *([Path(info)] if info is not None else [])]:
        files = each.rglob("*") if each.is_dir() else [each]
        yield from sorted(f"{file.relative_to(folder).as_posix()},," for file in files if file.is_file())


def _conda_files(name: str, folder: Path) -> list[str]:
    """What conda's own records say of a package, below the folder that Python imports from."""
    records = Path(sysconfig.get_path("data"), "conda-meta")
    for record in sorted(records.glob(f"{name.lower()}-*.json")) if records.is_dir() else []:
        facts = json.loads(record.read_text())
        if normalise(facts.get("name", "")) == normalise(name):
            paths = [records.parent / file for file in facts.get("files", ())]
            return [f"{path.relative_to(folder).as_posix()},," for path in paths if path.is_relative_to(folder)]
    return []
