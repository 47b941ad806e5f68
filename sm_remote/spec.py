"""What a training job is, before any API spells it: frozen dataclasses without behaviour.

A pickled function is one way to fill a `TrainingJobSpec`; scripts, algorithm images and tuning trials are others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class TrainingJobStatus(str, Enum):
    """Where a training job stands. Source: API_DescribeTrainingJob, TrainingJobStatus."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    DELETING = "Deleting"

    def __str__(self) -> str:
        return self.value

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in _TERMINAL


_TERMINAL = frozenset({TrainingJobStatus.COMPLETED, TrainingJobStatus.FAILED, TrainingJobStatus.STOPPED})


class SecondaryStatus(str, Enum):
    """What a training job is doing. Source: API_DescribeTrainingJob, SecondaryStatus."""

    STARTING = "Starting"
    LAUNCHING_ML_INSTANCES = "LaunchingMLInstances"
    PREPARING_TRAINING_STACK = "PreparingTrainingStack"
    DOWNLOADING = "Downloading"
    DOWNLOADING_TRAINING_IMAGE = "DownloadingTrainingImage"
    TRAINING = "Training"
    UPLOADING = "Uploading"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
    COMPLETED = "Completed"
    FAILED = "Failed"
    INTERRUPTED = "Interrupted"
    MAX_WAIT_TIME_EXCEEDED = "MaxWaitTimeExceeded"
    UPDATING = "Updating"
    RESTARTING = "Restarting"
    PENDING = "Pending"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSystem:
    """A directory of a file system that is mounted at a channel. Source: API_FileSystemDataSource."""

    id: str
    type: str
    directory_path: str
    access_mode: str = "ro"


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """One input of a training job, seen in the container as ``/opt/ml/input/data/<name>``.

    Attributes:
        name: 1-64 characters of ``[A-Za-z0-9.\\-_]``.
        s3_uri: A prefix, or the manifest that lists objects; empty where the data lies elsewhere.
        s3_data_type: ``S3Prefix``, ``ManifestFile`` or ``AugmentedManifestFile``.
        content_type: MIME type, when it matters to the algorithm.
        input_mode: ``File``, ``FastFile`` or ``Pipe``; the job's own where it is None.
        distribution: ``FullyReplicated`` or ``ShardedByS3Key``.
        compression: ``Gzip``, for Pipe mode.
        record_wrapper: ``RecordIO``, for Pipe mode.
        shuffle_seed: By which the objects' order is shuffled.
        attribute_names: Of an augmented manifest.
        instance_groups: Those that get the channel; all where there are none.
        hub_content_arn: Of data in a private hub.
        accept_eula: Whether a model's licence is accepted; None where it has none.
        file_system: Where the data is, instead of S3.
        dataset_arn: A hub's data set, instead of S3.
    """

    name: str
    s3_uri: str = ""
    s3_data_type: str = "S3Prefix"
    content_type: str | None = None
    input_mode: str | None = None
    distribution: str = "FullyReplicated"
    compression: str | None = None
    record_wrapper: str | None = None
    shuffle_seed: int | None = None
    attribute_names: tuple[str, ...] = ()
    instance_groups: tuple[str, ...] = ()
    hub_content_arn: str | None = None
    accept_eula: bool | None = None
    file_system: FileSystem | None = None
    dataset_arn: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceGroup:
    """Machines of one type among those of a job."""

    name: str
    instance_type: str
    instance_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """The machines of a training job.

    Attributes:
        instance_type: Of all machines; where there are groups, of the first group.
        instance_count: How many machines; where there are groups, of all of them.
        volume_size_gb: The disk of each.
        keep_alive_period_s: For how long they are kept for the next job.
        groups: Machines of several types.
        volume_kms_key: What encrypts the disks.
        training_plan_arn: Whose reserved capacity is used.
    """

    instance_type: str
    instance_count: int = 1
    volume_size_gb: int = 30
    keep_alive_period_s: int | None = None
    groups: tuple[InstanceGroup, ...] = ()
    volume_kms_key: str | None = None
    training_plan_arn: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Vpc:
    """The private network in which a job's machines are."""

    subnets: tuple[str, ...]
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateRegistry:
    """Where a job's image comes from that is not in ECR: a registry in the job's VPC.

    Attributes:
        credentials_provider_arn: The Lambda function that knows the registry's password, where it wants one.
    """

    credentials_provider_arn: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """How SageMaker watches a job beyond its log; the mappings are in the API's own spelling."""

    remote_debug: bool = False
    infra_check: bool = False
    metrics_time_series: bool = False
    experiment: Mapping[str, str] = field(default_factory=dict)
    profiler: Mapping[str, Any] = field(default_factory=dict)
    debugger_hook: Mapping[str, Any] = field(default_factory=dict)
    tensorboard: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """Capacity that Amazon takes back when it needs it.

    Attributes:
        max_wait_s: How long the job may take in all, from its creation.
    """

    max_wait_s: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoints:
    """A directory of the job that is restored into each attempt and synchronised while it runs."""

    s3_uri: str
    local_path: str = "/opt/ml/checkpoints"


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricDefinition:
    """A number that the service reads out of the log: the regex's first group."""

    name: str
    regex: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingJobSpec:
    """Everything that CreateTrainingJob is told, in our units and names.

    Attributes:
        max_pending_s: How long it may wait for reserved capacity.
        max_retries: How often it starts again after an internal error of SageMaker's.
        output_kms_key: What encrypts its output.
        extra: Members in the API's own spelling, merged into the request last; see `aws.requests.merge`.
    """

    name: str
    role_arn: str
    image_uri: str
    output_uri: str
    resources: Resources
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()
    compress_output: bool = False
    max_runtime_s: int = 86400
    spot: Spot | None = None
    checkpoints: Checkpoints | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    metric_definitions: tuple[MetricDefinition, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    network_isolation: bool = False
    vpc: Vpc | None = None
    encrypt_traffic: bool = False
    output_kms_key: str | None = None
    max_retries: int = 0
    max_pending_s: int | None = None
    private_registry: PrivateRegistry | None = None
    session_tag_chaining: bool = False
    observation: Observation = field(default_factory=Observation)
    extra: Mapping[str, Any] = field(default_factory=dict)
