"""The installed distributions that a function needs: those of the modules it reaches, and what they require."""

from __future__ import annotations

import functools
from collections.abc import Container, Iterable, Mapping
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
    """Distributions to carry, and why each is carried.

    Attributes:
        distributions: Sorted by name.
        why: The reason for each, by normalised name.
        roots: The normalised names of those whose modules the function itself reaches; the others are required by them.
        editable: Editable installs among what is required: a wheel is built of each that is not carried as source.
    """

    distributions: tuple[Distribution, ...] = ()
    why: Mapping[str, str] = field(default_factory=dict)
    roots: tuple[str, ...] = ()
    editable: tuple[Distribution, ...] = ()

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
    return collect_environment(roots, index)


def collect_environment(
    roots: Mapping[str, str], index: Index, *, stop: Container[str] = (), extras: Iterable[tuple[str, str]] = ()
) -> Environment:
    """The installed distributions of these names and of all that they require.

    Args:
        roots: Normalised names with the reason for each.
        index: What is installed.
        stop: Names whose own requirements are not followed.
        extras: Names with an extra that is asked for.
    """
    reasons = close_over_requirements(roots, index, stop=stop, extras=extras)
    chosen = [(index.by_name[key], index.by_name[key].editable_root) for key in sorted(reasons)]
    return Environment(
        distributions=tuple(one for one, root in chosen if root is None),
        why=reasons,
        roots=tuple(sorted(roots)),
        editable=tuple(one for one, root in chosen if root is not None),
    )


def close_over_requirements(
    roots: Mapping[str, str], index: Index, *, stop: Container[str] = (), extras: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """Adds what distributions require here, as far as it is installed; extras only where a requirement asks for them.

    Returns:
        The reason for each distribution, by normalised name.
    """
    reasons = dict(roots)
    todo = [*((key, "") for key in roots), *extras]
    seen = set(todo)
    while todo:
        key, extra = todo.pop()
        if key in stop:
            continue
        companions = ((name, ()) for name in COMPANIONS.get(key, ()) if not extra)
        for name, wanted in (*_requirements(index.by_name[key], extra), *companions):
            if name not in index.by_name or name == OWN_DISTRIBUTION:
                continue
            reasons.setdefault(name, f"required by {index.by_name[key].name}")
            for each in ((name, one) for one in ("", *wanted)):
                if each not in seen:
                    seen.add(each)
                    todo.append(each)
    return reasons


def unmet_requirements(distribution: Distribution, extra: str, index: Index) -> tuple[str, ...]:
    """What a distribution requires that is not installed here in a version that it accepts."""
    unmet = []
    for name, _, specifier in _parse_requirements(distribution.requires, extra):
        here = index.by_name.get(name)
        if here is None or (specifier and not _accepts(specifier, here.version)):
            unmet.append(f"{name}{specifier}")
    return tuple(unmet)


def unaccepted_requirements(distribution: Distribution, versions: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What a distribution requires in other versions than these: names, each with what is required of it."""
    return tuple(
        (name, specifier)
        for name, _, specifier in _parse_requirements(distribution.requires, "")
        if name in versions and specifier and not _accepts(specifier, versions[name])
    )


@functools.lru_cache(maxsize=4096)
def _accepts(specifier: str, version: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier).contains(version, prereleases=True)


def _requirements(distribution: Distribution, extra: str) -> Iterable[tuple[str, tuple[str, ...]]]:
    return ((name, extras) for name, extras, _ in _parse_requirements(distribution.requires, extra))


@functools.lru_cache(maxsize=2048)
def _parse_requirements(lines: tuple[str, ...], extra: str) -> tuple[tuple[str, tuple[str, ...], str], ...]:
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for line in lines:
        try:
            one = Requirement(line)
        except InvalidRequirement:
            continue  # metadata of old packages: pip warns and goes on too
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            found.append((normalise(one.name), tuple(sorted(one.extras)), str(one.specifier)))
    return tuple(found)
