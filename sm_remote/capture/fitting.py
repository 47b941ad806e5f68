"""Whether the files of an installed distribution work in the job: judged by the tags of the wheel they came from.

Source: PEP 600 (``manylinux_<glibc>``), PEP 427 (``Tag:`` in WHEEL).
"""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass

from sm_remote.capture.distributions import Distribution
from sm_remote.capture.interpreter import TargetPython, describe_interpreter, runs_in_containers

DEFAULT_GLIBC = (2, 28)
"""What the current Deep Learning Containers and Debian images have at least."""
_MANYLINUX = re.compile(r"manylinux_(?P<major>\d+)_(?P<minor>\d+)_(?P<machine>\w+)")
_OLD_MANYLINUX = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_NATIVE = (".so", ".dylib", ".pyd")


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetPlatform:
    """Where the job runs.

    Attributes:
        system: ``linux`` always, for now.
        machine: Such as ``x86_64``.
        glibc: The oldest that it may have.
        is_host: Whether it runs this very interpreter, so that whatever is installed works.
    """

    system: str
    machine: str
    glibc: tuple[int, int]
    is_host: bool

    @property
    def uv_name(self) -> str:
        """As uv names it: ``x86_64-manylinux_2_28``."""
        return f"{self.machine}-manylinux_{self.glibc[0]}_{self.glibc[1]}"

    @property
    def name(self) -> str:
        """As locks name it: what decides which files work."""
        return describe_interpreter().platform if self.is_host else self.uv_name

    @property
    def is_hosts_kind(self) -> bool:
        """Whether requirements that depend on the platform mean the same there as here."""
        return sys.platform == self.system and machine_name(platform.machine()) == self.machine


def find_platform(python: TargetPython, *, store_is_local: bool) -> TargetPlatform:
    """The platform of a job.

    Args:
        python: The job's, with its platform where that is known.
        store_is_local: Whether the job runs on this machine, and so on its kind of processor.
    """
    is_host = python.same_as_host and runs_in_containers(describe_interpreter())
    here = machine_name(platform.machine())
    machine = python.machine or (here if store_is_local or is_host else "x86_64")
    return TargetPlatform(system="linux", machine=machine, glibc=python.glibc or DEFAULT_GLIBC, is_host=is_host)


def machine_name(name: str) -> str:
    """A processor's name as Linux spells it."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name.lower(), name.lower())


def fits(one: Distribution, target: TargetPlatform) -> bool:
    """Whether an installed distribution's files can be used in the job as they are; Python's minor version agrees."""
    if target.is_host:
        return True
    tags = re.findall(r"^Tag:\s*[\w.]+-[\w.]+-(\S+)", one.read_text("WHEEL") or "", re.MULTILINE)
    if not tags:
        return not any(file.name.endswith(_NATIVE) for file in one.files)
    return any(_tag_fits(part, target) for tag in tags for part in tag.split("."))


def _tag_fits(tag: str, target: TargetPlatform) -> bool:
    if tag == "any":
        return True
    if not target.is_hosts_kind:
        return False
    match = _MANYLINUX.fullmatch(tag)
    if match:
        return match["machine"] == target.machine and (int(match["major"]), int(match["minor"])) <= target.glibc
    name, _, machine = tag.partition("_")
    return name in _OLD_MANYLINUX and machine == target.machine and _OLD_MANYLINUX[name] <= target.glibc
