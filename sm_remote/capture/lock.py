"""What a job's environment is, to the last version: the same lock, Python and platform give the same layer.

A lock is data for people, for `job.lock` and for the layer's key. It holds no credentials, no path of this machine
and no time, so equal environments have equal locks on every machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

FORMAT = 1
KEY_LENGTH = 32


class Source(str, Enum):
    """Where the files of a package come from."""

    INSTALLED = "installed"
    """The files that are installed for this process."""
    INDEX = "index"
    """A package index, a repository or a URL, by uv."""
    WHEEL = "wheel"
    """A wheel that was built on the fly, since no index has the package."""
    IMAGE = "image"
    """The job's image has it already; it is in no layer."""
    JOB = "job"
    """The job installs it itself, as it can only be built there; it is in no layer."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class LockedPackage:
    """One package, exactly.

    Attributes:
        name: As indexes compare it (PEP 503).
        version: Exact.
        source: Where its files come from.
        digest: SHA-256 of the installed package's RECORD or of the wheel that was built; empty for an index's.
        url: Where it is had, when it is named by a URL instead of an index; without credentials.
    """

    name: str
    version: str
    source: Source
    digest: str = ""
    url: str = ""

    @property
    def pin(self) -> str:
        """As a requirement: ``numpy==2.4.6``."""
        return f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """An environment.

    Attributes:
        packages: Sorted by name.
        python: The job's minor version, such as ``3.11``.
        platform: The job's, as uv names it or as `sysconfig.get_platform` does.
        indexes: Where packages are looked for, as far as it was set, without credentials.
    """

    packages: tuple[LockedPackage, ...] = ()
    python: str = ""
    platform: str = ""
    indexes: tuple[str, ...] = ()

    @property
    def pins(self) -> tuple[str, ...]:
        """All packages as requirements, those of the image included."""
        return tuple(one.pin for one in self.packages)

    @property
    def carried(self) -> tuple[LockedPackage, ...]:
        """The packages that the layer holds."""
        return tuple(one for one in self.packages if one.source not in (Source.IMAGE, Source.JOB))

    @property
    def layer_key(self) -> str:
        """The key of the layer: equal for equal packages, Python and platform, whatever the image has besides."""
        text = _write([FORMAT, self.python, self.platform, self.indexes, [_to_row(one) for one in self.carried]])
        return hashlib.sha256(b"sm_remote/layer/v2\0" + text).hexdigest()[:KEY_LENGTH]

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return hashlib.sha256(self.to_json()).hexdigest()

    def find(self, name: str) -> LockedPackage | None:
        """A package by its normalised name."""
        return next((one for one in self.packages if one.name == name), None)

    def to_json(self) -> bytes:
        """The canonical form: sorted keys, no spaces, UTF-8."""
        return _write(
            {
                "format": FORMAT,
                "python": self.python,
                "platform": self.platform,
                "indexes": list(self.indexes),
                "packages": [_to_row(one) for one in self.packages],
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> Lock:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: It is no lock, or one of another format.
        """
        content = json.loads(data)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"not a lock of format {FORMAT}")
        try:
            packages = [LockedPackage(**{**row, "source": Source(row["source"])}) for row in content["packages"]]
            return cls(
                packages=tuple(packages),
                python=content["python"],
                platform=content["platform"],
                indexes=tuple(content["indexes"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the lock lacks something: {error}") from error


def build_lock(packages: Iterable[LockedPackage], *, python: str, platform: str, indexes: Iterable[str] = ()) -> Lock:
    """Puts packages in order."""
    return Lock(packages=tuple(sorted(packages)), python=python, platform=platform, indexes=tuple(indexes))


def _to_row(one: LockedPackage) -> dict[str, str]:
    row = {"name": one.name, "version": one.version, "source": one.source.value}
    return {**row, **{key: value for key, value in (("digest", one.digest), ("url", one.url)) if value}}


def _write(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
