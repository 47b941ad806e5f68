"""Runs every benchmark in turn, each in a process of its own: ``python benchmarks/run.py [NAME ...]``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NAMES = (
    "noop",
    "warm_pool",
    "overhead",
    "lag",
    "staging",
    "many_jobs",
    "watch_many",
    "large_array",
    "environment",
    "preflight",
    "checkpoint",
)


def main(names: list[str]) -> int:
    failed = []
    for name in names or NAMES:
        print(f"\n== {name} ==", flush=True)
        if subprocess.run([sys.executable, Path(__file__).with_name(f"{name}.py")], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nDid not run through: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
