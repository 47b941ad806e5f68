"""Writes a DataFrame and a pyarrow Table as files of a channel, and prints what is read back.

Arguments: a directory to write to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa

from sm_remote.capture.input_values import choose_file_name, write_data


def main(directory: Path) -> None:
    frame = pd.DataFrame(
        {"x": [1, 2], "at": pd.to_datetime(["2020-01-01", "2021-01-01"]), "kind": pd.Categorical(["a", "b"])}
    )
    name = choose_file_name("train", frame, None)
    write_data("train", frame, directory / name)
    first = (directory / name).read_bytes()
    types = [str(kind) for kind in pd.read_parquet(directory / name).dtypes]
    write_data("train", frame, directory / name)
    same = first == (directory / name).read_bytes()
    table = pa.table({"x": [1, 2]})
    table_name = choose_file_name("train", table, None)
    write_data("train", table, directory / table_name)
    rows = pd.read_parquet(directory / table_name).x.tolist()
    frame_facts = {"name": name, "types": types, "same": same}
    print(json.dumps({"frame": frame_facts, "table": {"name": table_name, "rows": rows}}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
