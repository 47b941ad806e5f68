"""The manifest: every object of a job with its role, size and digest, and how to call the function.

Its own digest stands in the CreateTrainingJob request, which nobody can change afterwards, so what it names can be
trusted once it matches. No name, no time, no machine is in it, and equal calls have equal manifests, but for those
whose hosts need a key of their own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sm_remote import __version__
from sm_remote.wire.digest import BlobRef
from sm_remote.wire.layout import LAYER_CHANNEL

FORMAT = 1

RUNTIME = "runtime"
FUNCTION = "function"
ARGUMENTS = "arguments"
BUFFER = "buffer"
SOURCE = "source"
LAYER_ARCHIVE = "layer_archive"
WORKDIR = "working_directory"
"""A tar of the user's working directory: the function's current directory in the job."""
PRE_EXECUTION = "pre_execution"
"""JSON ``{"commands": [...]}`` or ``{"name": ..., "script": text}``: what a shell runs before the function."""
INSTALL = "install"
"""JSON: requirements that the job itself installs, because they can only be built there, and its time for that."""
SOURCE_TEXTS = "source_texts"
"""JSON ``{filename: text}`` of code that is in no file (notebook cells), for tracebacks and ``inspect.getsource``."""

HOSTS_KEY = "hosts_key"
"""Random bytes by which the hosts of a job know each other, where one starts programs on the others (mpirun)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestObject:
    """One object of a job and what it is there for."""

    role: str
    ref: BlobRef


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a job is made of.

    Attributes:
        objects: All its objects; several may have the role ``buffer`` or ``source``.
        python: The minor version that pickled the function, like ``3.11``.
        function_name: For messages.
        call: ``plain``, or ``async`` for a coroutine function, which ``asyncio.run`` runs.
        layer_key: Names the installed packages that the layer channel holds, or None where there is no such channel.
        requirements: What those packages are, like ``pandas==3.0.0``; for people.
        source_roots: Folders of each source archive that go on ``sys.path``, relative to it.
        sm_remote: The version that wrote it.
    """

    objects: tuple[ManifestObject, ...]
    python: str
    function_name: str
    call: str = "plain"
    layer_key: str | None = None
    requirements: tuple[str, ...] = ()
    source_roots: tuple[str, ...] = (".",)
    sm_remote: str = __version__

    def to_json(self) -> bytes:
        """The canonical form: sorted keys, no spaces, UTF-8."""
        content = {
            "format": FORMAT,
            "sm_remote": self.sm_remote,
            "python": self.python,
            "call": self.call,
            "function_name": self.function_name,
            "objects": [
                {"role": each.role, "sha256": each.ref.digest, "size": each.ref.size_bytes} for each in self.objects
            ],
            "layer": None if self.layer_key is None else {"channel": LAYER_CHANNEL, "key": self.layer_key},
            "requirements": list(self.requirements),
            "source_roots": list(self.source_roots),
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: It is no manifest, or one of another format.
        """
        content = json.loads(data)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"not a manifest of format {FORMAT}")
        try:
            return cls._from_content(content)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the manifest lacks something: {error}") from error

    @classmethod
    def _from_content(cls, content: dict[str, Any]) -> Manifest:
        layer = content["layer"]
        return cls(
            objects=tuple(
                ManifestObject(role=each["role"], ref=BlobRef(digest=each["sha256"], size_bytes=each["size"]))
                for each in content["objects"]
            ),
            python=content["python"],
            function_name=content["function_name"],
            call=content["call"],
            layer_key=None if layer is None else layer["key"],
            requirements=tuple(content["requirements"]),
            source_roots=tuple(content["source_roots"]),
            sm_remote=content["sm_remote"],
        )

    def all(self, role: str) -> tuple[BlobRef, ...]:
        """The objects of a role, in the manifest's order."""
        return tuple(each.ref for each in self.objects if each.role == role)

    def one(self, role: str) -> BlobRef:
        """The only object of a role.

        Raises:
            LookupError: There is none, or more than one.
        """
        found = self.all(role)
        if len(found) != 1:
            raise LookupError(f"the manifest names {len(found)} objects of role {role!r}, not one")
        return found[0]
