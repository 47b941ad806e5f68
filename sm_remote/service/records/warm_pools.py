"""Warm pools: capacity that a job keeps for the next one that wants the same.

Source: SageMaker Developer Guide, "Train Using SageMaker AI Managed Warm Pools" (which jobs leave a pool, which match
it, its statuses, its longest life); API_WarmPoolStatus. A pool belongs to the last job that used it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sm_remote.service.records.job import JobRecord
from sm_remote.service.records.pool import PoolRecord, PoolStatus
from sm_remote.spec import TrainingJobStatus as Status

CACHE_TARGET = "/opt/ml/sagemaker/warmpoolcache"
CACHE_VARIABLE = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"
_LONGEST_LIFE_S = 28 * 86400.0
_MATCHED = ("InstanceCount", "InstanceType", "VolumeKmsKeyId", "VolumeSizeInGB")
_SWITCHES = ("EnableInterContainerTrafficEncryption", "EnableNetworkIsolation", "EnableSessionTagChaining")


def find_keep_alive_s(request: Mapping[str, Any]) -> int:
    """For how long a job keeps its capacity; 0 for not at all."""
    if request.get("EnableManagedSpotTraining"):
        return 0
    return int(request["ResourceConfig"].get("KeepAlivePeriodInSeconds", 0))


def can_follow(ended: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether a job may use the pool of one that has ended; its image, inputs and environment may differ."""
    return find_keep_alive_s(request) > 0 and _key(ended) == _key(request)


def _key(request: Mapping[str, Any]) -> tuple[Any, ...]:
    network = request.get("VpcConfig", {})
    return (
        request["RoleArn"],
        *(request["ResourceConfig"].get(member) for member in _MATCHED),
        *(sorted(network.get(member, ())) for member in ("SecurityGroupIds", "Subnets")),
        *(bool(request.get(member)) for member in _SWITCHES),
    )


def open_pool(record: JobRecord, reused: PoolRecord | None, now: float) -> PoolRecord | None:
    """The pool of a job that begins to run; None for a job that keeps nothing."""
    if not find_keep_alive_s(record.request):
        return None
    if reused is None:
        return PoolRecord(status=PoolStatus.IN_USE, root=record.name, born_at=now)
    return PoolRecord(status=PoolStatus.IN_USE, root=reused.root, born_at=reused.born_at)


def with_pool_kept(record: JobRecord, now: float) -> JobRecord:
    """A record that has just ended, with its capacity kept where it is worth keeping."""
    if record.pool is None:
        return record
    failed_well = record.failure_reason is None or not record.failure_reason.startswith("InternalServerError")
    if not record.attempts or not failed_well or record.state.status is Status.DELETING:
        return with_pool_terminated(record, now)
    pool = replace(record.pool, status=PoolStatus.AVAILABLE, retained_at=now)
    return with_keep_alive(replace(record, pool=pool), find_keep_alive_s(record.request))


def with_keep_alive(record: JobRecord, keep_alive_s: int) -> JobRecord:
    """A record whose kept capacity goes after another time."""
    pool = record.pool
    if pool is None or pool.status is not PoolStatus.AVAILABLE or pool.retained_at is None:
        return record
    expires_at = min(pool.retained_at + keep_alive_s, pool.born_at + _LONGEST_LIFE_S)
    return replace(record, pool=replace(pool, expires_at=expires_at))


def with_pool_reused(record: JobRecord, by: str, now: float) -> JobRecord:
    """A record whose capacity another job has; repeating it changes nothing."""
    if record.pool is None or record.pool.status is not PoolStatus.AVAILABLE:
        return record
    return replace(record, pool=replace(record.pool, status=PoolStatus.REUSED, reused_by=by, ended_at=now))


def with_pool_terminated(record: JobRecord, now: float) -> JobRecord:
    """A record whose capacity is given back; repeating it changes nothing."""
    if record.pool is None or record.pool.status not in (PoolStatus.IN_USE, PoolStatus.AVAILABLE):
        return record
    return replace(record, pool=replace(record.pool, status=PoolStatus.TERMINATED, ended_at=now))
