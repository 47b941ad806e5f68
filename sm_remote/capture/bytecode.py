"""Bytecode for packages that were installed without it (uv does so by default): compiled once, linked ever after.

Without bytecode a job would compile at every start what it imports: seconds for pandas and scikit-learn. What is
compiled here is never checked against its source's time, so it also serves another environment that holds the same
package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

Publish = Callable[[Path, Callable[[Path], None]], Path]
_TESTS = frozenset({"tests", "test"})


def add_bytecode(target: Path, missing: Mapping[str, Sequence[str]], cache: Path, publish: Publish) -> None:
    """Adds bytecode beside sources.

    Args:
        target: The directory that holds the sources.
        missing: For each package, under a key that identifies its content, the sources without bytecode.
        cache: Where compiled packages are kept.
        publish: Fills a directory of the cache, whole or not at all.
    """
    unknown = {key: names for key, names in missing.items() if not (cache / key).is_dir()}
    # Tests of packages are carried, as a package may import its own, but are hardly ever run: half the work.
    compile_sources(target, [name for names in unknown.values() for name in names if not _is_test(name)])
    for key, names in unknown.items():
        compiled = [bytecode_name(name) for name in names if (target / bytecode_name(name)).exists()]
        publish(cache / key, lambda folder, compiled=compiled: _link(compiled, target, folder))  # type: ignore[misc]
    for key in missing.keys() - unknown.keys():
        _link(list(_files_below(cache / key)), cache / key, target)


def bytecode_name(source_name: str) -> str:
    """Where this interpreter looks for the bytecode of a source."""
    folder, _, base = source_name.rpartition("/")
    compiled = f"__pycache__/{base.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
    return f"{folder}/{compiled}" if folder else compiled


def compile_sources(folder: Path, names: Sequence[str]) -> None:
    """Compiles sources on every core; what does not compile stays as it is, as installers leave it."""
    if not names:
        return
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-j", "0", "-s", str(folder), "-i", "-"]
    subprocess.run(
        [*command, "--invalidation-mode", "unchecked-hash"],
        input="\n".join(str(folder / name) for name in names),
        text=True,
        capture_output=True,
        check=False,
        cwd=folder,
    )


def compile_folder(folder: Path) -> None:
    """Compiles every source in a folder of packages but their tests."""
    compile_sources(folder, [name for name in _files_below(folder) if name.endswith(".py") and not _is_test(name)])


def _is_test(name: str) -> bool:
    return not _TESTS.isdisjoint(name.split("/")[:-1])


def _files_below(folder: Path) -> Iterator[str]:
    for inner, _, names in os.walk(folder):
        for name in names:
            yield Path(inner, name).relative_to(folder).as_posix()


def _link(names: Sequence[str], source: Path, target: Path) -> None:
    for name in names:
        goal = target / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source / name, goal)
        except FileExistsError:
            continue
        except OSError:
            shutil.copy2(source / name, goal)
