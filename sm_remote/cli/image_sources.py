"""Finds the image that a person names on the command line: a Dockerfile, or a value in Python."""

from __future__ import annotations

import importlib
import os
import re
import runpy
import sys
from pathlib import Path
from typing import Any

from sm_remote.errors import ConfigError
from sm_remote.image.definition import Image


def load_image(source: str, context: Path | None = None) -> Image:
    """The image of a Dockerfile, of a directory with one, of ``module:name`` or ``file.py:name``, or ``python:3.12``.

    Raises:
        ConfigError: There is no such thing.
    """
    path = Path(source)
    if path.is_dir():
        path = path / "Dockerfile"
    if path.is_file():
        return Image.from_dockerfile(path, context=context)
    place, separator, name = source.rpartition(":")
    if place == "python" and re.fullmatch(r"3\.\d+", name):
        return Image.python(name)
    if not separator or context is not None:
        raise ConfigError(
            f"There is no Dockerfile {source!r}.",
            fix="Name a Dockerfile, a directory that has one, or an Image in Python: `module:name`, `file.py:name`.",
        )
    return _take_image(_load_names(place), name, source)


def _load_names(place: str) -> dict[str, Any]:
    if place.endswith(".py"):
        if not os.path.isfile(place):
            raise ConfigError(f"There is no file {place!r}.")
        return runpy.run_path(place, run_name="__sm_remote_image__")
    sys.path.insert(0, os.getcwd())
    try:
        return vars(importlib.import_module(place))
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The module {place!r} cannot be imported: {error}.", fix="Call from its directory."
        ) from error
    finally:
        sys.path.remove(os.getcwd())


def _take_image(names: dict[str, Any], name: str, source: str) -> Image:
    value = names.get(name)
    arguments = getattr(value, "_arguments", None)
    found = arguments.get("image_uri") if isinstance(arguments, dict) else value
    if not isinstance(found, Image):
        known = sorted(key for key, one in names.items() if isinstance(one, Image))
        raise ConfigError(
            f"{source!r} is no Image.",
            why=f"It is {'a ' + type(value).__name__ if value is not None else 'not there'}.",
            fix=f"Images there: {', '.join(known)}." if known else "Define one: image = Image.python('3.11').apt(...).",
        )
    return found
