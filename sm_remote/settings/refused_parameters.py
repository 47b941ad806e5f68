"""Parameters of the SageMaker SDK's `remote` that are none here, each with its reason and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping

from sm_remote.errors import ConfigError

REFUSED: Mapping[str, tuple[str, str]] = {
    "spark_config": (
        "It starts the job in one of SageMaker's Spark images, by their own entrypoint, and these images are not "
        "served here: neither their script nor their Python would run the function.",
        "Leave it out, and start Spark in the function: with an image that has Java, such as "
        "Image.python('3.11').apt('default-jre-headless'), and dependencies=['pyspark']. For Spark over several "
        "machines use the SageMaker SDK's own @remote.",
    ),
}
"""By name: why, and what to do."""


def refuse_parameter(name: str, *, origin: str) -> ConfigError:
    """Builds the error for a parameter that is none here."""
    why, fix = REFUSED[name]
    return ConfigError(f"{origin} sets {name!r}, which is refused.", why=why, fix=fix, name=name, origin=origin)
