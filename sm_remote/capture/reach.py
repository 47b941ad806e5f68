"""Everything that a function reaches: which source files must travel, and which installed modules must be there.

Starts from the modules that pickling met (`pickling.Notes`) and follows the imports of the user's own modules, never
those of installed packages: what those need, their metadata says (`environment`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sm_remote.capture.imports import SourceImports, scan_source
from sm_remote.capture.modules import Located, Origin, locate, parents

_SKIPPED_FOLDERS = frozenset({"tests", "test", "__pycache__"})
_SKIPPED_FILES = frozenset({"conftest", "setup"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """What a function reaches, each with the reason.

    Attributes:
        local: The user's own modules, by name.
        installed: Modules of installed distributions, by name.
        missing: Names that are imported somewhere and found nowhere: often optional imports.
        why: For each name above, what brought it.
        reads_metadata: Whether one of the user's own modules asks for installed packages' metadata.
    """

    local: Mapping[str, Located]
    installed: Mapping[str, Located]
    missing: tuple[str, ...]
    why: Mapping[str, str]
    reads_metadata: bool


@dataclass
class _Walk:
    local: dict[str, Located] = field(default_factory=dict)
    installed: dict[str, Located] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    todo: list[tuple[str, str, bool]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    reads_metadata: bool = False


def find_reach(modules: Mapping[str, str]) -> Reach:
    """Follows the imports of the user's own modules from those that a function needs.

    Args:
        modules: Dotted names with the reason for each, as pickling noted them.
    """
    walk = _Walk()
    walk.todo += [(name, why, True) for name, why in reversed(list(modules.items()))]
    while walk.todo:
        name, why, certain = walk.todo.pop()
        for each in parents(name):
            if each not in walk.seen:
                _visit(each, why, certain, walk)
    return Reach(
        local=walk.local,
        installed=walk.installed,
        missing=tuple(walk.missing),
        why=walk.why,
        reads_metadata=walk.reads_metadata,
    )


def _visit(name: str, why: str, certain: bool, walk: _Walk) -> None:
    found = locate(name)
    parent_found = name.rpartition(".")[0] in walk.local or name.rpartition(".")[0] in walk.installed
    if found.origin is Origin.MISSING:
        # `from package import name` names a module only sometimes: the package is known, so nothing is missing.
        if not parent_found:
            walk.missing[name] = None
            walk.why.setdefault(name, why)
        return
    walk.seen.add(name)
    if found.origin is Origin.INSTALLED:
        walk.installed[name] = found
        walk.why.setdefault(name, why)
    elif found.origin is Origin.LOCAL:
        walk.local[name] = found
        walk.why.setdefault(name, why)
        _follow(found, walk)


def _follow(module: Located, walk: _Walk) -> None:
    if module.file is None:
        return
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    imports = imports_of(module.file, package)
    walk.reads_metadata |= imports.reads_metadata
    walk.todo += [(name, f"imported by {module.name}", False) for name in reversed(imports.names)]
    for star in imports.star_packages:
        walk.todo += [(name, f"imported by {module.name}", False) for name in _starred(star)]
    if imports.is_dynamic and (module.is_package or "." in module.name):
        why = f"{module.name} imports modules by name while it runs"
        walk.todo += [(name, why, False) for name in _whole_package(module.name.partition(".")[0])]


def _starred(package: str) -> Iterator[str]:
    found = locate(package)
    if found.origin is Origin.LOCAL and found.is_package and found.file is not None:
        yield from (f"{package}.{name}" for name in imports_of(found.file, package).exports)


def _whole_package(top: str) -> Iterator[str]:
    for folder in locate(top).folders:
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            is_test = parts[-1] in _SKIPPED_FILES or parts[-1].startswith("test_")
            if _SKIPPED_FOLDERS.isdisjoint(parts) and not is_test:
                yield ".".join([top, *(part for part in parts if part != "__init__")])


def imports_of(file: Path, package: str) -> SourceImports:
    """The imports of a source file, remembered until the file changes."""
    if file.suffix != ".py":
        return SourceImports()
    try:
        status = file.stat()
    except OSError:
        return SourceImports()
    return _remembered_imports(file, package, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4096)
def _remembered_imports(file: Path, package: str, _mtime_ns: int, _size: int) -> SourceImports:
    return scan_source(file.read_bytes(), package)
