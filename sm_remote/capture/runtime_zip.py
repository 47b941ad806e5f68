"""The runtime as one zip: what travels with each job and runs it. The same client makes the same bytes, so it is
stored once.

Source and compiled code lie side by side. The code is of the kind that is loaded without looking at the source
(unchecked hash), which saves a job's start a third of its imports; another Python falls back to the source.
"""

from __future__ import annotations

import functools
import io
import marshal
import zipfile
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, find_spec, source_hash
from pathlib import Path
from types import CodeType

from sm_remote.wire.digest import CHUNK_BYTES

_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
_MARSHAL_VERSION = 2
"""Later versions mark objects by their reference counts, so the same code gives other bytes in another process.

So do sets of constants before Python 3.11: what travels has tuples where it could have them.
"""


@functools.cache
def build_runtime_zip() -> bytes:
    """Builds the zip, once a process."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # stored: imports need no decompression
        for name, path in sorted(_find_files().items()):
            source = path.read_bytes()
            compiled = _compile(name, path, source)
            if compiled is not None:
                archive.writestr(_entry(f"{name}c"), compiled)
            archive.writestr(_entry(name), source)
    content = buffer.getvalue()
    if len(content) > CHUNK_BYTES:
        raise ValueError("the runtime has outgrown plain SHA-256, which is all that the verifier knows")
    return content


def _find_files() -> dict[str, Path]:
    """Maps names in the zip to files here."""
    own = Path(__file__).parent.parent
    files = {"sm_remote/__init__.py": own / "__init__.py", "sm_remote/errors.py": own / "errors.py"}
    for package in ("wire", "checkpoints", "runtime"):
        files |= {f"sm_remote/{package}/{path.name}": path for path in (own / package).glob("*.py")}
    spec = find_spec("cloudpickle")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("cloudpickle travels with each job and is not installed here", name="cloudpickle")
    folder = Path(spec.submodule_search_locations[0])
    return files | {f"cloudpickle/{path.name}": path for path in folder.glob("*.py")}


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.create_system = 3  # Unix, wherever it is made
    entry.external_attr = _REGULAR_FILE
    return entry


def _compile(name: str, path: Path, source: bytes) -> bytes | None:
    """A .pyc of the kind that is not checked against its source, or None where it would not be reproducible."""
    # Through the loader: this process has mostly compiled the module already.
    code = SourceFileLoader(name, str(path)).get_code(name)
    if code is None:
        return None
    try:
        body = marshal.dumps(_rename(code, name), _MARSHAL_VERSION)
    except ValueError:  # constants that only later versions of marshal know
        return None
    return MAGIC_NUMBER + _UNCHECKED_HASH + source_hash(source) + body


def _rename(code: CodeType, filename: str) -> CodeType:
    """The same code, its file named as in the zip: a path of this machine is nobody's business."""
    constants = tuple(_rename(each, filename) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=filename, co_consts=constants)
