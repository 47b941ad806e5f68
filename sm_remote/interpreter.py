"""How a Python of this machine is written down, and the image that stands for it.

A client that names no image writes down which interpreter it runs (``<home.interpreters>/<key>.json``) and asks for
the image ``sm-remote-local/python:<x.y.z>-<key>``; from the record the local service makes the image, or runs that
interpreter where it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from sm_remote.home import Home, make_private, write_private

LOCAL_REPOSITORY = "sm-remote-local/python"

_LOCAL_IMAGE = re.compile(rf"{LOCAL_REPOSITORY}:\d+\.\d+\.\d+[a-z0-9+]*-(?P<key>[0-9a-f]{{12}})")


@dataclass(frozen=True, kw_only=True, slots=True)
class InterpreterRecord:
    """An installed Python.

    Attributes:
        executable: The interpreter itself, outside any virtual environment, links resolved.
        base_prefix: Where it is installed.
        version: Such as ``3.11.7``.
        soabi: Tag of compiled modules, such as ``cpython-311-x86_64-linux-gnu``.
        platform: Such as ``linux-x86_64``.
    """

    executable: str
    base_prefix: str
    version: str
    soabi: str
    platform: str

    @property
    def text(self) -> str:
        """Its canonical form."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that tell it from every other."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    @property
    def image(self) -> str:
        """The image that stands for it."""
        # A Python built from a checkout calls itself 3.13.0+, and an image's tag may hold no plus sign.
        return f"{LOCAL_REPOSITORY}:{self.version.replace('+', '')}-{self.key}"


def find_record_key(image: str) -> str | None:
    """The key of the interpreter that an image stands for, or None where it is another image."""
    match = _LOCAL_IMAGE.fullmatch(image)
    return None if match is None else match["key"]


def record_path(home: Home, key: str) -> Path:
    """Where an interpreter is written down."""
    return home.interpreters / f"{key}.json"


def write_record(home: Home, record: InterpreterRecord) -> Path:
    """Writes an interpreter down, once, and tells where."""
    path = record_path(home, record.key)
    if not path.exists():
        make_private(home.interpreters)
        write_private(path, record.text)
    return path


def read_record(home: Home, key: str) -> InterpreterRecord:
    """Reads what was written down.

    Raises:
        FileNotFoundError: Nothing was.
        ValueError: It is no such record.
    """
    try:
        return InterpreterRecord(**json.loads(record_path(home, key).read_text()))
    except TypeError as error:
        raise ValueError(f"not an interpreter's record: {error}") from error
