"""From exact versions to where each comes from: the image, the files that are installed here, an index, or a wheel.

The order is the rule: what the image has in a fitting version is not installed again; what is installed here and works
in the job is linked; only the rest is fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sm_remote.capture.alterations import find_alterations
from sm_remote.capture.credentials import redact
from sm_remote.capture.distributions import Distribution, Index
from sm_remote.capture.fitting import TargetPlatform, fits
from sm_remote.capture.frameworks import FRAMEWORKS, public
from sm_remote.capture.lock import Lock, LockedPackage, Source, build_lock
from sm_remote.capture.warn_once import warn_once
from sm_remote.capture.wheels import Wheel
from sm_remote.errors import CaptureError

_SHOWN_FILES = 3


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Pin:
    """A package that the job is to have.

    Attributes:
        name: Normalised.
        version: Exact.
        url: Where to have it from, when from no index; may hold credentials.
    """

    name: str
    version: str
    url: str = ""

    @property
    def line(self) -> str:
        """As a requirement, for uv alone."""
        return f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a layer is made of.

    Attributes:
        lock: The whole environment.
        linked: Installed here; their files are linked.
        fetched: Requirements for uv; may hold credentials.
        wheels: Wheels that were built on the fly.
        altered: Of what is to be fetched, what is installed here but was altered.
        options: Index settings of the user's requirements file.
    """

    lock: Lock
    linked: tuple[Distribution, ...] = ()
    fetched: tuple[Pin, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    altered: tuple[Distribution, ...] = ()
    options: tuple[str, ...] = ()

    def without(self, pin: Pin) -> Choice:
        """The same without carrying one package that was to be fetched; the lock keeps it."""
        packages = tuple(replace(one, source=Source.JOB) if one.name == pin.name else one for one in self.lock.packages)
        return replace(
            self, lock=replace(self.lock, packages=packages), fetched=tuple(one for one in self.fetched if one != pin)
        )

    def keep_altered(self) -> Choice:
        """The same with altered packages as they are here."""
        names = {one.key for one in self.altered}
        kept = {one.key: _lock_altered(one) for one in self.altered}
        return replace(
            self,
            lock=replace(self.lock, packages=tuple(kept.get(one.name, one) for one in self.lock.packages)),
            linked=(*self.linked, *self.altered),
            fetched=tuple(pin for pin in self.fetched if pin.name not in names),
            altered=(),
        )


def choose(
    pins: Iterable[Pin],
    *,
    index: Index,
    target: TargetPlatform,
    python: str,
    in_image: Mapping[str, str],
    wheels: tuple[Wheel, ...] = (),
    options: tuple[str, ...] = (),
    indexes: tuple[str, ...] = (),
) -> Choice:
    """Decides for each package where it comes from.

    Args:
        pins: All packages that the job is to have.
        index: What is installed here.
        target: Where the job runs.
        python: The job's minor version.
        in_image: What the job takes from its image, version by normalised name.
        wheels: Built on the fly; they win over everything of their names.
        options: Index settings of the user's requirements file.
        indexes: Index settings for the lock, without credentials.
    """
    built = {wheel.name for wheel in wheels}
    packages = [_lock_wheel(wheel) for wheel in wheels]
    packages += [LockedPackage(name=name, version=version, source=Source.IMAGE) for name, version in in_image.items()]
    linked, fetched, altered = [], [], []
    for pin in pins:
        if pin.name in built or pin.name in in_image:
            continue
        one = index.by_name.get(pin.name)
        if one is not None and _is_here(one, pin, target):
            changes = find_alterations(one)
            if not changes:
                linked.append(one)
                packages.append(_lock_installed(one))
                continue
            if not _can_be_fetched(one):
                _say_altered(one, changes, "no index has it, so the job gets it as it is here")
                linked.append(one)
                packages.append(_lock_altered(one))
                continue
            _say_altered(one, changes, f"the job gets {one.pin} as it was released")
            altered.append(one)
        fetched.append(pin)
        source_url = redact(pin.url)
        packages.append(LockedPackage(name=pin.name, version=pin.version, source=Source.INDEX, url=source_url))
    return Choice(
        lock=build_lock(packages, python=python, platform=target.name, indexes=indexes if fetched else ()),
        linked=tuple(linked),
        fetched=tuple(fetched),
        wheels=wheels,
        altered=tuple(altered),
        options=options,
    )


def _is_here(one: Distribution, pin: Pin, target: TargetPlatform) -> bool:
    if one.editable_root is not None or not fits(one, target):
        return False
    return one.version == pin.version and (not pin.url or redact(one.url) == redact(pin.url))


def _can_be_fetched(one: Distribution) -> bool:
    return not one.url and "+" not in one.version


def _say_altered(one: Distribution, changes: tuple[str, ...], decision: str) -> None:
    more = f" and {len(changes) - _SHOWN_FILES} more" if len(changes) > _SHOWN_FILES else ""
    warn_once(
        one.folder,
        "%s was altered after it was installed (%s%s): %s.",
        one.pin,
        ", ".join(changes[:_SHOWN_FILES]),
        more,
        decision,
    )


def _lock_installed(one: Distribution) -> LockedPackage:
    return LockedPackage(name=one.key, version=one.version, source=Source.INSTALLED, digest=one.record_sha256)


def _lock_altered(one: Distribution) -> LockedPackage:
    """An altered package is known by what is in its altered files."""
    state = hashlib.sha256(one.record_sha256.encode())
    for name in find_alterations(one):
        path = one.folder / name
        if not path.is_file() and name.endswith((".py", ".so")):
            raise CaptureError(
                f"The installed package {one.pin} is incomplete: {name} is missing.",
                why=f"Its RECORD lists the file, and {one.folder} has it no more; no index could replace it.",
                fix=f"Install it again: `pip install --force-reinstall --no-deps {one.pin}`.",
                distribution=one.name,
            )
        state.update(name.encode() + (path.read_bytes() if path.is_file() else b""))
    return LockedPackage(name=one.key, version=one.version, source=Source.INSTALLED, digest=state.hexdigest())


def _lock_wheel(wheel: Wheel) -> LockedPackage:
    return LockedPackage(name=wheel.name, version=wheel.version, source=Source.WHEEL, digest=wheel.digest)


def say_image_wins(name: str, version: str, theirs: str, image: str, asked: str = "") -> None:
    """Says in one line that the image's build of a framework is used, or what was asked for in the image."""
    if theirs == version or not (asked or (name in FRAMEWORKS and public(theirs) != version)):
        return
    reason = f"Image.pip({asked!r})" if asked else image
    warn_once(
        image,
        "%s: the job uses the image's %s instead of %s, which is installed here (%s).",
        name,
        theirs,
        version,
        redact(reason),
    )


def say_hidden(one: Distribution, others: tuple[Distribution, ...]) -> None:
    """Says which of several installed versions of a package the job gets.

    Raises:
        CaptureError: Two versions lie in one folder, and none or both are whole, so nobody can tell which is in use.
    """
    for other in others:
        if other.folder == one.folder and bool(find_alterations(one)) == bool(find_alterations(other)):
            raise CaptureError(
                f"{one.name} is installed twice in {one.folder}: {one.version} and {other.version}.",
                why="An installer was interrupted, or two wrote into one folder: the files may be a mixture.",
                fix=f"Install it again: `pip uninstall -y {one.name} && pip install {one.pin}` (repeat the uninstall "
                "until nothing is left).",
                distribution=one.name,
            )
    warn_once(
        one.folder,
        "%s is installed in more than one version (%s): the job gets %s, the one that is imported here.",
        one.name,
        ", ".join(each.version for each in (one, *others)),
        one.version,
    )
