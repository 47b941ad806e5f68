"""A job that leaves a value as our runtime does: the outcome by rename, then its marker as the last line.

Arguments: a file to leave a trace in, and the digest of a manifest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sm_remote.wire.digest import BlobRef, digest_file
from sm_remote.wire.marker import format_marker
from sm_remote.wire.outcome_writer import write_value

FACTS = {"python": "3.11.7", "started": 1.0, "ended": 2.0, "peak_memory_bytes": None, "memory_limit_bytes": None}


def main(proof: str, manifest_digest: str) -> None:
    with open(proof, "a") as file:
        file.write("ran\n")
    directory = Path(os.environ["ML"]) / "output" / "data" / "sm_remote"
    directory.mkdir()
    with (directory / "draft").open("wb") as file:
        write_value(file, {"answer": 42}, FACTS)
    outcome = (directory / "draft").rename(directory / "outcome")
    reference = BlobRef(digest=digest_file(outcome), size_bytes=outcome.stat().st_size)
    print(format_marker(reference, manifest_digest), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
