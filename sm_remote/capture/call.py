"""Captures one call: pickles it, gathers what it needs, stores what the store lacks, and says how to start the job."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sm_remote.capture.archive import pack
from sm_remote.capture.dependencies import Dependencies
from sm_remote.capture.explanation import Item, list_items, list_workspace
from sm_remote.capture.interpreter import TargetPython, describe_interpreter
from sm_remote.capture.lock import Lock
from sm_remote.capture.packages import INSTALL_LIMIT_S, Packages, ensure_packages
from sm_remote.capture.plan import Plan, plan_call
from sm_remote.capture.preflight import check_call
from sm_remote.capture.surroundings import Surroundings
from sm_remote.capture.upload import Upload, upload_all
from sm_remote.capture.workspace import NOTHING_MORE, WorkspaceRequest, gather_workspace
from sm_remote.home import Home
from sm_remote.spec import Channel
from sm_remote.storage.store import Store
from sm_remote.wire import manifest as roles
from sm_remote.wire.digest import BlobRef, digest_bytes
from sm_remote.wire.launch import build_launch
from sm_remote.wire.layout import BLOBS, CHANNEL, LAYER_CHANNEL, manifest_key
from sm_remote.wire.manifest import Manifest, ManifestObject

__all__ = ["CapturedCall", "TargetPython", "capture_call"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CapturedCall:
    """A call that is stored and can be started as a training job any number of times.

    Attributes:
        function_name: What people call the function.
        manifest: Names every object of the job.
        manifest_ref: Its own digest.
        channels: The job's input channels.
        entrypoint: ContainerEntrypoint.
        arguments: ContainerArguments.
        uploaded_bytes: What the store did not have yet.
        items: What travels, and why.
        lock: The packages that the job has, exactly.
    """

    function_name: str
    manifest: Manifest
    manifest_ref: BlobRef
    channels: tuple[Channel, ...]
    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...]
    uploaded_bytes: int
    items: tuple[Item, ...]
    lock: Lock


def capture_call(
    func: object,
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
    *,
    store: Store,
    home: Home,
    dependencies: Dependencies,
    python: TargetPython,
    runtime: bytes,
    install_limit_s: float = INSTALL_LIMIT_S,
    workspace: WorkspaceRequest = NOTHING_MORE,
    environment: Mapping[str, str] | None = None,
    preflight: bool = False,
    conda_env: str | None = None,
    hosts_key: bytes = b"",
) -> CapturedCall:
    """Captures a call. Whatever can fail because of the function or its arguments fails before anything is stored.

    Args:
        func: Any callable but a generator function.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        store: Where the objects go.
        home: Whose cache is used.
        dependencies: ``"auto"``, None, a list of requirements or the path of a file that says them.
        python: The Python that will run the job.
        runtime: The zip that runs it.
        install_limit_s: How long the packages may take to be had, here and where the job installs some itself.
        workspace: What the job finds around the function.
        environment: The job's environment variables.
        preflight: Whether the call is proved before anything is stored.
        conda_env: The conda environment of the image that runs it.
        hosts_key: By which the job's hosts know each other; empty where none starts anything on another.

    Raises:
        TypeError: The arguments do not fit the function.
        CaptureError: Something cannot be pickled.
        PreflightFailed: A module would be missing in the job.
        ConfigError: The job's Python is another minor version, or ``dependencies`` or ``workspace`` is wrong.
        DependencyInstallFailed: A package cannot be had.
        StorageError: The store cannot be written.
    """
    with (
        plan_call(func, args, kwargs, home=home, dependencies=dependencies, python=python) as plan,
        gather_workspace(workspace, home, store) as gathered,
    ):
        packages = ensure_packages(plan, store=store, home=home, python=python, limit_s=install_limit_s)
        sources = pack(plan.sources) if plan.sources else b""
        if preflight:
            surroundings = Surroundings(
                python=python,
                runtime=runtime,
                layer=packages.directory,
                layer_key=packages.key,
                sources=sources,
                workdir_names=gathered.module_names,
                environment=environment or {},
                may_install=gathered.runs_commands or bool(packages.in_job),
            )
            check_call(plan, surroundings, home=home)
        uploads = _list_uploads(plan, packages, runtime, sources, install_limit_s)
        uploads += gathered.uploads
        if hosts_key:
            uploads.append(_upload_bytes(roles.HOSTS_KEY, hosts_key))
        manifest = _build_manifest(plan, packages, uploads)
        manifest_bytes = manifest.to_json()
        manifest_ref = _refer(manifest_bytes)
        uploads.append(Upload(role="manifest", ref=manifest_ref, source=manifest_bytes))
        written = upload_all(store, uploads)
        channel, channel_bytes = _put_channel(store, [upload.ref.digest for upload in uploads])
        entrypoint, arguments = build_launch(manifest.one(roles.RUNTIME), manifest_ref, conda_env=conda_env)
        return CapturedCall(
            function_name=plan.target.name,
            manifest=manifest,
            manifest_ref=manifest_ref,
            channels=(channel, *_layer_channels(store, packages)),
            entrypoint=entrypoint,
            arguments=arguments,
            uploaded_bytes=written + channel_bytes,
            lock=packages.lock,
            items=(*list_items(plan), *list_workspace(workspace, gathered.workdir)),
        )


def _list_uploads(
    plan: Plan, packages: Packages, runtime: bytes, sources: bytes, install_limit_s: float
) -> list[Upload]:
    uploads = [
        Upload(role=roles.RUNTIME, ref=_refer_runtime(runtime), source=runtime),
        Upload(role=roles.FUNCTION, ref=plan.function.ref(), source=plan.function.source()),
        Upload(role=roles.ARGUMENTS, ref=plan.arguments.ref(), source=plan.arguments.source()),
        *(Upload(role=roles.BUFFER, ref=ref, source=plan.buffers[ref.digest]) for ref in plan.external),
    ]
    if sources:
        uploads.append(_upload_bytes(roles.SOURCE, sources))
    if plan.texts:
        texts = json.dumps(plan.texts, sort_keys=True).encode()
        uploads.append(_upload_bytes(roles.SOURCE_TEXTS, texts))
    if packages.in_job:
        wanted = {"requirements": packages.in_job, "limit_s": install_limit_s}
        uploads.append(_upload_bytes(roles.INSTALL, json.dumps(wanted).encode()))
    if packages.archive is not None:
        ref, path = packages.archive
        uploads.append(Upload(role=roles.LAYER_ARCHIVE, ref=ref, source=path))
    return uploads


def _upload_bytes(role: str, data: bytes) -> Upload:
    return Upload(role=role, ref=_refer(data), source=data)


def _refer(data: bytes) -> BlobRef:
    return BlobRef(digest=digest_bytes(data), size_bytes=len(data))


@functools.lru_cache(maxsize=4)
def _refer_runtime(runtime: bytes) -> BlobRef:
    return _refer(runtime)


def _build_manifest(plan: Plan, packages: Packages, uploads: list[Upload]) -> Manifest:
    version = describe_interpreter().version
    return Manifest(
        objects=tuple(ManifestObject(role=upload.role, ref=upload.ref) for upload in uploads),
        python=".".join(version.split(".")[:2]),
        function_name=plan.target.name,
        call=plan.target.call,
        layer_key=packages.key if packages.archive is None else None,
        requirements=packages.requirements,
    )


def _put_channel(store: Store, digests: list[str]) -> tuple[Channel, int]:
    """Stores the list of the channel's objects, as SageMaker reads it. Source: API_S3DataSource, ManifestFile."""
    listing = [{"prefix": store.uri(f"{BLOBS}/")}, *dict.fromkeys(digests)]
    data = json.dumps(listing, separators=(",", ":")).encode()
    key = manifest_key(hashlib.sha256(data).hexdigest())
    written = len(data) if store.head(key) is None and store.put_if_absent(key, data) else 0
    return Channel(name=CHANNEL, s3_uri=store.uri(key), s3_data_type="ManifestFile"), written


def _layer_channels(store: Store, packages: Packages) -> tuple[Channel, ...]:
    if packages.key is None or packages.archive is not None:
        return ()
    return (Channel(name=LAYER_CHANNEL, s3_uri=f"{store.uri(packages.prefix)}/"),)
