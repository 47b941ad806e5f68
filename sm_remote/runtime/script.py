"""A whole script as a function: its value is what it leaves in SM_MODEL_DIR and SM_OUTPUT_DATA_DIR, as digests."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

_PLACES = ("SM_MODEL_DIR", "SM_OUTPUT_DATA_DIR")


class Script:
    """Runs a script's code as ``__main__``.

    Args:
        name: Of the script, as people call it.
        body: A function of the code of the whole file.
        arguments: What it finds in ``sys.argv`` behind its own name.
    """

    def __init__(self, name: str, body: Callable[[], Any], arguments: tuple[str, ...]) -> None:
        self.__name__ = name
        self._body = body
        self._arguments = arguments

    def __call__(self) -> dict[str, str]:
        """Runs it; ``sys.exit(0)`` is an ending like any other.

        Returns:
            The digest of each file that it left, by its path.
        """
        before = sys.argv
        sys.argv = [f"{self.__name__}.py", *self._arguments]
        try:
            self._body()
        except SystemExit as error:
            if error.code not in (None, 0):
                raise
        finally:
            sys.argv = before
        return {f"{place}/{path}": digest for place in _PLACES for path, digest in _digest_files(place)}


def _digest_files(place: str) -> list[tuple[str, str]]:
    from sm_remote.wire.digest import digest_file

    root = os.environ.get(place)
    found = []
    for folder, _, names in os.walk(root) if root else ():
        paths = [os.path.join(folder, name) for name in names if not name.startswith(".sm_remote-")]
        found += [(os.path.relpath(path, root), digest_file(path)) for path in paths]
    return sorted(found)
