"""Who wins when the job's image has a package too: the image's build of a framework, if it is nearly the same version.

An image's torch is built against its CUDA, its mpi4py against its MPI, its flash-attn against its torch; a build from
elsewhere would work worse there, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from sm_remote.capture.distributions import normalise
from sm_remote.errors import ConfigError

FRAMEWORKS = frozenset(
    (
        *("torch", "torchvision", "torchaudio", "torchtext", "torchdata", "triton", "apex", "transformer-engine"),
        *("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tf-keras", "keras", "jax", "jaxlib", "mxnet", "vllm"),
        *("mpi4py", "horovod", "flash-attn", "xformers", "deepspeed", "bitsandbytes", "cupy-cuda11x", "cupy-cuda12x"),
        *("smdistributed-dataparallel", "smdistributed-modelparallel", "smprof", "sagemaker-training"),
        *("sagemaker-pytorch-training", "sagemaker-tensorflow-training"),
    )
)
_IMAGE_NAME = re.compile(
    r"/(?:sagemaker-)?(?P<framework>pytorch|tensorflow|mxnet|huggingface-pytorch|huggingface-tensorflow)"
    r"-(?:training|inference)[^:]*:(?P<tag>\S+)$"
)
_DISTRIBUTIONS = {"pytorch": "torch", "huggingface-pytorch": "torch", "tensorflow": "tensorflow"}
_DISTRIBUTIONS |= {"huggingface-tensorflow": "tensorflow", "mxnet": "mxnet"}


def read_image_name(uri: str) -> dict[str, str]:
    """The framework that the name of a Deep Learning Container says it has, where the image itself cannot be asked.

    Source: AWS Deep Learning Containers, "Available images": ``pytorch-training:2.3.0-gpu-py311-cu121-ubuntu20.04``.
    """
    match = _IMAGE_NAME.search(uri)
    version = re.match(r"\d+\.\d+(\.\d+)?", match["tag"]) if match else None
    return {_DISTRIBUTIONS[match["framework"]]: version[0]} if match and version else {}


def image_wins(name: str, version: str, installed: Mapping[str, str], image: str, asked: Container[str] = ()) -> bool:
    """Whether the job uses the image's package instead of the one that is installed here.

    Args:
        name: Normalised.
        version: Installed here.
        installed: What the image has.
        image: The image's name, for the message.
        asked: What the caller has named for the image: that is chosen already.

    Raises:
        ConfigError: It is a framework, and the two versions are too far apart to choose without being told.
    """
    theirs = installed.get(name)
    if theirs is None:
        return False
    if name in asked:
        return True
    if public(theirs) == public(version) or name not in FRAMEWORKS:
        return theirs == version or (name in FRAMEWORKS and public(theirs) == public(version))
    if minor(theirs) == minor(version):
        return True
    raise ConfigError(
        f"The image {image} has {name} {theirs}; here {name} {version} is installed.",
        why=f"The image's {name} is built for its CUDA and drivers, and what runs with {minor(version)} here may not "
        f"run with {minor(theirs)} there. Nothing was sent.",
        fix=f"Choose one: install {name}=={minor(theirs)}.* here, use an image that has {name} {minor(version)}, or "
        f"say which the job is to have, dependencies=[..., '{name}=={public(theirs)}'] for the image's own or "
        f"'{name}=={public(version)}' for one from the index.",
        package=name,
        image_version=theirs,
        version=version,
    )


def public(version: str) -> str:
    """A version without its local part: ``2.3.0+cu121`` is ``2.3.0``."""
    return version.partition("+")[0]


def minor(version: str) -> str:
    """Its first two numbers."""
    return ".".join(public(version).split(".")[:2])


def normalise_all(installed: Mapping[str, str]) -> dict[str, str]:
    """Versions by normalised name."""
    return {normalise(name): version for name, version in installed.items()}
