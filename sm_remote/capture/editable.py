"""What importlib.metadata must find in the job of packages whose source travels (editable installs).

A package that asks for its own version while it is imported would otherwise fail there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sm_remote.capture.distributions import Distribution, read_index
from sm_remote.capture.modules import Located

_FILES = ("METADATA", "entry_points.txt", "top_level.txt")


def metadata_files(modules: Iterable[Located]) -> dict[str, bytes]:
    """The metadata files of the distributions whose source trees these modules lie in, by name in the archive."""
    files = [module.file for module in modules if module.file is not None]
    found: dict[str, bytes] = {}
    for one in read_index().by_name.values():
        root = one.editable_root or _development_root(one)
        if root is not None and any(file.is_relative_to(root) for file in files):
            found.update(_files_of(one))
    return found


def _development_root(one: Distribution) -> Path | None:
    """The source tree of a ``setup.py develop``, whose metadata lies in the tree itself."""
    return one.folder if one.read_text("PKG-INFO") and not one.read_text("RECORD") else None


def _files_of(one: Distribution) -> dict[str, bytes]:
    texts = {name: one.read_text(name) for name in _FILES}
    texts["METADATA"] = texts["METADATA"] or one.read_text("PKG-INFO")
    return {f"{one.info_folder_name}/{name}": text.encode() for name, text in texts.items() if text}
