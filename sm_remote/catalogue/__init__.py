"""The instance types that a training job can be given, and the images that AWS keeps, with what is known of each."""

from sm_remote.catalogue.aws_images import (
    AwsImage,
    choose_default,
    find_framework,
    find_nearest,
    find_python,
    is_aws_image,
    list_accounts,
    list_frameworks,
    resolve_image,
    select_images,
    spell_request,
)
from sm_remote.catalogue.choices import (
    close_matches,
    find_larger,
    largest_cpu_type,
    largest_gpu_type,
    list_choices,
    suggest_cpu_type,
)
from sm_remote.catalogue.instance_type import InstanceType, render_memory, render_price, render_vcpu
from sm_remote.catalogue.reader import PRICE_REGION, find_instance_type, list_instance_types

__all__ = [
    "AwsImage",
    "InstanceType",
    "PRICE_REGION",
    "choose_default",
    "close_matches",
    "find_framework",
    "find_instance_type",
    "find_larger",
    "find_nearest",
    "find_python",
    "is_aws_image",
    "largest_cpu_type",
    "largest_gpu_type",
    "list_accounts",
    "list_choices",
    "list_frameworks",
    "list_instance_types",
    "render_memory",
    "render_price",
    "render_vcpu",
    "resolve_image",
    "select_images",
    "spell_request",
    "suggest_cpu_type",
]
