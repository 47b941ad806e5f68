"""`job.lock`: what a job was made of, in one JSON object beside its outputs, so that it can be repeated and compared.

It holds no value of an environment variable, which may be a secret, and no data: digests, versions, settings.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from itertools import islice
from typing import Any

from sm_remote import __version__
from sm_remote.aws.ecr_uri import parse_ecr_uri
from sm_remote.capture.call import CapturedCall
from sm_remote.capture.interpreter import describe_interpreter
from sm_remote.errors import RemoteError
from sm_remote.image.definition import Image
from sm_remote.jobs.connection import Connection
from sm_remote.settings import ResolvedSettings
from sm_remote.settings.schema import NAMES
from sm_remote.spec import TrainingJobSpec
from sm_remote.storage import Store
from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.storage.store import ObjectInfo, parse_s3_uri
from sm_remote.wire import manifest as roles
from sm_remote.wire.layout import CHANNEL, LAYER_CHANNEL

logger = logging.getLogger("sm_remote")

FORMAT = 1
_MOST_OBJECTS = 100_000
_SEED = re.compile(r"seed|random_state", re.IGNORECASE)
_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")

JobLock = Mapping[str, Any]


def lock_key(job_name: str) -> str:
    """Where a job's lock lies, below its S3OutputPath."""
    return f"{job_name}/job.lock.json"


def build_lock(
    spec: TrainingJobSpec, captured: CapturedCall, settings: ResolvedSettings, *, image_digest: str = ""
) -> dict[str, Any]:
    """What is known of a job when it is submitted; `write_lock` adds the state of its input data."""
    manifest = captured.manifest
    code = [manifest.one(roles.FUNCTION).digest, *(ref.digest for ref in manifest.all(roles.SOURCE))]
    return {
        "format": FORMAT,
        "job": spec.name,
        "target": settings.target,
        "sm_remote": __version__,
        "python": describe_interpreter().version,
        "manifest": captured.manifest_ref.digest,
        "code": {
            "function": manifest.function_name,
            "hash": hashlib.sha256("\n".join(code).encode()).hexdigest(),
            "objects": code,
        },
        "arguments": manifest.one(roles.ARGUMENTS).digest,
        "environment": _describe_environment(captured),
        "image": _describe_image(spec, settings, image_digest),
        "instance": dataclasses.asdict(spec.resources),
        "seeds": find_seeds(spec),
        "settings": dict(_list_settings(settings, spec)),
    }


def _describe_environment(captured: CapturedCall) -> dict[str, Any]:
    manifest = captured.manifest
    archive = manifest.all(roles.LAYER_ARCHIVE)
    return {
        "layer": manifest.layer_key,
        "archive": archive[0].digest if archive else None,
        "requirements": list(manifest.requirements),
        "lock": captured.lock.digest,
        "packages": [
            {"name": one.name, "version": one.version, "source": str(one.source), "digest": one.digest or None}
            for one in captured.lock.packages
        ],
    }


def _describe_image(spec: TrainingJobSpec, settings: ResolvedSettings, digest: str) -> dict[str, Any]:
    found = _DIGEST.search(spec.image_uri)
    written = settings.image_uri
    return {
        "uri": spec.image_uri,
        "digest": found[1] if found else digest or None,
        "definition": str(written) if isinstance(written, Image) else None,
    }


def find_seeds(spec: TrainingJobSpec) -> dict[str, str | None]:
    """What can be told from outside of where randomness starts; what the function itself sets is in its code."""
    named = {name: value for name, value in spec.hyperparameters.items() if _SEED.search(name)}
    return {"PYTHONHASHSEED": spec.environment.get("PYTHONHASHSEED"), **named}


def _list_settings(settings: ResolvedSettings, spec: TrainingJobSpec) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in NAMES:
        value = settings.value(name)
        if name == "environment_variables":
            value = sorted(value)
        elif name == "inputs":
            value = _list_inputs(spec)  # where the data is stored: what was given may be the data itself
        elif isinstance(value, Mapping):
            value = dict(value)
        elif not isinstance(value, (str, int, float, list, tuple, type(None))):
            value = str(value)
        yield name, {"value": value, "origin": settings.origin(name)}


def _list_inputs(spec: TrainingJobSpec) -> dict[str, str]:
    """Where the data of each channel of the user's is."""
    return {
        one.name: one.s3_uri or one.dataset_arn or (one.file_system.id if one.file_system else "")
        for one in spec.channels
        if one.name not in (CHANNEL, LAYER_CHANNEL)
    }


