"""One instance type, and how its figures are shown. None is "unknown" and is never filled in by a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceType:
    """What is known of an instance type.

    Attributes:
        name: As the API spells it: ``ml.m5.large``.
        vcpu: Virtual CPUs; None where unknown.
        memory_gib: Memory in GiB; None where unknown.
        accelerator: Kind of its GPUs or other accelerators: ``NVIDIA T4``, ``AWS Trainium``; None without one, and
            where unknown.
        accelerator_count: How many; 0 without one, and where unknown.
        accelerator_memory_gib: Memory of each in GiB; None where unknown.
        architecture: Of the CPU: ``x86_64`` or ``arm64``; None where unknown.
        nvme_gb: Size of its local NVMe storage; None without any, and where unknown.
        prices_usd_per_hour: List prices on demand, by region; a region that is missing is unknown.
        price_source: Who says so; empty without a price. Its date is unknown: prices may be outdated.
        spec_source: Who says the rest; ``unknown`` where nothing is known.
    """

    name: str
    vcpu: int | None = None
    memory_gib: float | None = None
    accelerator: str | None = None
    accelerator_count: int = 0
    accelerator_memory_gib: float | None = None
    architecture: str | None = None
    nvme_gb: float | None = None
    prices_usd_per_hour: Mapping[str, float] = field(default_factory=dict, hash=False)
    price_source: str = ""
    spec_source: str = UNKNOWN

    @property
    def is_known(self) -> bool:
        """Whether its sizes are known."""
        return self.spec_source != UNKNOWN

    @property
    def is_gpu(self) -> bool:
        """Whether its accelerators are GPUs; Trainium and Inferentia are none."""
        return self.accelerator is not None and not self.accelerator.startswith("AWS ")

    @property
    def gpu_count(self) -> int:
        """How many GPUs; 0 without one, and where unknown."""
        return self.accelerator_count if self.is_gpu else 0

    @property
    def gpu_name(self) -> str | None:
        """The kind of its GPUs."""
        return self.accelerator if self.is_gpu else None

    @property
    def gpu_memory_gib(self) -> float | None:
        """Memory of each GPU."""
        return self.accelerator_memory_gib if self.is_gpu else None

    @property
    def has_instance_storage(self) -> bool:
        """Whether it has disks of its own, so that no volume is attached."""
        return self.nvme_gb is not None

    def price_usd_per_hour(self, region: str) -> float | None:
        """The list price of an hour on demand, or None where it is unknown."""
        return self.prices_usd_per_hour.get(region)


def render_price(instance_type: InstanceType, region: str) -> str:
    """Shows an hour's price, as ``$0.7364/h`` or ``unknown``."""
    price = instance_type.price_usd_per_hour(region)
    return UNKNOWN if price is None else f"${price:,g}/h"


def render_vcpu(instance_type: InstanceType) -> str:
    """Shows the number of vCPUs, as ``4 vCPU`` or ``unknown vCPU``."""
    return f"{UNKNOWN if instance_type.vcpu is None else instance_type.vcpu} vCPU"


def render_memory(instance_type: InstanceType) -> str:
    """Shows the memory, as ``16 GiB`` or ``unknown memory``."""
    return f"{UNKNOWN} memory" if instance_type.memory_gib is None else f"{instance_type.memory_gib:g} GiB"
