"""Makes sure that the packages a call needs are where its job will find them: a mounted layer, or an archive of one."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from sm_remote.capture.installer import ensure_resolved_layer
from sm_remote.capture.interpreter import TargetPython
from sm_remote.capture.layer import ensure_layer
from sm_remote.capture.layer_archive import refer_to_archive, write_layer_archive
from sm_remote.capture.plan import Plan, fits_host
from sm_remote.home import Home, make_private
from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.storage.store import Store
from sm_remote.wire.digest import BlobRef
from sm_remote.wire.layout import LAYERS

_GLIBC = "manylinux_2_28"
"""What the current Deep Learning Containers and Debian images have at least."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packages:
    """Where a job's packages are.

    Attributes:
        key: The layer's; None where no packages are needed.
        requirements: What they are.
        archive: The layer as one object, where the store is none that jobs can mount from.
    """

    key: str | None = None
    requirements: tuple[str, ...] = ()
    archive: tuple[BlobRef, Path] | None = None

    @property
    def prefix(self) -> str:
        """The layer's key in the store."""
        return f"{LAYERS}/{self.key}"


def ensure_packages(plan: Plan, *, store: Store, home: Home, python: TargetPython) -> Packages:
    """Makes the layer that a plan asks for, unless it is there.

    Raises:
        CaptureError: An installed package is incomplete.
        DependencyInstallFailed: A package cannot be had.
    """
    if plan.requirements is None and not plan.environment.distributions:
        return Packages()
    make_private(home.cache)
    if isinstance(store, EmbeddedStore):
        make_private(home.store)
        layers = store.local_path(LAYERS)
    else:
        layers = home.cache / LAYERS
    if plan.requirements is not None:
        wanted = choose_platform(store, python)
        key, layer = ensure_resolved_layer(plan.requirements, layers, python=python.minor, platform=wanted)
        requirements = plan.requirements.lines
    else:
        key, layer = ensure_layer(plan.environment.distributions, layers, cache=home.cache / "bytecode")
        requirements = plan.environment.pins
    if isinstance(store, EmbeddedStore):
        return Packages(key=key, requirements=requirements)
    archive = write_layer_archive(layer, home.cache / "archives" / f"{key}.tar")
    return Packages(key=key, requirements=requirements, archive=(refer_to_archive(archive), archive))


def choose_platform(store: Store, python: TargetPython) -> str | None:
    """The job's platform as uv names it, or None where it is this machine's own."""
    if python.platform is not None or fits_host(python):
        return python.platform
    machine = platform.machine().lower()
    if not isinstance(store, EmbeddedStore) or machine in ("x86_64", "amd64"):
        return f"x86_64-{_GLIBC}"
    return f"aarch64-{_GLIBC}" if machine in ("arm64", "aarch64") else None
