"""What this machine can give to jobs: an instance type's CPUs, memory and GPUs, capped by what there is."""

from __future__ import annotations

from dataclasses import dataclass

from sm_remote.catalogue import InstanceType

GIB = 1 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """CPUs, memory and GPUs, of the host or of one job."""

    cpus: float
    memory_bytes: int
    gpus: int

    def fits_into(self, free: Capacity) -> bool:
        """Whether this much is there."""
        return self.cpus <= free.cpus and self.memory_bytes <= free.memory_bytes and self.gpus <= free.gpus

    def __add__(self, other: Capacity) -> Capacity:
        return Capacity(
            cpus=self.cpus + other.cpus,
            memory_bytes=self.memory_bytes + other.memory_bytes,
            gpus=self.gpus + other.gpus,
        )

    def __sub__(self, other: Capacity) -> Capacity:
        return Capacity(
            cpus=self.cpus - other.cpus,
            memory_bytes=self.memory_bytes - other.memory_bytes,
            gpus=self.gpus - other.gpus,
        )


def plan_share(instance: InstanceType, host: Capacity) -> Capacity:
    """What a job on this instance type gets here; where its size is unknown, all there is."""
    return Capacity(
        cpus=min(float(instance.vcpu or host.cpus), host.cpus),
        memory_bytes=min(int((instance.memory_gib or 0) * GIB) or host.memory_bytes, host.memory_bytes),
        gpus=min(instance.gpu_count, host.gpus),
    )


def describe_cap(instance: InstanceType, host: Capacity) -> str | None:
    """Says in what an instance type is larger than this machine, or None when it is not."""
    if not instance.is_known:
        return f"the size of {instance.name} is not known here; the job gets all of this machine"
    short = []
    if (instance.vcpu or 0) > host.cpus:
        short.append(f"{host.cpus:g} of {instance.vcpu} vCPUs")
    if (instance.memory_gib or 0) * GIB > host.memory_bytes:
        short.append(f"{host.memory_bytes / GIB:.1f} of {instance.memory_gib:g} GiB of memory")
    if instance.gpu_count > host.gpus:
        short.append(f"{host.gpus} of {instance.gpu_count} GPUs")
    if not short:
        return None
    return f"{instance.name} is larger than this machine; the job gets {', '.join(short)}"
