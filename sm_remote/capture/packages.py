"""Makes sure that the packages a call needs are where its job will find them: a mounted layer, or an archive of one."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sm_remote.capture.fitting import TargetPlatform, find_platform
from sm_remote.capture.interpreter import TargetPython
from sm_remote.capture.lock import Lock
from sm_remote.capture.plan import Plan
from sm_remote.capture.warn_once import warn_once
from sm_remote.errors import CaptureError, DependencyInstallFailed
from sm_remote.home import Home, make_private, write_private
from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.storage.store import Store
from sm_remote.wire.digest import BlobRef
from sm_remote.wire.layout import LAYERS

if TYPE_CHECKING:
    from sm_remote.capture.choice import Choice, Pin

_logger = logging.getLogger("sm_remote")

INSTALL_LIMIT_S = 900.0
"""How long the packages of a call may take to be had, unless the caller says otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packages:
    """Where a job's packages are.

    Attributes:
        key: The layer's; None where no packages are carried.
        directory: The layer itself, on this machine.
        lock: The whole environment, what the image brings included.
        archive: The layer as one object, where the store is none that jobs can mount from.
        in_job: Requirements that only the job itself can install, because they must be built there.
    """

    key: str | None = None
    directory: Path | None = None
    lock: Lock = field(default_factory=Lock)
    archive: tuple[BlobRef, Path] | None = None
    in_job: tuple[str, ...] = ()

    @property
    def requirements(self) -> tuple[str, ...]:
        """All packages, exactly, for people."""
        return self.lock.pins

    @property
    def prefix(self) -> str:
        """The layer's key in the store."""
        return f"{LAYERS}/{self.key}"


def ensure_packages(plan: Plan, *, store: Store, home: Home, python: TargetPython, limit_s: float) -> Packages:
    """Makes the layer that a plan asks for, unless it is there.

    Args:
        plan: Of the call.
        store: Where the job gets its objects from.
        home: Whose caches are used.
        python: The job's.
        limit_s: How long one run of the installer may take.

    Raises:
        ConfigError: The image has a framework in another version.
        CaptureError: An installed package is incomplete.
        DependencyInstallFailed: A package cannot be had.
    """
    if plan.requirements is None and not plan.environment.distributions and not plan.environment.editable:
        return Packages()
    began = time.monotonic()
    packages = _ensure(plan, store, home, python, limit_s)
    carried = len(packages.lock.carried)
    _logger.info(
        "Environment of %s: %d package%s, %s, in %.2f s",
        plan.target.name,
        len(packages.lock.packages),
        "" if len(packages.lock.packages) == 1 else "s",
        f"{carried} of them in the layer {packages.key[:12]}" if packages.key else "none of them in a layer",
        time.monotonic() - began,
    )
    return packages


def _ensure(plan: Plan, store: Store, home: Home, python: TargetPython, limit_s: float) -> Packages:
    make_private(home.cache)
    mounts = isinstance(store, EmbeddedStore)
    target = find_platform(python, store_is_local=mounts)
    choice = _choose(plan, home, python, target, limit_s)
    if not choice.lock.carried:
        return Packages(lock=choice.lock)
    layers = home.cache / LAYERS
    if isinstance(store, EmbeddedStore):
        make_private(home.store)
        layers = store.local_path(LAYERS)
    return _build(choice, layers, home, python, target, limit_s, mounts=mounts)


def _choose(plan: Plan, home: Home, python: TargetPython, target: TargetPlatform, limit_s: float) -> Choice:
    if plan.requirements is not None:
        from sm_remote.capture.named_set import choose_named

        return choose_named(plan.requirements, python=python, target=target, cache=home.cache, limit_s=limit_s)
    from sm_remote.capture.installed_set import choose_installed

    return choose_installed(
        plan.environment, python=python, target=target, cache=home.cache / "wheels", limit_s=limit_s
    )


