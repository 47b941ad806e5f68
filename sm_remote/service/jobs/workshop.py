"""What every attempt of a job works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sm_remote.home import Home
from sm_remote.service.engines.engine import Engine
from sm_remote.service.hosts.capacity import Capacity
from sm_remote.service.hosts.container_access import ContainerAccess
from sm_remote.service.hosts.secrets import SecretVault
from sm_remote.service.jobs.notifier import Notifier
from sm_remote.service.metrics.usage import UsageSampler
from sm_remote.service.records.store import JobStore
from sm_remote.service.storage.buckets import Buckets


@dataclass(frozen=True, kw_only=True, slots=True)
class Workshop:
    """The service's parts, as a job sees them.

    Attributes:
        home: Where directories are.
        store: The jobs' truth.
        engine: Runs containers.
        buckets: Inputs and outputs.
        access: What containers are given of AWS.
        notifier: Wakes long polls.
        host: What this machine has.
        owner: Labels containers as this user's.
        clock: Seconds since the epoch.
        stop_grace_s: From SIGTERM to SIGKILL. Source: API_StopTrainingJob, 120 seconds.
        sampler: Watches what containers use.
        interruption_grace_s: The same for an interruption of spot capacity. Source: EC2 User Guide, "Spot Instance
            interruption notices", two minutes; what SageMaker does with them is not documented.
        reach: Told the name of each point at which a crash must do no harm; tests crash there.
        secrets: The values that live jobs were given.
    """

    home: Home
    store: JobStore
    engine: Engine
    buckets: Buckets
    access: ContainerAccess
    notifier: Notifier
    host: Capacity
    owner: str
    clock: Callable[[], float]
    stop_grace_s: float
    sampler: UsageSampler
    interruption_grace_s: float
    reach: Callable[[str], None]
    secrets: SecretVault = field(default_factory=SecretVault)
