"""The checkpoints that have arrived in S3: what an interruption cannot take away any more."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sm_remote.checkpoints.layout import MANIFEST, read_generation_number
from sm_remote.checkpoints.manifest import GenerationManifest
from sm_remote.checkpoints.owner import Owner
from sm_remote.errors import ConfigError, StorageError
from sm_remote.storage.store import NO_CREDENTIALS, ObjectInfo, Store

logger = logging.getLogger("sm_remote")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredGeneration:
    """A generation whose manifest is in S3.

    Attributes:
        prefix: Of its objects, below the store's root.
        manifest: Its manifest.
        whole: Whether all its objects are there, with the sizes that they should have.
    """

    prefix: str
    manifest: GenerationManifest
    whole: bool


def list_stored(store: Store) -> list[StoredGeneration]:
    """Lists the generations below a checkpoints' prefix, oldest first.

    Raises:
        StorageError: The store cannot be read.
    """
    objects = list(store.list(""))
    sizes = {each.key: each.size_bytes for each in objects}
    found = []
    for key in _find_manifests(objects):
        try:
            manifest = GenerationManifest.from_json(store.get(key))
        except (StorageError, ValueError, TypeError, KeyError):  # gone meanwhile, torn, or nothing of ours
            continue
        prefix = key.removesuffix(MANIFEST)
        whole = all(sizes.get(f"{prefix}{path}") == ref.size_bytes for path, ref in manifest.files.items())
        found.append(StoredGeneration(prefix=prefix, manifest=manifest, whole=whole))
    return sorted(found, key=lambda each: (each.manifest.saved_at, each.manifest.number))


def _find_manifests(objects: Iterable[ObjectInfo]) -> list[str]:
    keys = [each.key for each in objects if each.key.endswith(f"/{MANIFEST}")]
    return [key for key in keys if read_generation_number(key.split("/")[-2]) is not None]


def find_durable(stored: Sequence[StoredGeneration], job_name: str) -> GenerationManifest | None:
    """The newest whole generation that a job saved; None without one."""
    own = [each.manifest for each in stored if each.whole and each.manifest.job == job_name]
    return own[-1] if own else None


def tear_newest(store: Store, chance: random.Random) -> bool:
    """Leaves of the newest generation what could have arrived of it: some objects, one of them perhaps cut off.

    For fire-drills. The last whole generation is left as it is.

    Returns:
        Whether there was one to tear.
    """
    whole = [each for each in list_stored(store) if each.whole]
    if len(whole) < 2:
        return False
    newest = whole[-1]
    keys = [f"{newest.prefix}{path}" for path in (*newest.manifest.files, MANIFEST)]
    chance.shuffle(keys)
    gone = keys[: chance.randrange(1, len(keys) + 1)]
    cut_off = chance.random() < 0.5
    content = store.get(gone[0]) if cut_off else b""
    for key in gone:
        store.delete(key)
    if cut_off:
        store.put_if_absent(gone[0], content[: chance.randrange(len(content))])
    return True


def check_place(uri: str, owner: Owner | None, *, open_store: Callable[[str], Store], is_local: bool) -> None:
    """Looks at the place for a job's checkpoints before the job is sent.

    Args:
        uri: The place.
        owner: Whose checkpoints the job would take up; None for a job that begins anew.
        open_store: Opens the store below a URI.
        is_local: Whether the job runs here: then this machine's credentials have to do, not those of a role.

    Raises:
        ConfigError: The checkpoints are another function's, or cannot be kept there.
    """
    try:
        stored = list_stored(open_store(uri))
    except StorageError as error:
        if is_local and error.facts.get("code") == NO_CREDENTIALS:
            raise ConfigError(
                f"Checkpoints cannot be kept at {uri}: this machine has no AWS credentials; nothing was sent.",
                why="The checkpoints of a local job are kept in step with S3 from here.",
                fix="Run `aws configure` or `aws sso login`, or set AWS_PROFILE. Without checkpoint_s3_uri "
                "the checkpoints of local jobs are kept on this machine.",
                uri=uri,
            ) from error
        if owner is not None:  # the job's role may read what this process may not
            logger.warning("Whether %s holds another function's checkpoints cannot be seen from here: %s", uri, error)
        return
    if owner is not None:
        refuse_foreign(stored, owner, uri)


def refuse_foreign(stored: Sequence[StoredGeneration], owner: Owner, uri: str) -> None:
    """Makes sure that a prefix holds no other function's checkpoints, and none of one from elsewhere as the newest.

    Raises:
        ConfigError: It does.
    """
    for each in stored:
        if owner.is_other_function(each.manifest.owner):
            raise _describe_foreign(each.manifest, owner, uri, "")
    if stored and owner.is_other_home(stored[-1].manifest.owner):
        offer = " Where it is the same function, moved: resume=True takes them up."
        raise _describe_foreign(stored[-1].manifest, owner, uri, offer)


def _describe_foreign(found: GenerationManifest, owner: Owner, uri: str, offer: str) -> ConfigError:
    other = found.owner
    return ConfigError(
        f"{uri} holds checkpoints of another function, {other.describe(owner)}; this is {owner.describe(other)}. "
        "Nothing was sent.",
        why=f"{found.job} saved {found.name!r} there; a job would take it up as its own.",
        fix=f"Name another checkpoint_s3_uri, or begin anew beside them with resume=False.{offer}",
        function=other.function,
        uri=uri,
    )


def describe_durable(durable: GenerationManifest | None, *, now: float) -> str:
    """How much work an interruption would cost now, in words.

    Args:
        durable: From `find_durable`.
        now: Seconds since the epoch.
    """
    if durable is None:
        return "no durable checkpoint yet; if interrupted now you lose all of it"
    age = spell_age(max(0.0, now - durable.saved_at))
    step = "" if durable.step is None else f" (step {durable.step})"
    return f"last durable checkpoint{step} {age} ago; if interrupted now you lose {age}"


def spell_age(seconds: float) -> str:
    """``42 s``, ``3 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
