"""A job's value as a file or as JSON."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from sm_remote.cli.units import render_bytes
from sm_remote.errors import OutcomeMissing, StorageError


def write_value(value: object, path: Path) -> str:
    """Writes the value pickled, whole or not at all, readable by its owner alone; returns the sentence that says so.

    Raises:
        StorageError: The file cannot be written.
    """
    import cloudpickle

    try:
        # mkstemp's files are 0600 from the start.
        descriptor, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _refuse(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            cloudpickle.dump(value, file)
        size_bytes = os.stat(temporary).st_size
        os.replace(temporary, path)
    except OSError as error:
        raise _refuse(path, error) from error
    finally:
        Path(temporary).unlink(missing_ok=True)
    return f"Wrote {render_bytes(size_bytes)} to {path}. Read it with pickle.load(open({str(path)!r}, 'rb')).\n"


def _refuse(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"The value could not be written to {path}.",
        why=error.strerror or str(error),
        fix="The job keeps its value: name another file and try again.",
    )


def build_json(value: object, job_name: str) -> str:
    """The value as JSON.

    Raises:
        OutcomeMissing: JSON cannot say it.
    """
    try:
        return json.dumps(value, indent=2) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise OutcomeMissing(
            f"The value of {job_name} cannot be written as JSON.",
            why=str(error),
            fix="Leave --json out to see its repr, or take it pickled with `-o FILE`.",
            job_name=job_name,
        ) from error
