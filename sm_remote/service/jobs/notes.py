"""What a request says that is accepted here and would go otherwise on SageMaker: the first lines of the job's log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sm_remote.home import LOCAL_BUCKET
from sm_remote.service.storage.objects import parse_uri

DOCUMENTED_KEEP_ALIVE_S = 3600
"""Source: SageMaker Developer Guide, "Train Using SageMaker AI Managed Warm Pools"; the model allows 21,600."""
SDK_VOLUME_SIZE_GB = 30
"""What a request says whose author did not choose. Source: SageMaker SDK, Estimator and ``@remote``, volume_size."""
_WITHOUT_EFFECT = {
    "VpcConfig": "VpcConfig",
    "EnableInterContainerTrafficEncryption": "EnableInterContainerTrafficEncryption",
    "VolumeKmsKeyId": "ResourceConfig.VolumeKmsKeyId",
    "TrainingPlanArn": "ResourceConfig.TrainingPlanArn",
    "MaxPendingTimeInSeconds": "StoppingCondition.MaxPendingTimeInSeconds",
    "TrainingImageConfig": "AlgorithmSpecification.TrainingImageConfig",
    "EnableRemoteDebug": "RemoteDebugConfig.EnableRemoteDebug",
    "EnableInfraCheck": "InfraCheckConfig.EnableInfraCheck",
    "EnableSessionTagChaining": "SessionChainingConfig.EnableSessionTagChaining",
    "ExperimentConfig": "ExperimentConfig",
    "ProfilerConfig": "ProfilerConfig.S3OutputPath",
    "ProfilerRuleConfigurations": "ProfilerRuleConfigurations",
    "DebugHookConfig": "DebugHookConfig",
    "DebugRuleConfigurations": "DebugRuleConfigurations",
    "TensorBoardOutputConfig": "TensorBoardOutputConfig",
}
"""Members that a single machine has nothing for, each with what turns it on.

What a job cannot do without is refused instead: `jobs.requests`.
"""

_Request = Mapping[str, Any]


def list_notes(request: _Request) -> list[str]:
    """Says what would go otherwise on SageMaker, a line for each kind of it."""
    return [
        *_note_keep_alive(request["ResourceConfig"]),
        *_note_volume(request["ResourceConfig"]),
        *_note_idle(request),
    ]


def _note_keep_alive(resources: _Request) -> Iterator[str]:
    keep_alive_s = resources.get("KeepAlivePeriodInSeconds", 0)
    if keep_alive_s > DOCUMENTED_KEEP_ALIVE_S:
        yield (
            f"KeepAlivePeriodInSeconds is {keep_alive_s}; SageMaker documents at most {DOCUMENTED_KEEP_ALIVE_S}, "
            "though its API allows 21600"
        )


def _note_volume(resources: _Request) -> Iterator[str]:
    volume_size_gb = resources.get("VolumeSizeInGB", SDK_VOLUME_SIZE_GB)
    if volume_size_gb != SDK_VOLUME_SIZE_GB:
        yield f"VolumeSizeInGB is {volume_size_gb}; it is not enforced here: the job may fill this machine's disk"


def _note_idle(request: _Request) -> Iterator[str]:
    idle = [name for name, path in _WITHOUT_EFFECT.items() if _find(request, path)]
    output = request["OutputDataConfig"]
    if output.get("KmsKeyId") and parse_uri(output["S3OutputPath"]).bucket == LOCAL_BUCKET:
        idle.append("KmsKeyId")
    if idle:
        *first, last = idle
        verb = "have" if first else "has"
        yield f"{', '.join(first)}{' and ' if first else ''}{last} {verb} no effect on this machine, but on SageMaker"


def _find(request: _Request, path: str) -> Any:
    value: Any = request
    for name in path.split("."):
        value = (value or {}).get(name)
    return value
