"""The installed distributions that a function needs: those of the modules it reaches, and what they require."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sm_remote.capture.distributions import (
    OWN_DISTRIBUTION,
    Distribution,
    Index,
    normalise,
    providers_of,
    read_index,
)
from sm_remote.capture.modules import Located

COMPANIONS: Mapping[str, tuple[str, ...]] = {"torch": ("numpy",)}
"""What distributions use wherever it is installed, and do not declare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """Distributions to carry, sorted by name, and why each is carried."""

    distributions: tuple[Distribution, ...] = ()
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def pins(self) -> tuple[str, ...]:
        """The exact versions, as requirements."""
        return tuple(one.pin for one in self.distributions)


def find_environment(installed: Mapping[str, Located], why: Mapping[str, str]) -> Environment:
    """Finds the distributions of installed modules and, through their metadata, all that these require.

    Args:
        installed: The modules that a function reaches, by dotted name.
        why: The reason for each.
    """
    if not installed:
        return Environment()
    index = read_index()
    roots: dict[str, str] = {}
    for name, module in installed.items():
        for provider in providers_of(name, module.file, index):
            if provider.key != OWN_DISTRIBUTION:
                roots.setdefault(provider.key, f"{name}: {why.get(name, 'imported')}")
    reasons = close_over_requirements(roots, index)
    chosen = tuple(index.by_name[key] for key in sorted(reasons))
    return Environment(distributions=tuple(one for one in chosen if one.editable_root is None), why=reasons)


def close_over_requirements(roots: Mapping[str, str], index: Index) -> dict[str, str]:
    """Adds what distributions require here, as far as it is installed; extras only where a requirement asks for them.

    Returns:
        The reason for each distribution, by normalised name.
    """
    reasons = dict(roots)
    todo = [(key, "") for key in roots]
    seen = set(todo)
    while todo:
        key, extra = todo.pop()
        companions = ((name, ()) for name in COMPANIONS.get(key, ()) if not extra)
        for name, extras in (*_requirements(index.by_name[key], extra), *companions):
            if name not in index.by_name or name == OWN_DISTRIBUTION:
                continue
            reasons.setdefault(name, f"required by {index.by_name[key].name}")
            for each in ((name, one) for one in ("", *extras)):
                if each not in seen:
                    seen.add(each)
                    todo.append(each)
    return reasons


def _requirements(distribution: Distribution, extra: str) -> Iterable[tuple[str, tuple[str, ...]]]:
    return _parse_requirements(distribution.requires, extra)


@functools.lru_cache(maxsize=2048)
def _parse_requirements(lines: tuple[str, ...], extra: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for line in lines:
        try:
            one = Requirement(line)
        except InvalidRequirement:
            continue  # metadata of old packages: pip warns and goes on too
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            found.append((normalise(one.name), tuple(sorted(one.extras))))
    return tuple(found)
