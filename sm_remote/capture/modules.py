"""Where a module comes from: Python itself, an installed distribution, the user's working tree, or nowhere.

Nothing is imported to find out: a loaded module is asked for its spec, and another is looked for by the same finders
that an import would use (so editable installs, whether by .pth file or by a finder of their own, are found too).
"""

from __future__ import annotations

import functools
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

MAIN_MODULES = frozenset({"__main__", "__mp_main__"})
OWN_MODULES = frozenset({"sm_remote", "cloudpickle"})
"""They travel with every job as the runtime, so a function that reaches them needs nothing further for it."""


class Origin(Enum):
    """Where a module comes from."""

    STANDARD_LIBRARY = "standard library"
    OWN = "sm_remote"
    MAIN = "main"
    LOCAL = "local"
    INSTALLED = "installed"
    DYNAMIC = "dynamic"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Located:
    """A module, found.

    Attributes:
        name: Dotted.
        origin: Where it comes from.
        file: Its file; None for namespace packages, and where there is none.
        folders: Where submodules are looked for; empty unless it is a package.
    """

    name: str
    origin: Origin
    file: Path | None = None
    folders: tuple[Path, ...] = ()

    @property
    def is_package(self) -> bool:
        """Whether it can have submodules."""
        return bool(self.folders)


def locate(name: str) -> Located:
    """Finds a module without importing anything."""
    top = name.partition(".")[0]
    if top in MAIN_MODULES:
        return Located(name=name, origin=Origin.MAIN)
    if top in OWN_MODULES:
        return Located(name=name, origin=Origin.OWN)
    if top in sys.builtin_module_names or (top in sys.stdlib_module_names and not _is_shadowed(top)):
        return Located(name=name, origin=Origin.STANDARD_LIBRARY)
    spec = find_spec(name)
    if spec is not None:
        return _located(name, spec)
    if isinstance(sys.modules.get(name), ModuleType):
        return Located(name=name, origin=_origin_without_file(name))
    return Located(name=name, origin=Origin.MISSING)


def _origin_without_file(name: str) -> Origin:
    """A module that no file holds is its package's doing (`six.moves`, parts of `torch._C`), or somebody made it."""
    parent = name.rpartition(".")[0]
    origin = locate(parent).origin if parent else Origin.DYNAMIC
    return Origin.DYNAMIC if origin is Origin.MISSING else origin


def _located(name: str, spec: ModuleSpec) -> Located:
    file = Path(spec.origin) if spec.has_location and spec.origin else None
    folders = tuple(Path(folder) for folder in spec.submodule_search_locations or ())
    where = file or next(iter(folders), None)
    if where is None:
        known = spec.origin in ("built-in", "frozen")
        return Located(name=name, origin=Origin.STANDARD_LIBRARY if known else _origin_without_file(name))
    return Located(name=name, origin=classify_path(where, name), file=file, folders=folders)


def classify_path(path: Path, name: str) -> Origin:
    """Tells installed files, the standard library's and the user's own apart."""
    text = str(path)
    if is_installed_path(text) or _is_in_target_folder(path, name):
        return Origin.INSTALLED
    if text.startswith(_standard_library_folders()):
        return Origin.STANDARD_LIBRARY
    return Origin.LOCAL


def is_users_path(text: str) -> bool:
    """Whether code comes from neither the standard library nor an installed package."""
    return not is_installed_path(text) and not text.startswith(_standard_library_folders())


def is_installed_path(text: str) -> bool:
    """Whether a path lies where installers put packages."""
    return text.startswith(_site_folders()) or "/site-packages/" in text or "/dist-packages/" in text


def _is_in_target_folder(path: Path, name: str) -> bool:
    """Whether the folder that the module was imported from holds distributions (``pip install --target``)."""
    root = import_root(path, name)
    return root is not None and _owns_top_level(root, name.partition(".")[0])


def import_root(path: Path, name: str) -> Path | None:
    """The sys.path entry from which a module's file was imported, judged by the module's name."""
    depth = name.count(".") + (1 if path.stem == "__init__" else 0)
    return path.parents[depth] if depth < len(path.parents) else None


@functools.lru_cache(maxsize=256)
def _owns_top_level(root: Path, top: str) -> bool:
    records = (info / "RECORD" for info in root.glob("*.dist-info"))
    texts = (record.read_text(errors="replace") for record in records if record.is_file())
    return any(line.startswith((f"{top}/", f"{top}.")) for text in texts for line in text.splitlines())


@functools.cache
def _site_folders() -> tuple[str, ...]:
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    folders.add(site.getusersitepackages())
    return tuple(f"{folder}/" for folder in folders if folder)


@functools.cache
def _standard_library_folders() -> tuple[str, ...]:
    folders = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    resolved = {str(Path(folder).resolve()) for folder in folders if folder}
    return tuple(f"{folder}/" for folder in folders | resolved if folder)


def _is_shadowed(top: str) -> bool:
    """Whether the module of this name is not the standard library's own (``test``, ``code``, ``token``...)."""
    if top in sys.modules:
        file = getattr(sys.modules[top], "__file__", None)
    else:
        spec = _ask_finders(top, None)
        file = spec.origin if spec is not None and spec.has_location else None
    return isinstance(file, str) and not file.startswith(_standard_library_folders())


def find_spec(name: str) -> ModuleSpec | None:
    """The spec of a module, loaded or not; None when there is none. Imports no parent package."""
    module = sys.modules.get(name)
    if module is not None:
        return _spec_of_loaded(name, module)
    parent, _, _ = name.rpartition(".")
    if not parent:
        return _ask_finders(name, None)
    parent_spec = find_spec(parent)
    if parent_spec is None or parent_spec.submodule_search_locations is None:
        return None
    folders = list(parent_spec.submodule_search_locations)
    return _ask_finders(name, folders) or _namespace_spec(name, folders)


def _spec_of_loaded(name: str, module: ModuleType) -> ModuleSpec | None:
    spec = getattr(module, "__spec__", None)
    if isinstance(spec, ModuleSpec):
        return spec
    file, folders = getattr(module, "__file__", None), getattr(module, "__path__", None)
    if not isinstance(file, str) and not folders:
        return None
    made = ModuleSpec(name, None, origin=file if isinstance(file, str) else None)
    made.has_location = isinstance(file, str)
    made.submodule_search_locations = [str(folder) for folder in folders] if folders else None
    return made


def _namespace_spec(name: str, folders: list[str]) -> ModuleSpec | None:
    """A package without __init__ inside one that is not loaded, which Python's own finder cannot describe."""
    places = [os.path.join(folder, name.rpartition(".")[2]) for folder in folders]
    found = [place for place in places if os.path.isdir(place)]
    if not found:
        return None
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = found
    return spec


def _ask_finders(name: str, folders: list[str] | None) -> ModuleSpec | None:
    for finder in list(sys.meta_path):
        ask = getattr(finder, "find_spec", None)
        if ask is None:
            continue
        try:
            spec = ask(name, folders)
        except Exception:  # noqa: BLE001 - a finder of some library must not keep a function from travelling
            spec = None
        if spec is not None:
            return spec if isinstance(spec, ModuleSpec) else None
    return None


def parents(name: str) -> Iterator[str]:
    """The packages around a module, outermost first, then the module itself."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])
