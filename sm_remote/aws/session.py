"""Sessions: which training-job API is addressed, with which credentials. boto3 is imported here, when first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any

from sm_remote.aws.local_service import ServiceOptions, ensure_service
from sm_remote.aws.s3_terms import USUAL_TERMS, S3Terms, impose_terms
from sm_remote.errors import ConfigError, ServiceUnavailable
from sm_remote.home import LOCAL_ACCOUNT, LOCAL_REGION, Discovery, Home

READ_LIMIT_S = 75
POOL_SIZE = 64


class Session:
    """A connection to one training-job API and the store beside it.

    Attributes:
        target: ``"local"`` or ``"sagemaker"``.
        region: AWS region; a fixed one locally.
        holds_requests: Whether the API can hold a request until something changes.
        can_reconnect: Whether a lost connection is mended by connecting anew.
        repeats_requests: Whether a lost answer may make the same CreateTrainingJob arrive twice.
        advice: What to do when the API cannot be reached.
    """

    def __init__(
        self,
        *,
        target: str,
        region: str,
        account: Callable[[], str | None],
        make_client: Callable[[str], Any],
        make_s3_client: Callable[[], Any],
        reconnect: Callable[[], Session] | None,
        advice: str,
        discovery: Discovery | None = None,
        terms: S3Terms = USUAL_TERMS,
    ) -> None:
        self.target = target
        self.region = region
        self.holds_requests = reconnect is not None
        self.can_reconnect = reconnect is not None
        self.repeats_requests = True
        self.advice = advice
        self.discovery = discovery
        self._account = account
        self._make_client = make_client
        self._make_s3_client = make_s3_client
        self._reconnect = reconnect
        self._terms = terms
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """The boto3 client of a service, made once."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._open_s3() if service == "s3" else self._make_client(service)
            return self._clients[service]

    def _open_s3(self) -> Any:
        # The local service's own account owns no bucket.
        return impose_terms(
            self._make_s3_client(),
            self._terms,
            find_account=lambda: None if self.account == LOCAL_ACCOUNT else self.account,
        )

    @cached_property
    def account(self) -> str | None:
        """The AWS account that owns jobs and buckets; None where it cannot be told."""
        return self._account()

    def reconnect(self) -> Session:
        """A session to the same API at its present address."""
        if self._reconnect is None:
            return self
        return self._reconnect()


def connect_local(home: Home, options: ServiceOptions, terms: S3Terms = USUAL_TERMS) -> Session:
    """Connects to this user's local training service, starting it when none runs.

    Raises:
        ServiceUnavailable: It cannot be started.
        EngineUnavailable: The wanted engine does not answer.
    """
    import boto3
    from botocore.config import Config

    discovery = ensure_service(home, options)
    session = boto3.session.Session(
        aws_access_key_id=discovery.access_key,
        aws_secret_access_key=discovery.secret_key,
        region_name=LOCAL_REGION,
    )
    config = Config(
        read_timeout=READ_LIMIT_S,
        connect_timeout=5,
        max_pool_connections=POOL_SIZE,
        # A second try of our own, after the service was started again, replaces botocore's blind ones.
        retries={"total_max_attempts": 1},
        proxies={},
        parameter_validation=False,
    )
    return Session(
        target="local",
        region=LOCAL_REGION,
        account=lambda: LOCAL_ACCOUNT,
        make_client=lambda service: session.client(service, endpoint_url=discovery.endpoint_url, config=config),  # type: ignore[call-overload]
        make_s3_client=lambda: boto3.session.Session().client("s3"),
        reconnect=lambda: connect_local(home, options, terms),
        advice="`sm-remote service status` tells whether the local training service runs, `sm-remote doctor` why not.",
        discovery=discovery,
        terms=terms,
    )


def connect_aws(region: str | None, terms: S3Terms = USUAL_TERMS, *, boto_session: Any = None) -> Session:
    """Connects to Amazon SageMaker through the standard AWS credential chain.

    Args:
        region: The AWS region; by default that of the session.
        terms: What every request to S3 says of buckets.
        boto_session: A boto3 session whose credentials are used instead of those that the chain finds.

    Raises:
        ConfigError: No region is known, or the AWS configuration is broken.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        session = boto_session or boto3.session.Session(region_name=region)
    except BotoCoreError as error:
        raise ConfigError(
            "The AWS configuration cannot be used.",
            why=str(error),
            fix="Check AWS_PROFILE: `aws configure list-profiles` shows the profiles that there are.",
        ) from error
    region_name = region or session.region_name
    if region_name is None:
        raise ConfigError(
            "No AWS region is set.",
            why="target is 'sagemaker', and neither the setting `region` nor the AWS configuration names one.",
            fix="Set AWS_DEFAULT_REGION, or pass region='us-east-1' (or the one you use).",
        )
    config = Config(
        read_timeout=READ_LIMIT_S,
        max_pool_connections=POOL_SIZE,
        retries={"mode": "adaptive", "total_max_attempts": 10},
    )

    advice = "Check the AWS credentials (`aws sts get-caller-identity`) and the network."

    def find_account() -> str | None:
        try:
            account: str = session.client("sts", region_name=region_name).get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise ServiceUnavailable("AWS does not say which account this is.", why=str(error), fix=advice) from error
        return account

    return Session(
        target="sagemaker",
        region=region_name,
        account=find_account,
        make_client=lambda service: session.client(service, region_name=region_name, config=config),  # type: ignore[call-overload]
        make_s3_client=lambda: session.client("s3", region_name=region_name, config=config),
        reconnect=None,
        advice=advice,
        terms=terms,
    )
