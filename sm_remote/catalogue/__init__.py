"""The instance types that a training job can be given, with what is known of each."""

from sm_remote.catalogue.choices import (
    close_matches,
    largest_cpu_type,
    largest_gpu_type,
    list_choices,
    suggest_cpu_type,
)
from sm_remote.catalogue.cost import estimate_usd, render_usd
from sm_remote.catalogue.instance_type import InstanceType, render_memory, render_price, render_vcpu
from sm_remote.catalogue.reader import PRICE_REGION, find_instance_type, list_instance_types

__all__ = [
    "InstanceType",
    "PRICE_REGION",
    "close_matches",
    "estimate_usd",
    "find_instance_type",
    "largest_cpu_type",
    "largest_gpu_type",
    "list_choices",
    "list_instance_types",
    "render_memory",
    "render_price",
    "render_usd",
    "render_vcpu",
    "suggest_cpu_type",
]