def _build(
    choice: Choice,
    layers: Path,
    home: Home,
    python: TargetPython,
    target: TargetPlatform,
    limit_s: float,
    *,
    mounts: bool,
) -> Packages:
    from sm_remote.capture.bytecode import BYTECODE, compile_in_background, compile_now
    from sm_remote.capture.layer_archive import refer_to_archive, write_layer_archive

    choice, in_job, directory = make_layer(choice, layers, home, python, target, limit_s)
    key = choice.lock.layer_key
    if directory is None:
        return Packages(lock=choice.lock, in_job=in_job)
    if mounts:
        compile_in_background(directory, home.cache / BYTECODE)
        return Packages(key=key, directory=directory, lock=choice.lock, in_job=in_job)
    # An archive cannot grow: it is made once, for every job, so it waits for the bytecode.
    compile_now(directory, home.cache / BYTECODE)
    archive = write_layer_archive(directory, home.cache / "archives" / f"{key}.tar")
    return Packages(
        key=key,
        directory=directory,
        lock=choice.lock,
        archive=(refer_to_archive(archive), archive),
        in_job=in_job,
    )


def make_layer(
    choice: Choice, layers: Path, home: Home, python: TargetPython, target: TargetPlatform, limit_s: float
) -> tuple[Choice, tuple[str, ...], Path | None]:
    """Makes the layer of a choice, giving up on nothing that has another way.

    Returns:
        The choice as it was carried out, what only the job itself can install, and the layer's directory.

    Raises:
        DependencyInstallFailed: A package cannot be had in any way.
    """
    from sm_remote.capture.installer import LOCK_FILE, CannotBuildHere, fill_layer
    from sm_remote.capture.layer import publish_layer, retire_altered_layer, retire_partial_layer

    in_job: tuple[str, ...] = ()
    while True:
        if not choice.lock.carried or not (choice.linked or choice.fetched or choice.wheels):
            return choice, in_job, None
        layer = layers / choice.lock.layer_key
        kept = _find_kept(choice, layers) if choice.altered and not layer.is_dir() else None
        if kept is not None:
            _say_kept(choice, "the last time no index had it")
            choice = kept
            continue
        known = _recall_unbuildable(choice, home)
        if known is not None and python.can_install:
            choice, in_job = choice.without(known), (*in_job, known.line)
            continue
        retire_partial_layer(layer, LOCK_FILE)
        retire_altered_layer(layer, choice.linked)
        try:
            made = publish_layer(
                layer,
                lambda folder, choice=choice: fill_layer(  # type: ignore[misc]
                    choice,
                    folder,
                    python=python.minor,
                    platform=target,
                    has_gpu=python.has_gpu,
                    limit_s=limit_s,
                ),
            )
            return choice, in_job, made
        except CannotBuildHere as error:
            failing = _find_unbuildable(choice, error, python)
            make_private(home.cache / "unbuildable")
            write_private(home.cache / "unbuildable" / choice.lock.layer_key, failing.name)
            choice, in_job = choice.without(failing), (*in_job, failing.line)
        except DependencyInstallFailed as error:
            if not choice.altered:
                raise
            _say_kept(choice, error.what)
            choice = choice.keep_altered()


def _find_kept(choice: Choice, layers: Path) -> Choice | None:
    """The choice with altered packages as they are here, where its layer was made before."""
    try:
        kept = choice.keep_altered()
    except CaptureError:  # files of them are gone, which an index may replace
        return None
    return kept if (layers / kept.lock.layer_key).is_dir() else None


def _say_kept(choice: Choice, reason: str) -> None:
    names = ", ".join(one.pin for one in choice.altered)
    warn_once("", "%s cannot be had as released (%s): the job gets the altered files.", names, reason)


def _find_unbuildable(choice: Choice, error: DependencyInstallFailed, python: TargetPython) -> Pin:
    """The package that is left to the job; the error, where that is no way out."""
    failing = next((pin for pin in choice.fetched if pin.line == error.facts.get("requirement")), None)
    # What the job installs is stored for it: a URL may hold credentials.
    if failing is None or failing.url or not python.can_install:
        raise error
    _logger.warning(
        "%s has no wheel for the job's platform and cannot be built here: the job builds it, at every start.",
        failing.name,
    )
    return failing


def _recall_unbuildable(choice: Choice, home: Home) -> Pin | None:
    """The package of this very set that could not be built here before."""
    if not choice.fetched:
        return None
    try:
        name = (home.cache / "unbuildable" / choice.lock.layer_key).read_text()
    except OSError:
        return None
    return next((pin for pin in choice.fetched if pin.name == name), None)
