"""Data in memory as the one file of its channel.

A DataFrame is ``data.parquet`` where pyarrow is installed and else ``data.csv`` with a header line; a pyarrow Table is
``data.parquet``; a numpy array is ``data.npy``, of which ``numpy.load`` needs no pickle. None of their libraries is
needed here: whoever has such an object has its library.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sm_remote.errors import ConfigError
from sm_remote.inputs import describe_data, find_data_kind

CSV, PARQUET = "text/csv", "application/x-parquet"


def choose_file_name(
    channel: str, data: Any, content_type: str | None, *, has_pyarrow: Callable[[], bool] | None = None
) -> str:
    """What the file of a channel is called.

    Args:
        channel: For messages.
        data: A DataFrame, an array or a Table.
        content_type: What its channel says; of a DataFrame it decides the format.
        has_pyarrow: Whether parquet can be written here; by default whether pyarrow is installed.

    Raises:
        ConfigError: The data cannot be written so.
    """
    kind = find_data_kind(data)
    if kind == "array":
        _check_array(channel, data)
        return "data.npy"
    if kind == "table" or content_type == PARQUET:
        return "data.parquet"
    if content_type == CSV:
        return "data.csv"
    can_write = has_pyarrow or (lambda: importlib.util.find_spec("pyarrow") is not None)
    return "data.parquet" if can_write() else "data.csv"


def measure_data(data: Any) -> int:
    """About how big data is, in bytes, before it is written."""
    if find_data_kind(data) == "frame":
        return int(data.memory_usage(deep=False).sum())
    return int(data.nbytes)


def write_data(channel: str, data: Any, path: Path) -> None:
    """Writes data to a file of the format that the path's suffix says.

    Raises:
        ConfigError: The format cannot hold the data, or its library is missing.
        OSError: The file cannot be written.
    """
    try:
        _WRITERS[path.suffix, find_data_kind(data)](data, path)
    except OSError:
        raise
    except Exception as error:
        raise ConfigError(
            f"The channel {channel!r} cannot be a {describe_data(data)} as {path.name}; nothing was sent.",
            why=f"{type(error).__name__}: {str(error)[:300]}",
            fix="Write it to a file yourself and give the file's path, or choose another format: "
            f"TrainingInput(frame, content_type={CSV!r}).",
            channel=channel,
        ) from error


def _check_array(channel: str, data: Any) -> None:
    why = ""
    if data.dtype.hasobject:
        why = f"Its elements are Python objects (dtype {data.dtype}), which only pickle can write."
    elif isinstance(data, sys.modules["numpy"].ma.MaskedArray):
        why = "It is a masked array, and the file would lose its mask."
    if why:
        raise ConfigError(
            f"The channel {channel!r} cannot be this array; nothing was sent.",
            why=why,
            fix="Convert it: `.astype(...)`, `.filled(...)`, or pass it as an argument of the function.",
            channel=channel,
        )


def _write_csv(frame: Any, path: Path) -> None:
    # The index of a frame that was not given one says nothing.
    frame.to_csv(path, index=type(frame.index).__name__ != "RangeIndex", lineterminator="\n")


def _write_npy(array: Any, path: Path) -> None:
    sys.modules["numpy"].save(path, array, allow_pickle=False)


def _write_table(table: Any, path: Path) -> None:
    from importlib import import_module

    import_module("pyarrow.parquet").write_table(table, path)


_WRITERS: dict[tuple[str, str | None], Callable[[Any, Path], None]] = {
    (".csv", "frame"): _write_csv,
    (".parquet", "frame"): lambda frame, path: frame.to_parquet(path, engine="pyarrow"),
    (".parquet", "table"): _write_table,
    (".npy", "array"): _write_npy,
}
