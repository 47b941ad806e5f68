"""What may be said of a request beyond all settings: anything but that on which the job's integrity rests.

The other members that are kept back here are those that the client itself goes by before the job runs: a value that
came in behind its back would be believed by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traitlets import TraitError

from sm_remote.settings.request_kinds import Structure
from sm_remote.wire.layout import CHANNEL, LAYER_CHANNEL

KEPT: Mapping[str, str] = {
    "TrainingJobName": "under the name the job is found again; job_name_prefix says what it begins with",
    "AlgorithmSpecification.ContainerEntrypoint": "it starts what verifies the job's code, on which its integrity "
    "rests; pre_execution_commands run before the function",
    "AlgorithmSpecification.ContainerArguments": "they are what verifies the job's code and the digest that it has to "
    "have; pass what the function needs as its arguments or as hyperparameters",
    "AlgorithmSpecification.TrainingImage": "the image's Python is checked before anything is sent; use image_uri",
    "AlgorithmSpecification.AlgorithmName": "an algorithm of the Marketplace runs no function of yours; use image_uri",
    "AlgorithmSpecification.TrainingInputMode": "the function's own channels are files; give the InputMode of a "
    "channel instead",
    "OutputDataConfig.S3OutputPath": "the function's value is looked for below it; use s3_root_uri",
    "CheckpointConfig": "what is stored there is looked at before; use checkpoint_s3_uri and checkpoint_local_path",
    "EnableManagedSpotTraining": "it brings checkpoints and a time to wait with it; use use_spot_instances",
    "Environment": "its values are kept out of lists and files; use environment_variables",
    "Tags": "a list replaces the job's own tags; use tags",
    "ServerlessJobConfig": "a serverless job runs no function of yours, but a model of a hub",
}
"""Members that `extra_request` may not set, each with the reason and what to use instead."""
_OWN_CHANNELS = frozenset({CHANNEL, LAYER_CHANNEL})


class ExtraRequest(Structure):
    """Members of CreateTrainingJob that are merged into the request last."""

    def _check(self, value: Any) -> dict[str, Any]:
        plain = super()._check(value)
        for path, reason in KEPT.items():
            if _reaches(plain, path.split(".")):
                raise TraitError(f"{path} cannot be set there: {reason}")
        _check_channels(plain.get("InputDataConfig", []))
        return plain


def _reaches(value: Mapping[str, Any], path: list[str]) -> bool:
    """Whether a member is set or taken away, by itself or together with the one that holds it."""
    name, *rest = path
    if name not in value:
        return False
    return not rest or not isinstance(value[name], Mapping) or _reaches(value[name], rest)


def _check_channels(channels: Any) -> None:
    if not isinstance(channels, list) or not all(isinstance(each, dict) and "ChannelName" in each for each in channels):
        raise TraitError("InputDataConfig is no list of channels with a ChannelName")
    for channel in channels:
        if channel["ChannelName"] in _OWN_CHANNELS:
            raise TraitError(
                f"The channel {channel['ChannelName']} cannot be set there: it holds what the job is made of, under "
                "digests on which its integrity rests; give yours another name"
            )
