"""What a generation is made of, and which run made it. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sm_remote.checkpoints.owner import Owner
from sm_remote.wire.digest import BlobRef

_FORMAT = 1
MOST_OPENINGS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """One process of a job that opened the checkpoint; an attempt after an interruption is another.

    Attributes:
        at: When, in seconds since the epoch.
        resumed_at: When what it resumed from had been saved; None where it began anew.
        step: At which step that was.
    """

    at: float
    resumed_at: float | None
    step: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationManifest:
    """A generation's manifest.

    Attributes:
        name: The checkpoint's, without its rank.
        number: Grows with each generation.
        function: Whose it is; None outside of a decorated function.
        job: The training job, or the run outside of one, that saved it.
        rank: Of the saving process, among ``ranks``.
        step: What `save` was told.
        metric: What `save` was told; None also for one that is no number.
        saved_at: Seconds since the epoch.
        saving_s: How long this save took, up to the manifest.
        saves: How many its process had saved, this one included.
        total_saving_s: How long these took.
        files: Digest and size of each file, by its path below the generation, with ``/``.
        home: The notebook or the module that the function is from; None where neither is known.
        openings: Every process of the job that opened the checkpoint, as far as what it resumed from knew of it.
    """

    name: str
    number: int
    function: str | None
    job: str
    rank: int
    ranks: int
    step: int | None
    metric: float | None
    saved_at: float
    saving_s: float
    saves: int
    total_saving_s: float
    files: Mapping[str, BlobRef]
    home: str | None = None
    openings: tuple[Opening, ...] = ()

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(function=self.function, home=self.home)

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(ref.size_bytes for ref in self.files.values())

    def to_json(self) -> bytes:
        """Spells it, sealed: a torn or altered manifest does not read as a shorter one."""
        content = {
            **asdict(self),
            "format": _FORMAT,
            "files": {path: [ref.digest, ref.size_bytes] for path, ref in self.files.items()},
            "openings": [[each.at, each.resumed_at, each.step] for each in self.openings[-MOST_OPENINGS:]],
        }
        return json.dumps({**content, "seal": _seal(content)}, sort_keys=True, indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes) -> GenerationManifest:
        """Reads what `to_json` made.

        Raises:
            ValueError: It is cut off, altered, of another format, or names a file outside of its directory.
        """
        try:
            content = json.loads(text)
            seal = content.pop("seal")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ValueError("its manifest is cut off or damaged") from error
        if seal != _seal(content):
            raise ValueError("its manifest is damaged")
        if content.pop("format") != _FORMAT:
            raise ValueError("its manifest is of another version of sm_remote")
        files = {path: BlobRef(digest=digest, size_bytes=size) for path, (digest, size) in content["files"].items()}
        if not all(_is_inside(path) for path in files):
            raise ValueError("its manifest names a file outside of it")
        openings = tuple(Opening(at=at, resumed_at=resumed, step=step) for at, resumed, step in content["openings"])
        return cls(**{**content, "files": files, "openings": openings})


def read_metric(metric: Any) -> float | None:
    """A number, also one of a framework's; nothing where it is none that can be compared."""
    if metric is None:
        return None
    number = float(metric)
    return None if math.isnan(number) else number


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _is_inside(path: str) -> bool:
    return bool(path) and not any(part in ("", ".", "..") for part in path.split("/"))
