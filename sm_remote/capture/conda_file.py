"""Reads environment.yml: its Python packages become requirements, since jobs get packages from Python's indexes.

What is no plain list of packages, with a list for pip in it, is refused, never guessed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sm_remote.capture.requirements import Requirements
from sm_remote.capture.requirements_file import split_options
from sm_remote.errors import ConfigError

_logger = logging.getLogger("sm_remote")

_SPEC = re.compile(r"^(?:[\w./\-]+::)?(?P<name>[A-Za-z0-9_.\-]+)\s*(?P<version>[=<>!~ ].*)?$")
_OTHER_NAMES = {
    "pytorch": "torch",
    "py-opencv": "opencv-python",
    "opencv": "opencv-python",
    "msgpack-python": "msgpack",
}
_OTHER_NAMES |= {"pytables": "tables", "matplotlib-base": "matplotlib", "seaborn-base": "seaborn", "dask-core": "dask"}
_NOT_PYTHON = re.compile(
    r"^(_.*|lib.*|python_abi|ca-certificates|openssl|sqlite|tk|xz|zlib|bzip2|readline|ncurses|ld_impl_.*|mkl|blas"
    r"|openblas|cudatoolkit|cuda-.*|pytorch-cuda|pytorch-mutex|cudnn|nccl|gcc.*|gxx.*|binutils.*|sysroot_.*|ffmpeg|git"
    r"|nodejs|yaml|icu|llvm-openmp|intel-openmp|tbb|pip|setuptools|wheel|conda|mamba|nomkl|compilers|cmake|make|expat)$"
)


def read_conda_file(path: Path) -> Requirements:
    """Reads an environment file.

    Raises:
        OSError: It cannot be read.
        ConfigError: It holds what is not understood.
    """
    conda, pip = _read_items(path.read_text(encoding="utf-8-sig"), str(path))
    python = ""
    lines: list[str] = []
    left_out: list[str] = []
    for item in conda:
        name, version = _split_spec(item, str(path))
        if name == "python":
            python = version
        elif _NOT_PYTHON.match(name):
            left_out.append(name)
        else:
            lines.append(f"{_OTHER_NAMES.get(name, name)}{version}")
    if left_out:
        _logger.info(
            "%s: %s is no Python package, so it is the job's image that must have it", path.name, ", ".join(left_out)
        )
    options, requirements = split_options([*lines, *pip], path.parent)
    return Requirements(
        lines=tuple(requirements),
        options=tuple(options),
        requires_python=python,
        origin=str(path),
        directory=path.parent,
    )


def _read_items(text: str, origin: str) -> tuple[list[str], list[str]]:
    """The items of ``dependencies:`` and those of the ``pip:`` list in it."""
    import yaml  # only where somebody has such a file

    try:
        found = yaml.safe_load(text) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise _not_understood(" ".join(str(error).split()), origin) from error
    if not isinstance(found, Mapping):
        raise _not_understood(str(found), origin)
    conda: list[str] = []
    pip: list[str] = []
    for item in _require_list(found.get("dependencies") or [], origin):
        if isinstance(item, Mapping) and set(item) == {"pip"}:
            pip += [_require_text(each, origin) for each in _require_list(item["pip"] or [], origin)]
        else:
            conda.append(_require_text(item, origin))
    return conda, pip


def _require_list(value: Any, origin: str) -> list[Any]:
    if not isinstance(value, list):
        raise _not_understood(str(value), origin)
    return value


def _require_text(value: Any, origin: str) -> str:
    if not isinstance(value, str):
        raise _not_understood(str(value), origin)
    return value.strip()


def _split_spec(item: str, origin: str) -> tuple[str, str]:
    """A package's name and its version as Python packaging spells it: conda's ``=1.2`` is ``==1.2.*``."""
    match = _SPEC.match(item)
    if match is None:
        raise _not_understood(item, origin)
    name, version = match["name"].lower(), (match["version"] or "").strip()
    exact = re.fullmatch(r"={1,2}\s*(?P<number>[^=<>!,|\s]+)(?:=[^=<>!,|\s]*)?", version)
    if exact:
        number = exact["number"].removesuffix(".*").removesuffix("*")
        is_fuzzy = not version.startswith("==") and version.count("=") == 1
        return name, f"=={number}.*" if is_fuzzy else f"=={number}"
    if version and not re.fullmatch(r"(?:\s*(?:[<>]=?|!=|~=|==)\s*[\w.*+!]+\s*,?)+", version):
        raise _not_understood(item, origin)
    return name, version.replace(" ", "")


def _not_understood(line: str, origin: str) -> ConfigError:
    return ConfigError(
        f"{origin} holds {line.strip()!r:.200}, which is not understood.",
        why="Of an environment file only 'dependencies:', a list of packages with a 'pip:' list in it, is read.",
        fix="Write it so, list the packages in a requirements.txt, or use an image that has the environment.",
        path=origin,
    )
