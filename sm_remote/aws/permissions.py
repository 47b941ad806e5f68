"""Every operation of AWS that this package's code calls, with the permissions that it takes: the one table from which
`sm-remote iam` prints policies and the doctor learns what to ask for.

Who adds a call to AWS adds a row here (tests/unit/aws/test_permissions.py finds calls without a row, and rows without
a call). A row is::

    _row("pricing.get_products", "pricing:GetProducts", on=ANYTHING, part=COSTS)

boto3's client and method; the IAM actions, separated by spaces; the resource that they are limited to, by its name
below; and the parts of the product that make the call, one or several. A method of boto3's own, such as
``s3.download_file``, is a row as well. What AWS does itself under the caller's or the job's role, and no code here
calls, is a row by `_behind`, with its reason.

Source: Service Authorization Reference, "Actions, resources, and condition keys" of each service; SageMaker Developer
Guide, "SageMaker AI API permissions: actions, permissions, and resources reference" and "How to use SageMaker AI
execution roles", "CreateTrainingJob API".
"""

from __future__ import annotations

from dataclasses import dataclass

RUN = "run"
"""Submits, watches and collects jobs; what everybody needs."""
DOCTOR = "doctor"
"""`sm-remote doctor --target sagemaker`, and the proposals of errors: all of it reads only."""
BUCKET = "bucket"
"""`sm-remote create-bucket`."""
IMAGES = "images"
"""Builds images and pushes them to ECR; looks what an image in ECR is."""
COSTS = "costs"
"""Reads list prices."""
PARTS = (RUN, DOCTOR, BUCKET, IMAGES, COSTS)

JOB = "job"
"""What the job's execution role needs, always."""
VPC = "vpc"
"""Only with subnets and security groups."""
KMS = "kms"
"""Only with keys of one's own."""
SECRETS = "secrets"
"""Only with secrets that the job reads."""

ANYTHING = "anything"
"""``*``: the actions know no narrower resource, or what they look at is found by them."""
TRAINING_JOBS = "training jobs"
LOGS = "logs"
"""The log group of training jobs, and its streams."""
THE_BUCKET = "bucket"
OBJECTS = "objects"
"""Below the root of the bucket."""
INPUT_BUCKETS = "input buckets"
"""Other buckets that jobs read, and what lies in them."""
INPUT_OBJECTS = "input objects"
ROLE = "role"
"""The execution role of jobs."""
REPOSITORY = "repository"
"""The one to which built images are pushed."""
IMAGE = "image"
"""The repositories that jobs' images come from."""
KEYS = "keys"
SECRET = "secret"  # noqa: S105 - the name of a kind of resource

