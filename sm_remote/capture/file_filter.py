"""Which files of the working directory stay behind: those that git ignores, or what the user's own filter says."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pathspec import GitIgnoreSpec

Ignore = Callable[[str, list[str]], Iterable[str]]
"""Called with a folder and the names in it; gives the names that stay behind. As `shutil.copytree` takes it."""

NEVER_SENT = frozenset(
    {
        *(".git", ".hg", ".svn", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".DS_Store"),
        *(".aws", ".ssh", ".netrc", ".pypirc"),
    }
)
"""What no job needs from a working directory, whether git ignores it or not: others' bookkeeping, and credentials."""
_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")


class CustomFileFilter:
    """Says which files of the working directory stay behind, by patterns for their names.

    All others travel, those that git ignores included. As in the SageMaker SDK, the working directory is the one in
    which the filter was made.

    Args:
        ignore_name_patterns: Shell patterns such as ``*.csv`` or ``data``; each is compared with the name alone, of
            files and of folders, at any depth.
    """

    def __init__(self, *, ignore_name_patterns: Sequence[str] | None = None) -> None:
        self._patterns = tuple(ignore_name_patterns or ())
        self._workdir = os.getcwd()

    @property
    def ignore_name_patterns(self) -> list[str]:
        """The patterns."""
        return list(self._patterns)

    @property
    def workdir(self) -> str:
        """The working directory that is sent."""
        return self._workdir

    def __repr__(self) -> str:
        return f"CustomFileFilter(ignore_name_patterns={list(self._patterns)!r})"


def choose_filter(wanted: Any, directory: Path) -> tuple[Path, Ignore]:
    """Gives the directory to send and the filter for it.

    Args:
        wanted: A callable, a `CustomFileFilter` (the SageMaker SDK's own does as well), patterns for names, or None
            for what git ignores.
        directory: The working directory.
    """
    if wanted is None:
        return directory, GitIgnore(directory)
    if hasattr(wanted, "ignore_name_patterns"):
        root = Path(getattr(wanted, "workdir", directory))
        return root, _match_names(tuple(wanted.ignore_name_patterns))
    if callable(wanted):
        return directory, wanted
    return directory, _match_names(tuple(wanted))


def _match_names(patterns: tuple[str, ...]) -> Ignore:
    def ignore(_folder: str, names: list[str]) -> set[str]:
        return {name for pattern in patterns for name in fnmatch.filter(names, pattern)}

    return ignore


class GitIgnore:
    """The .gitignore files that count in a directory: its own, those below, those above up to the repository's top.

    Read with pathspec, so neither git nor a repository is needed. Unlike git it leaves out what is ignored even where
    it was added by force.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._chains: dict[Path, tuple[tuple[Path, GitIgnoreSpec], ...]] = {}
        top = next((each for each in (root, *root.parents) if (each / ".git").exists()), root)
        above = _read_rules(top, top / ".git" / "info" / "exclude") if (top / ".git").is_dir() else ()
        self._chains[root] = (*above, *_read_rules(root, root / ".gitignore"))
        self._follow_down(top, above)

    def __call__(self, folder: str, names: list[str]) -> set[str]:
        """The names in a folder that git would not add, and those that are never sent."""
        here = Path(folder)
        if here != self._root and any(mark in names for mark in _ENVIRONMENT_MARKS):
            return set(names)  # a virtual environment
        chain = self._chain(here)
        return {name for name in names if name in NEVER_SENT or _is_ignored(here / name, chain)}

    def _chain(self, folder: Path) -> tuple[tuple[Path, GitIgnoreSpec], ...]:
        if folder not in self._chains:
            self._chains[folder] = (*self._chain(folder.parent), *_read_rules(folder, folder / ".gitignore"))
        return self._chains[folder]

    def _follow_down(self, top: Path, above: tuple[tuple[Path, GitIgnoreSpec], ...]) -> None:
        """Takes in the rules of the folders above, unless these say that the working directory itself is ignored."""
        chain = above
        for folder in reversed([self._root, *self._root.parents]):
            if folder != top and top not in folder.parents:
                continue
            if folder != top and _is_ignored(folder, chain):
                return
            chain = (*chain, *_read_rules(folder, folder / ".gitignore"))
        self._chains[self._root] = chain


def _read_rules(folder: Path, file: Path) -> tuple[tuple[Path, GitIgnoreSpec], ...]:
    try:
        lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ()
    return ((folder, GitIgnoreSpec.from_lines(lines)),)


def _is_ignored(path: Path, chain: Sequence[tuple[Path, GitIgnoreSpec]]) -> bool:
    slash = "/" if path.is_dir() and not path.is_symlink() else ""
    for folder, rules in reversed(chain):
        verdict = rules.check_file(path.relative_to(folder).as_posix() + slash).include
        if verdict is not None:
            return verdict
    return False
