"""What to offer instead of an instance type that cannot be had."""

from __future__ import annotations

from difflib import get_close_matches

from sm_remote.catalogue.instance_type import InstanceType
from sm_remote.catalogue.reader import find_instance_type, list_names, read_table

_CPU_FAMILY = "ml.m5."
"""General purpose, x86_64."""


def close_matches(name: str) -> list[str]:
    """Lists up to five names of instance types that are like a wrong one, nearest first."""
    names = sorted({*read_table(), *list_names()})
    wanted = name.strip().lower()
    if not wanted.startswith("ml."):
        wanted = f"ml.{wanted}"
    started = [candidate for candidate in names if candidate.startswith(f"{wanted}.")]
    same_family = [candidate for candidate in names if candidate.startswith(f"{wanted.rpartition('.')[0]}.")]
    found = get_close_matches(wanted, same_family, n=5, cutoff=0.6)
    return found or started[:5] or get_close_matches(wanted, names, n=5, cutoff=0.7)


def suggest_cpu_type(gpu_type: str) -> str:
    """Names the smallest general-purpose type with at least the CPUs and memory of a GPU type, or the largest."""
    try:
        wanted = find_instance_type(gpu_type)
    except KeyError:
        wanted = InstanceType(name=gpu_type)
    candidates = sorted((found for found in read_table().values() if found.name.startswith(_CPU_FAMILY)), key=_size_of)
    return next((found.name for found in candidates if _holds(found, wanted)), candidates[-1].name)


def largest_cpu_type() -> InstanceType:
    """The type with the most CPUs, which few hosts exceed: a job on it is given the whole host."""
    return max((found for found in read_table().values() if found.accelerator is None), key=_size_of)


def largest_gpu_type() -> InstanceType:
    """The GPU type with the most CPUs, which few hosts exceed: a job on it is given the whole host."""
    return max((found for found in read_table().values() if found.is_gpu), key=_size_of)


def find_larger(name: str, *, gpu: bool = False) -> str | None:
    """Names the next larger type by memory; None where none is known.

    Args:
        name: Of a type.
        gpu: Whether it is the memory of each GPU that has to be larger. It is the same throughout most families, so
            another family is taken: the smallest type that has more of it, and as many GPUs and as much of all else.
    """
    try:
        known = find_instance_type(name)
    except KeyError:
        return None
    if gpu:
        found = [each for each in read_table().values() if _has_more_gpu_memory(each, known)]
        found.sort(key=lambda each: (each.gpu_memory_gib or 0, each.gpu_count, _size_of(each)))
        return found[0].name if found else None
    family = name.rpartition(".")[0] + "."
    larger = [
        each
        for each in read_table().values()
        if each.name.startswith(family) and (each.memory_gib or 0) > (known.memory_gib or float("inf"))
    ]
    return min(larger, key=lambda each: (each.memory_gib or 0, each.vcpu or 0, each.name)).name if larger else None


def _has_more_gpu_memory(found: InstanceType, than: InstanceType) -> bool:
    return (
        (found.gpu_memory_gib or 0) > (than.gpu_memory_gib or float("inf"))
        and found.gpu_count >= than.gpu_count
        and found.architecture == than.architecture
        and _holds(found, than)
    )


def list_choices(limit: int = 8) -> list[str]:
    """Names a few types to start from, small and general ones first."""
    general = sorted((found for found in read_table().values() if found.name.startswith(_CPU_FAMILY)), key=_size_of)
    gpus = [found for found in read_table().values() if found.name.startswith(("ml.g5.", "ml.g6."))]
    return [found.name for found in (*general[: limit // 2], *sorted(gpus, key=_size_of)[: limit - limit // 2])]


def _size_of(found: InstanceType) -> tuple[float, float, str]:
    return found.vcpu or 0, found.memory_gib or 0, found.name


def _holds(found: InstanceType, wanted: InstanceType) -> bool:
    return (found.vcpu or 0) >= (wanted.vcpu or 0) and (found.memory_gib or 0) >= (wanted.memory_gib or 0)
