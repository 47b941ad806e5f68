"""The Python interpreters of this machine that local images stand for.

The Docker engine packs such an interpreter into an image, the process engine runs it where it is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sm_remote.home import Home
from sm_remote.interpreter import find_record_key, read_record, record_path
from sm_remote.service.engines.engine import ImageMissing

_LIBRARY = re.compile(r"^\s+(?:\S+ => )?(/\S.*?) \(0x[0-9a-f]+\)$", re.MULTILINE)

_QUESTIONS = """
import importlib.util, json, platform, sys, sysconfig
print(json.dumps({
    "version": platform.python_version(),
    "stdlib": sysconfig.get_path("stdlib"),
    "platstdlib": sysconfig.get_path("platstdlib"),
    "magic": importlib.util.MAGIC_NUMBER.hex(),
    "cache_tag": sys.implementation.cache_tag,
}))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """A Python of this machine, as a client wrote it down.

    Attributes:
        key: Twelve hexadecimal digits that tell it from every other.
        executable: The interpreter itself, with no link and no virtual environment in between.
        prefix: Where it is installed.
        version: Such as ``3.11.7``.
    """

    key: str
    executable: Path
    prefix: Path
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class InterpreterFacts:
    """What an interpreter says of itself.

    Attributes:
        version: Such as ``3.11.7``.
        standard_library: One directory, or two where the compiled modules lie elsewhere.
        magic: The first four bytes of each .pyc file that it can load.
        cache_tag: Such as ``cpython-311``.
    """

    version: str
    standard_library: tuple[Path, ...]
    magic: bytes
    cache_tag: str


def is_local_image(image: str) -> bool:
    """Whether an image stands for an interpreter of this machine."""
    return find_record_key(image) is not None


def read_interpreter(home: Home, image: str) -> Interpreter:
    """Finds the interpreter that a local image stands for.

    Raises:
        ImageMissing: It was never written down, or is gone.
    """
    key = find_record_key(image)
    if key is None:
        raise ImageMissing(f"{image} does not stand for a Python interpreter of this machine")
    path = record_path(home, key)
    try:
        record = read_record(home, key)
    except FileNotFoundError as error:
        raise ImageMissing(f"{image}: no interpreter is recorded in {path}; submit from a notebook again") from error
    except ValueError as error:
        raise ImageMissing(f"{image}: the record {path} cannot be read ({error!r}); delete it") from error
    prefix = Path(record.base_prefix)
    return Interpreter(
        key=key,
        executable=_find_executable(Path(record.executable), prefix, record.version),
        prefix=prefix,
        version=record.version,
    )


def _find_executable(named: Path, prefix: Path, version: str) -> Path:
    """Follows links out of a virtual environment; one made of copies leads nowhere, so the prefix is asked then."""
    minor = ".".join(version.split(".")[:2])
    home = prefix.resolve()
    for candidate in (named, prefix / "bin" / f"python{minor}", prefix / "bin" / "python3"):
        found = candidate.resolve()
        if home in found.parents and os.access(found, os.X_OK):
            return found
    raise ImageMissing(f"the Python {version} that was recorded, {named}, is not there any more; restart the kernel")


def ask_interpreter(interpreter: Interpreter) -> InterpreterFacts:
    """Runs the interpreter once to learn where its standard library is.

    Raises:
        ImageMissing: It does not run, or is another version than was written down.
    """
    command = [str(interpreter.executable), "-I", "-S", "-c", _QUESTIONS]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise ImageMissing(f"{interpreter.executable} does not run: {error}") from error
    facts = json.loads(answer.stdout)
    if facts["version"] != interpreter.version:
        raise ImageMissing(
            f"{interpreter.executable} was Python {interpreter.version} when the job was submitted and is"
            f" {facts['version']} now; restart the kernel and submit again"
        )
    return InterpreterFacts(
        version=facts["version"],
        standard_library=tuple(Path(path) for path in dict.fromkeys((facts["stdlib"], facts["platstdlib"]))),
        magic=bytes.fromhex(facts["magic"]),
        cache_tag=facts["cache_tag"],
    )


def find_libraries(files: Iterable[Path]) -> frozenset[Path]:
    """Lists every shared library, the loader included, that programs and extension modules need.

    Asks ``ldd``, in the job's circumstances: LD_LIBRARY_PATH never reaches a job.
    """
    names = sorted(str(path) for path in files)
    if not names:
        return frozenset()
    clean = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C"}
    answer = subprocess.run(["ldd", *names], capture_output=True, text=True, check=False, env=clean)
    return frozenset(Path(path) for path in _LIBRARY.findall(answer.stdout))