TO_SAGEMAKER = "passed to SageMaker"
"""The condition that a role is passed to SageMaker and to nothing else."""
METRICS_OF_JOBS = "metrics of jobs"
"""The condition that metrics are written as training jobs' are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """What one call takes.

    Attributes:
        call: boto3's client and method, ``s3.put_object``; empty for what AWS does itself.
        actions: Of IAM, such as ``s3:PutObject``.
        on: The name of a resource, as above.
        parts: Who makes the call, or when the job needs it.
        condition: Under which it is enough; empty for none.
        why: For what AWS does itself.
    """

    call: str
    actions: tuple[str, ...]
    on: str
    parts: tuple[str, ...]
    condition: str = ""
    why: str = ""


def _row(call: str, actions: str, *, on: str, part: str | tuple[str, ...]) -> Permission:
    parts = (part,) if isinstance(part, str) else part
    return Permission(call=call, actions=tuple(actions.split()), on=on, parts=parts)


def _behind(actions: str, *, on: str, part: str, why: str, condition: str = "") -> Permission:
    return Permission(call="", actions=tuple(actions.split()), on=on, parts=(part,), condition=condition, why=why)


CALLER: tuple[Permission, ...] = (
    # Jobs.
    _row(
        "sagemaker.create_training_job",
        "sagemaker:CreateTrainingJob sagemaker:AddTags",
        on=TRAINING_JOBS,
        part=RUN,
    ),
    _behind("iam:PassRole", on=ROLE, part=RUN, condition=TO_SAGEMAKER, why="CreateTrainingJob gives the job its role"),
    _row("sagemaker.describe_training_job", "sagemaker:DescribeTrainingJob", on=TRAINING_JOBS, part=RUN),
    _row("sagemaker.list_training_jobs", "sagemaker:ListTrainingJobs", on=ANYTHING, part=(RUN, DOCTOR)),
    _row("sagemaker.stop_training_job", "sagemaker:StopTrainingJob", on=TRAINING_JOBS, part=RUN),
    _row("sagemaker.list_tags", "sagemaker:ListTags", on=TRAINING_JOBS, part=RUN),
    _row("logs.describe_log_streams", "logs:DescribeLogStreams", on=LOGS, part=(RUN, DOCTOR)),
    _row("logs.get_log_events", "logs:GetLogEvents", on=LOGS, part=RUN),
    _row("logs.filter_log_events", "logs:FilterLogEvents", on=LOGS, part=RUN),
    _row("cloudwatch.get_metric_data", "cloudwatch:GetMetricData", on=ANYTHING, part=RUN),
    # The account: role, bucket, quotas.
    _row("iam.get_role", "iam:GetRole", on=ROLE, part=(RUN, DOCTOR)),
    _row("iam.simulate_principal_policy", "iam:SimulatePrincipalPolicy", on=ANYTHING, part=DOCTOR),
    _row("iam.list_roles", "iam:ListRoles", on=ANYTHING, part=DOCTOR),
    _row("sagemaker.describe_notebook_instance", "sagemaker:DescribeNotebookInstance", on=ANYTHING, part=DOCTOR),
    _row("sagemaker.describe_user_profile", "sagemaker:DescribeUserProfile", on=ANYTHING, part=DOCTOR),
    _row("sagemaker.describe_domain", "sagemaker:DescribeDomain", on=ANYTHING, part=DOCTOR),
    _row("s3.head_bucket", "s3:ListBucket", on=THE_BUCKET, part=RUN),
    _row("s3.list_buckets", "s3:ListAllMyBuckets", on=ANYTHING, part=DOCTOR),
    _row("s3.create_bucket", "s3:CreateBucket", on=THE_BUCKET, part=BUCKET),
    _row("s3.put_public_access_block", "s3:PutBucketPublicAccessBlock", on=THE_BUCKET, part=BUCKET),
    _row("s3.put_bucket_ownership_controls", "s3:PutBucketOwnershipControls", on=THE_BUCKET, part=BUCKET),
    _row("s3.put_bucket_encryption", "s3:PutEncryptionConfiguration", on=THE_BUCKET, part=BUCKET),
    _row("service-quotas.list_service_quotas", "servicequotas:ListServiceQuotas", on=ANYTHING, part=DOCTOR),
    _row(
        "service-quotas.list_aws_default_service_quotas",
        "servicequotas:ListAWSDefaultServiceQuotas",
        on=ANYTHING,
        part=DOCTOR,
    ),
    # Who we are. It takes no permission, and no policy can take it away.
    _row("sts.get_caller_identity", "sts:GetCallerIdentity", on=ANYTHING, part=(RUN, DOCTOR)),
    # Objects. Whoever may not list the bucket is answered 403 instead of 404 for an object that is not there.
    _row("s3.head_object", "s3:GetObject", on=OBJECTS, part=RUN),
    _row("s3.get_object", "s3:GetObject", on=OBJECTS, part=RUN),
    _row("s3.download_file", "s3:GetObject", on=OBJECTS, part=RUN),
    _row("s3.list_objects_v2", "s3:ListBucket", on=THE_BUCKET, part=RUN),
    _row("s3.put_object", "s3:PutObject", on=OBJECTS, part=RUN),
    _row("s3.create_multipart_upload", "s3:PutObject", on=OBJECTS, part=RUN),
    _row("s3.upload_part", "s3:PutObject", on=OBJECTS, part=RUN),
    _row("s3.complete_multipart_upload", "s3:PutObject", on=OBJECTS, part=RUN),
    _row("s3.abort_multipart_upload", "s3:AbortMultipartUpload", on=OBJECTS, part=RUN),
    _row("s3.delete_object", "s3:DeleteObject", on=OBJECTS, part=RUN),
    _behind(
        "kms:GenerateDataKey kms:Decrypt",
        on=KEYS,
        part=KMS,
        why="S3 encrypts and decrypts objects with the key in the caller's name",
    ),
    _behind(
        "kms:CreateGrant kms:DescribeKey",
        on=KEYS,
        part=KMS,
        why="CreateTrainingJob grants the instance's volume the use of volume_kms_key",
    ),
    # List prices.
    _row("pricing.get_products", "pricing:GetProducts", on=ANYTHING, part=COSTS),
    # Images.
    _row("ecr.describe_images", "ecr:DescribeImages", on=IMAGE, part=(RUN, IMAGES)),
    _row("ecr.batch_get_image", "ecr:BatchGetImage", on=IMAGE, part=(IMAGES, DOCTOR)),
    _row("ecr.get_download_url_for_layer", "ecr:GetDownloadUrlForLayer", on=IMAGE, part=IMAGES),
    _row("ecr.describe_repositories", "ecr:DescribeRepositories", on=REPOSITORY, part=IMAGES),
    _row("ecr.create_repository", "ecr:CreateRepository", on=REPOSITORY, part=IMAGES),
    _row("ecr.get_authorization_token", "ecr:GetAuthorizationToken", on=ANYTHING, part=IMAGES),
    _behind(
        "ecr:BatchCheckLayerAvailability ecr:InitiateLayerUpload ecr:UploadLayerPart ecr:CompleteLayerUpload "
        "ecr:PutImage ecr:BatchGetImage",
        on=REPOSITORY,
        part=IMAGES,
        why="Docker pushes with the token that the caller got",
    ),
)
"""What the identity that submits needs."""

EXECUTION: tuple[Permission, ...] = (
    _behind("s3:GetObject", on=OBJECTS, part=JOB, why="SageMaker downloads channels and checkpoints"),
    _behind("s3:ListBucket", on=THE_BUCKET, part=JOB, why="SageMaker lists channels and checkpoints"),
    _behind("s3:GetObject", on=INPUT_OBJECTS, part=JOB, why="SageMaker downloads channels of other buckets"),
    _behind("s3:ListBucket", on=INPUT_BUCKETS, part=JOB, why="SageMaker lists channels of other buckets"),
    _behind("s3:PutObject", on=OBJECTS, part=JOB, why="SageMaker uploads outputs and checkpoints"),
    _behind("s3:AbortMultipartUpload", on=OBJECTS, part=JOB, why="an upload that fails leaves no parts behind"),
    _behind("s3:DeleteObject", on=OBJECTS, part=JOB, why="a checkpoint that a loop has given up goes in S3 too"),
    _behind(
        "logs:CreateLogGroup logs:CreateLogStream logs:DescribeLogStreams logs:PutLogEvents",
        on=LOGS,
        part=JOB,
        why="SageMaker writes the job's log",
    ),
    _behind(
        "cloudwatch:PutMetricData",
        on=ANYTHING,
        part=JOB,
        condition=METRICS_OF_JOBS,
        why="SageMaker writes the job's metrics",
    ),
    _behind("ecr:GetAuthorizationToken", on=ANYTHING, part=JOB, why="SageMaker pulls the job's image"),
    _behind(
        "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer",
        on=IMAGE,
        part=JOB,
        why="SageMaker pulls the job's image",
    ),
    _behind(
        "ec2:CreateNetworkInterface ec2:CreateNetworkInterfacePermission ec2:DeleteNetworkInterface "
        "ec2:DeleteNetworkInterfacePermission ec2:DescribeDhcpOptions ec2:DescribeNetworkInterfaces "
        "ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcs",
        on=ANYTHING,
        part=VPC,
        why="SageMaker attaches the job's hosts to the network",
    ),
    _behind(
        "kms:Decrypt kms:Encrypt kms:GenerateDataKey kms:CreateGrant kms:DescribeKey",
        on=KEYS,
        part=KMS,
        why="SageMaker encrypts outputs and volumes, and decrypts channels",
    ),
    # The job's own code, which reads the secrets that its call refers to; of a local job, its caller does.
    _row("secretsmanager.get_secret_value", "secretsmanager:GetSecretValue", on=SECRET, part=SECRETS),
)
"""What a job's execution role needs."""