class LockRelay:
    """Has the locks of a call's later jobs wait for the first one's, of which they are made.

    A job may have ended, and another may go on with its work, before its lock is stored.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_expected = False
        self._waiting: list[Callable[[], None]] = []

    def expect(self) -> None:
        """The first lock is on its way: `pass_on` waits for `arrive`."""
        self._is_expected = True

    def arrive(self) -> None:
        """The first lock is stored, or never will be: does what has waited for it."""
        with self._mutex:
            self._is_expected = False
            waiting, self._waiting = self._waiting, []
        for each in waiting:
            each()

    def pass_on(self, store: Callable[[], None]) -> None:
        """Stores a later lock: now, or as soon as the first one is there."""
        with self._mutex:
            if self._is_expected:
                self._waiting.append(store)
                return
        store()


def send_lock(lock: JobLock, spec: TrainingJobSpec, connection: Connection, relay: LockRelay) -> None:
    """Stores the lock of a job that was just created: at once where that is quick, else while the job starts."""
    store = connection.open_store(spec.output_uri)
    inputs = {name: uri for name, uri in _list_inputs(spec).items() if uri.startswith("s3://")}

    def send() -> None:
        try:
            write_lock(lock, inputs, store, connection)
        finally:
            relay.arrive()

    if isinstance(store, EmbeddedStore) and not inputs:
        send()
        return
    # Not a daemon: a program that submits and ends waits for its lock.
    threading.Thread(target=send, name=f"sm_remote-lock-{spec.name}").start()


def write_lock(lock: JobLock, inputs: Mapping[str, str], store: Store, connection: Connection) -> None:
    """Stores a lock. What goes wrong is said and costs nothing else: the job is on its way."""
    try:
        data = {name: describe_data(uri, connection) for name, uri in inputs.items()}
        image = {**lock["image"], "digest": lock["image"]["digest"] or find_image_digest(lock, connection)}
        content = {
            **lock,
            "image": image,
            "data": data,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        store.put_if_absent(lock_key(lock["job"]), json.dumps(content, sort_keys=True).encode())
    except (RemoteError, OSError) as error:
        logger.warning("The lock of %s could not be stored: %s", lock["job"], error)


def place_lock(lock: JobLock, instance_type: str) -> JobLock:
    """The lock of a job that was created on another instance type than it was meant for."""
    return {**lock, "instance": {**lock["instance"], "instance_type": instance_type}} if instance_type else lock


def hand_on_lock(earlier: str, job_name: str, output_uri: str, instance_type: str, connection: Connection) -> None:
    """Stores the lock of a job that goes on with another's work: it is made of the same."""
    try:
        lock = read_lock(earlier, output_uri, connection)
        if lock is not None:
            content = {**place_lock(lock, instance_type), "job": job_name, "continues": earlier}
            store = connection.open_store(output_uri)
            store.put_if_absent(lock_key(job_name), json.dumps(content, sort_keys=True).encode())
    except (RemoteError, OSError, ValueError) as error:
        logger.warning("The lock of %s could not be stored: %s", job_name, error)


def find_image_digest(lock: JobLock, connection: Connection) -> str | None:
    """The digest of an image in ECR, which a tag may name another image by tomorrow; None where it cannot be told."""
    found = parse_ecr_uri(lock["image"]["uri"])
    session = connection.training_jobs.session
    if connection.target != "sagemaker" or found is None or found.region != session.region:
        return None
    try:
        from sm_remote.aws.registry import Registry  # loads botocore, which only a job on AWS needs here

        registry = Registry(session.client("ecr"), found.account)
        return registry.find_digest(found.repository, found.tag)
    except RemoteError as error:
        logger.debug("The digest of %s is not known: %s", lock["image"]["uri"], error)
        return None


def describe_data(uri: str, connection: Connection) -> dict[str, Any]:
    """The state of an input: how much it is, and a digest over the names and ETags of its objects."""
    bucket, _ = parse_s3_uri(uri)
    prefix = uri.removeprefix(f"s3://{bucket}").lstrip("/")
    try:
        found = list(islice(connection.open_store(f"s3://{bucket}").list(prefix), _MOST_OBJECTS + 1))
    except RemoteError as error:
        return {"uri": uri, "note": f"could not be listed: {error.what}"}
    listed = found[:_MOST_OBJECTS]
    note = {"note": f"the first {_MOST_OBJECTS} objects"} if len(found) > _MOST_OBJECTS else {}
    return {
        "uri": uri,
        "objects": len(listed),
        "size_bytes": sum(one.size_bytes for one in listed),
        "digest": _digest_objects(listed),
        **({"etag": listed[0].version} if len(listed) == 1 else {}),
        **note,
    }


def _digest_objects(found: list[ObjectInfo]) -> str:
    digest = hashlib.sha256()
    for one in found:
        digest.update(f"{one.key}\0{one.size_bytes}\0{one.version}\n".encode())
    return digest.hexdigest()


def read_lock(job_name: str, output_uri: str, connection: Connection) -> JobLock | None:
    """A job's lock; None for one that has none, such as one that others created."""
    store = connection.open_store(output_uri)
    key = lock_key(job_name)
    if store.head(key) is None:
        return None
    content = json.loads(store.get(key))
    return content if isinstance(content, dict) and content.get("format") == FORMAT else None
