"""The account in which a verification runs: one prefix of one bucket and one beginning of job names are its own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from scripts.aws.budget import Budget
from sm_remote import Job, remote
from sm_remote.catalogue import PRICE_REGION, find_instance_type
from sm_remote.costs.limit import STOP_S
from sm_remote.settings import resolve_settings

NAMES = "smr-verify"
"""What the names of all jobs of all verifications begin with."""
PREFIX = "sm_remote-verify"
"""The prefix of the bucket below which all their objects lie."""
WAIT_S = 1800
"""For how long a check waits for its job: an instance may take its time to start."""
DEAREST_REGION = 2
RUN_S = 900
"""For how long a job may run; what it may cost is reckoned with this."""


@dataclass(kw_only=True)
class Account:
    """What the checks are given.

    Attributes:
        budget: The ceiling.
        root_uri: Below it everything of this run is stored.
        names: What the names of this run's jobs begin with.
        owner: The account that must own the bucket.
        is_amazon: Whether this is AWS; a stand-in is named by boto3's endpoint variables.
        jobs: Those that were started.
        notes: Figures for the report.
    """

    budget: Budget
    root_uri: str
    names: str
    is_amazon: bool
    instance_type: str
    region: str
    owner: str
    jobs: list[Job[Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        """A boto3 client in the run's region."""
        return boto3.session.Session(region_name=self.region).client(service)

    def list_keys(self, uri: str) -> list[str]:
        """The keys below a place in S3."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        answer = self.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, ExpectedBucketOwner=self.owner)
        return [found["Key"] for found in answer.get("Contents", ())]

    def submit(self, function: Callable[..., Any], *args: Any, **settings: Any) -> Job[Any]:
        """Starts a call as a training job, if it fits into the budget."""
        chosen = {
            "target": "sagemaker",
            "instance_type": self.instance_type,
            "s3_root_uri": self.root_uri,
            "job_name_prefix": self.names,
            "max_runtime_in_seconds": RUN_S,
            "max_retry_attempts": 0,
            "stream_logs": False,
            **settings,
        }
        named = chosen["instance_type"]
        types = [named] if isinstance(named, str) else list(named)
        seconds, count = chosen["max_runtime_in_seconds"], chosen.get("instance_count", 1)
        seconds += STOP_S + chosen.get("keep_alive_period_in_seconds", 0)
        label = f"job {len(self.jobs) + 1}"
        prices = [self._price_usd(name, seconds, count) for name in types]
        self.budget.reserve(label, None if None in prices else max(price for price in prices if price is not None))
        job: Job[Any] = remote(**chosen)(function).submit(*args)
        self.jobs.append(job)
        job.add_done_callback(lambda ended: self._settle(label, ended))
        return job

    def _price_usd(self, instance_type: str, seconds: float, count: int) -> float | None:
        """What machines cost for a time; in other regions than the list's at most so many times that."""
        hour_usd = find_instance_type(instance_type).prices_usd_per_hour.get(PRICE_REGION)
        dearer = 1 if self.region == PRICE_REGION else DEAREST_REGION
        return None if hour_usd is None else hour_usd * count * seconds / 3600 * dearer

    def _settle(self, label: str, job: Any) -> None:
        """Counts what a call has cost: all its jobs, where others have gone on with the first one's work."""
        client = self.client("sagemaker")
        costs = [
            self._cost_usd(client.describe_training_job(TrainingJobName=name))
            for name in (*job.earlier_names, job.name)
        ]
        known = [usd for usd in costs if usd is not None]
        if len(known) == len(costs):
            self.budget.settle(label, sum(known))

    def _cost_usd(self, description: Mapping[str, Any]) -> float | None:
        """What one job has cost; None where that is not known yet."""
        billed_s = description.get("BillableTimeInSeconds")
        resources = description["ResourceConfig"]
        if billed_s is None or resources.get("KeepAlivePeriodInSeconds"):
            return None  # its warm pool is still paid for
        return self._price_usd(resources["InstanceType"], billed_s, resources.get("InstanceCount", 1))


def open_account(max_usd: float, environ: Any = os.environ) -> Account:
    """The account, region, bucket and machine that the user's own settings say."""
    settings = resolve_settings({"target": "sagemaker"})
    session = boto3.session.Session(region_name=settings.region)
    account = session.client("sts").get_caller_identity()["Account"]
    root = settings.s3_root_uri or f"s3://sagemaker-{session.region_name}-{account}"
    run = secrets.token_hex(4)
    return Account(
        budget=Budget(max_usd),
        root_uri=f"{root.rstrip('/')}/{PREFIX}/{run}",
        names=f"{NAMES}-{run}",
        is_amazon=not any(name.startswith("AWS_ENDPOINT_URL") and environ[name] for name in environ),
        instance_type=environ.get("SM_REMOTE_TEST_AWS_INSTANCE_TYPE") or "ml.m5.xlarge",
        region=str(session.region_name),
        owner=settings.bucket_owner or account,
    )


def clean_up(account: Account) -> list[str]:
    """Stops every job of this and of earlier verifications, ends their warm pools, and deletes their objects.

    Returns:
        What could not be done, one sentence each. One failure does not keep the rest from being tried.
    """
    troubles: list[str] = []
    sagemaker = account.client("sagemaker")
    for row in _list_jobs(sagemaker):
        name = row["TrainingJobName"]
        if row["TrainingJobStatus"] in ("InProgress", "Stopping"):
            _try(troubles, f"stop {name}", lambda name=name: sagemaker.stop_training_job(TrainingJobName=name))
        if row.get("WarmPoolStatus", {}).get("Status") in ("Available", "InUse"):
            end = {"TrainingJobName": name, "ResourceConfig": {"KeepAlivePeriodInSeconds": 0}}
            _try(troubles, f"end the warm pool of {name}", lambda end=end: sagemaker.update_training_job(**end))
    bucket, _, prefix = account.root_uri.removeprefix("s3://").partition("/")
    where = {"Bucket": bucket, "ExpectedBucketOwner": account.owner}
    all_runs = prefix.rpartition("/")[0]
    _try(troubles, f"delete {account.root_uri}", lambda: _delete(account.client("s3"), where, f"{all_runs}/"))
    return troubles


def _list_jobs(sagemaker: Any) -> Iterator[dict[str, Any]]:
    for page in sagemaker.get_paginator("list_training_jobs").paginate(NameContains=NAMES):
        yield from (row for row in page["TrainingJobSummaries"] if row["TrainingJobName"].startswith(NAMES))


def _delete(s3: Any, where: dict[str, str], prefix: str) -> None:
    """Deletes all objects below a prefix; where the bucket keeps versions, those too."""
    for page in s3.get_paginator("list_objects_v2").paginate(**where, Prefix=prefix):
        for found in page.get("Contents", ()):
            s3.delete_object(**where, Key=found["Key"])
    if s3.get_bucket_versioning(**where).get("Status") is None:
        return
    for page in s3.get_paginator("list_object_versions").paginate(**where, Prefix=prefix):
        for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(**where, Key=found["Key"], VersionId=found["VersionId"])


def _try(troubles: list[str], what: str, act: Callable[[], Any]) -> None:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - whatever AWS answers, the rest is to be cleaned up
        troubles.append(f"Could not {what}: {error}")
