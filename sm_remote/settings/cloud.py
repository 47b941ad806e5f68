"""Settings to which Amazon SageMaker alone gives an effect: networks, keys, reserved capacity, debugging, experiments.

The local service accepts each and says in the job's log that it does nothing here (docs/parameters.md).
"""

from __future__ import annotations

from traitlets import HasTraits

from sm_remote.settings.aws_session import AwsSession
from sm_remote.settings.kinds import Choice, Flag, Text, Whole
from sm_remote.settings.request_kinds import Structure, TextList

_KEY = r"[a-zA-Z0-9:/_-]+"


class CloudSettings(HasTraits):
    """The settings with their defaults; the names are those of the SageMaker SDK's `remote` and `Estimator`."""

    sagemaker_session = AwsSession(
        help="The session whose credentials and region are used. Default: what boto3 finds by itself."
    )
    subnets = TextList(
        "a list of subnet ids such as ['subnet-0a1b2c3d']",
        pattern=r"[-0-9a-zA-Z]{1,32}",
        help="The subnets of your VPC in which the job's machines are; with security_group_ids.",
    )
    security_group_ids = TextList(
        "a list of security group ids such as ['sg-0a1b2c3d']",
        pattern=r"[-0-9a-zA-Z]{1,32}",
        help="The security groups of the job's machines in your VPC; with subnets.",
    )
    encrypt_inter_container_traffic = Flag(
        default=False, help="Whether what the machines of one job send each other is encrypted."
    )
    s3_kms_key = Text(
        "the id, alias or ARN of a KMS key",
        pattern=_KEY,
        help="The KMS key by which what a job is made of and what it leaves is encrypted in S3.",
    )
    bucket_owner = Text(
        "the 12 digits of an AWS account",
        pattern=r"\d{12}",
        help="The account that must own every bucket that is read or written from here; S3 refuses others. Default: on "
        "SageMaker the caller's own account.",
    )
    volume_kms_key = Text(
        "the id, alias or ARN of a KMS key", pattern=_KEY, help="The KMS key by which the job's disk is encrypted."
    )
    training_plan_arn = Text(
        "the ARN of a training plan",
        pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:training-plan/.+",
        help="The training plan whose reserved capacity the job uses.",
    )
    max_pending_time_in_seconds = Whole(
        least=1800,
        most=2419200,
        default=None,
        allow_none=True,
        help="For how long a job may wait for the capacity of a training plan, or of a quota, before it fails.",
    )
    training_repository_access_mode = Choice(
        *("Platform", "Vpc"),
        default="Platform",
        help="Whether the image comes from ECR ('Platform') or from a private registry in your VPC.",
    )
    training_repository_credentials_provider_arn = Text(
        "the ARN of a Lambda function",
        pattern=r"arn:[\w\-]+:lambda:[\w\-]+:[0-9]{12}:function:.+",
        help="The Lambda function that knows the password of that private registry.",
    )
    enable_remote_debug = Flag(
        default=False, help="Whether you may open a shell in the job's containers through AWS Systems Manager."
    )
    enable_infra_check = Flag(
        default=False, help="Whether SageMaker checks the health of the machines before it starts the job."
    )
    enable_session_tag_chaining = Flag(
        default=False,
        help="Whether the session tags of your role pass on to the job's role, and decide what it may do.",
    )
    enable_sagemaker_metrics = Flag(
        default=False, help="Whether the numbers of metric_definitions are also kept as a series over time."
    )
    experiment_config = Structure(
        'a dict or table such as {"ExperimentName": "digits", "TrialName": "first", "TrialComponentDisplayName": "a"}',
        members=("ExperimentName", "TrialName", "TrialComponentDisplayName", "RunName"),
        help="The experiment of SageMaker Experiments to which the job belongs.",
    )
    profiler_config = Structure(
        'a dict or table such as {"S3OutputPath": "s3://bucket/profiles", "ProfilingIntervalInMilliseconds": 500}',
        members=("S3OutputPath", "ProfilingIntervalInMilliseconds", "ProfilingParameters", "DisableProfiler"),
        help="What SageMaker's profiler measures, and where it keeps that.",
    )
    debugger_hook_config = Structure(
        'a dict or table such as {"S3OutputPath": "s3://bucket/tensors"}',
        members=("LocalPath", "S3OutputPath", "HookParameters", "CollectionConfigurations"),
        help="Which tensors SageMaker Debugger saves, and where.",
    )
    tensorboard_output_config = Structure(
        'a dict or table such as {"S3OutputPath": "s3://bucket/tensorboard"}',
        members=("LocalPath", "S3OutputPath"),
        help="From which directory of the job SageMaker sends TensorBoard's files to S3.",
    )
