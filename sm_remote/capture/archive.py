"""The user's own modules as one zip with the same bytes for the same files, whatever the order they were found in.

The job unpacks it into a folder that comes first on sys.path, so it holds nothing but regular files under relative
names, laid out by the modules' names (not by where they lie here).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from sm_remote.capture.modules import Located

_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16


def source_files(modules: Iterable[Located]) -> dict[str, Path]:
    """Maps archive names to files: ``pkg/__init__.py``, ``pkg/part.py``, ``helpers.py``."""
    return {source_name(module, module.file): module.file for module in modules if module.file is not None}


def source_name(module: Located, file: Path) -> str:
    """Where a module lies in the archive. What follows the first dot of its file's name is kept (``.abi3.so``)."""
    suffix = "".join(file.name.partition(".")[1:]) or ".py"
    base = module.name.replace(".", "/")
    return f"{base}/__init__{suffix}" if module.is_package else f"{base}{suffix}"


def pack(files: Mapping[str, Path | bytes]) -> bytes:
    """Packs files into a deterministic zip.

    Args:
        files: Relative names in the archive, and where the bytes are.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            source = files[name]
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system = 3  # Unix, also where it is made elsewhere: the bytes must not differ
            entry.external_attr = _REGULAR_FILE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, source if isinstance(source, bytes) else source.read_bytes())
    return buffer.getvalue()
