"""From verified blobs to a function and its arguments. Every object is checked before any is used."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from sm_remote.errors import CorruptBlob
from sm_remote.runtime.archives import unpack
from sm_remote.runtime.packages import provide_installed, provide_unpacked
from sm_remote.runtime.workspace import enter_workspace
from sm_remote.wire import manifest as roles
from sm_remote.wire.digest import BlobRef, digest_bytes, digest_file
from sm_remote.wire.layout import LAYER_CHANNEL, SECRET_PREFIX, blob_path, ml_path
from sm_remote.wire.manifest import Manifest
from sm_remote.wire.payload import load_value


class Call(NamedTuple):
    """What is to be run."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def load_call(manifest: Manifest, workspace: str) -> Call:
    """Verifies all objects, makes the shipped modules importable, and unpickles function and arguments.

    Raises:
        CorruptBlob: An object is not the one that the manifest names; nothing was unpacked or unpickled.
        JobFailed: A command that was to run first has failed, or a secret cannot be read.
        Exception: Whatever unpickling raises, as where a module is missing.
    """
    for each in manifest.objects:
        verify_blob(each.ref)
    has_secrets = any(name.startswith(SECRET_PREFIX) for name in os.environ)
    if has_secrets:
        from sm_remote.runtime.secrets import reveal_secrets, take_up  # only here: a job's start is short

        take_up()
    workdir = enter_workspace(manifest, workspace)
    extend_path(manifest, workspace, workdir)
    if has_secrets:
        reveal_secrets()
    for ref in manifest.all(roles.SOURCE_TEXTS):
        _remember_sources(blob_path(ref.digest))
    known = {ref.digest for ref in manifest.all(roles.BUFFER)}

    def find_buffer(digest: str) -> str:
        if digest not in known:
            raise CorruptBlob(f"A payload refers to the object {digest}, which the manifest does not name.")
        return blob_path(digest)

    function = load_value(blob_path(manifest.one(roles.FUNCTION).digest), find_buffer=find_buffer)
    args, kwargs = load_value(blob_path(manifest.one(roles.ARGUMENTS).digest), find_buffer=find_buffer)
    return Call(function, args, kwargs)


def read_manifest(digest: str) -> Manifest:
    """Reads the job's manifest and checks that it is the one that the request names.

    Raises:
        OSError: It cannot be read.
        ValueError: It is another, or none.
    """
    with open(blob_path(digest), "rb") as file:
        content = file.read()
    found = digest_bytes(content)
    if found != digest:
        raise ValueError(f"its digest is {found}, not {digest}")
    return Manifest.from_json(content)


def verify_blob(ref: BlobRef) -> None:
    """Checks an object's size and digest.

    Raises:
        CorruptBlob: It is absent, or not the one that was sent.
    """
    path = blob_path(ref.digest)
    try:
        size_bytes = os.path.getsize(path)
        found = digest_file(path) if size_bytes == ref.size_bytes else f"of {size_bytes} bytes"
    except OSError as error:
        raise CorruptBlob(f"The object {ref.digest} cannot be read in the job.", why=str(error)) from error
    if found != ref.digest:
        raise CorruptBlob(
            f"The object {ref.digest} is not the one that was sent, so nothing was run.",
            why=f"It should have {ref.size_bytes} bytes; what is there is {found}.",
            fix="Something altered it in the store. Send the call again, and look at who can write there.",
            digest=ref.digest,
        )


def extend_path(manifest: Manifest, workspace: str, workdir: str | None = None) -> None:
    """Makes the function's packages and the user's own modules importable, here and in processes started from here."""
    packages: list[str] = []
    if manifest.layer_key is not None:
        packages += add_packages(ml_path("input", "data", LAYER_CHANNEL))
    for number, ref in enumerate(manifest.all(roles.LAYER_ARCHIVE)):
        directory = os.path.join(workspace, f"packages{number}")
        packages += add_packages(provide_unpacked(blob_path(ref.digest), ref.digest, directory, unpack))
    for number, ref in enumerate(manifest.all(roles.INSTALL)):
        directory = os.path.join(workspace, f"installed{number}")
        packages += add_packages(provide_installed(blob_path(ref.digest), ref.digest, directory))
    sources: list[str] = []
    for number, ref in enumerate(manifest.all(roles.SOURCE)):
        directory = unpack(blob_path(ref.digest), os.path.join(workspace, f"source{number}"))
        sources += [os.path.normpath(os.path.join(directory, root)) for root in manifest.source_roots]
    if workdir is not None:
        sources.append(workdir)
    sys.path[1:1] = sources  # after the runtime itself, as the folder of a script would be
    if packages or sources:
        inherited = filter(None, [os.environ.get("PYTHONPATH")])
        os.environ["PYTHONPATH"] = os.pathsep.join([sys.path[0], *sources, *packages, *inherited])


def add_packages(directory: str) -> list[str]:
    """Adds a folder of installed packages as `site` would, but before those that came with the image."""
    import site

    before = len(sys.path)
    site.addsitedir(directory)
    added = sys.path[before:]
    del sys.path[before:]
    images_own = [
        position for position, entry in enumerate(sys.path) if entry.endswith(("site-packages", "dist-packages"))
    ]
    position = images_own[0] if images_own else len(sys.path)
    sys.path[position:position] = added
    return added


def _remember_sources(path: str) -> None:
    """Gives tracebacks and ``inspect`` the source of code that is in no file, as of notebook cells."""
    import json
    import linecache

    with open(path, encoding="utf-8") as file:
        texts: dict[str, str] = json.load(file)
    for filename, text in texts.items():
        # A modification time of None: linecache never looks for the file.
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
