"""The line with which our own runtime says that it has published an outcome: a reason to look, never trusted by itself.

Looking at once, instead of when the container has ended, brings a value back some 30 ms earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sm_remote.wire.marker import MARKER_PREFIX, parse_marker
from sm_remote.wire.outcome import read_header

_PREFIX = MARKER_PREFIX.encode()


def build_value_test(request: Mapping[str, Any], outcome_file: Path) -> Callable[[bytes], bool]:
    """Makes the test whether a log line announces a value (not an exception) that is really there."""
    arguments = request["AlgorithmSpecification"].get("ContainerArguments", ())
    manifest_digest = arguments[-1] if arguments else ""

    def is_value(line: bytes) -> bool:
        if _PREFIX not in line or not manifest_digest:
            return False
        reference = parse_marker(line.decode("utf-8", "replace"), manifest_digest)
        try:
            if reference is None or outcome_file.lstat().st_size != reference.size_bytes:
                return False
            return read_header(outcome_file).kind == "value"
        except Exception:  # noqa: BLE001 - the job wrote the file; whatever is wrong with it, it is no value
            return False

    return is_value
