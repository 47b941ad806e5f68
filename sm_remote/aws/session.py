"""Sessions: which training-job API is addressed, with which credentials. boto3 is imported here, when first needed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sm_remote.aws.local_service import ServiceOptions, ensure_service
from sm_remote.aws.pacing import Pacer
from sm_remote.aws.pricing import choose_endpoint_region
from sm_remote.aws.refusals import explain_absent, explain_expired, is_absent, is_expired
from sm_remote.aws.s3_terms import USUAL_TERMS, S3Terms, impose_terms
from sm_remote.errors import ConfigError, ServiceUnavailable
from sm_remote.home import LOCAL_ACCOUNT, LOCAL_REGION, Discovery, Home

logger = logging.getLogger("sm_remote")

READ_LIMIT_S = 75
POOL_SIZE = 64
ATTEMPTS = 6
"""A quarter of a minute with botocore's pauses."""
S3_ATTEMPTS = 10


class Session:
    """A connection to one training-job API and the store beside it.

    Attributes:
        target: ``"local"`` or ``"sagemaker"``.
        region: AWS region; a fixed one locally.
        holds_requests: Whether the API can hold a request until something changes. It is the local service then, and a
            lost connection is mended by connecting anew, which starts it again.
        advice: What to do when the API cannot be reached.
    """

    def __init__(
        self,
        *,
        target: str,
        region: str,
        account: Callable[[], str | None],
        holds_requests: bool,
        make_client: Callable[[str], Any],
        make_patient_client: Callable[[str], Any] | None = None,
        make_s3_client: Callable[[], Any],
        reconnect: Callable[[], Session],
        advice: str,
        discovery: Discovery | None = None,
        terms: S3Terms = USUAL_TERMS,
        find_owner: Callable[[Any], str | None] | None = None,
    ) -> None:
        self.target = target
        self.region = region
        self.holds_requests = holds_requests
        self.advice = advice
        self.discovery = discovery
        self._account = account
        self._make_client = make_client
        self._make_patient_client = make_patient_client or make_client
        self._make_s3_client = make_s3_client
        self._reconnect = reconnect
        self._terms = terms
        self._find_owner = find_owner
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """The boto3 client of a service, made once, which tries again by itself as often as is good."""
        return self._find_client(service, self._open_s3 if service == "s3" else self._make_patient_client)

    def single_try_client(self, service: str) -> Any:
        """The same for requests that must not be sent again unseen."""
        return self._find_client(f"{service}, once", self._make_client)

    def _find_client(self, name: str, make: Callable[[str], Any]) -> Any:
        with self._lock:
            if name not in self._clients:
                self._clients[name] = make(name.partition(",")[0])
            return self._clients[name]

    def _open_s3(self, _: str) -> Any:
        client = self._make_s3_client()
        find_owner = self._find_owner or self._find_own_account
        return impose_terms(client, self._terms, find_account=cache(lambda: find_owner(client)))

    def _find_own_account(self, _: Any) -> str | None:
        return None if self.account == LOCAL_ACCOUNT else self.account  # the local service's own account has no bucket

    @cached_property
    def account(self) -> str | None:
        """The AWS account that owns jobs and buckets; None where it cannot be told."""
        return self._account()

    def reconnect(self) -> Session:
        """A session to the same API at its present address, with the credentials that there are now."""
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
        holds_requests=True,
        make_client=lambda service: session.client(service, endpoint_url=discovery.endpoint_url, config=config),  # type: ignore[call-overload]
        make_s3_client=lambda: boto3.session.Session().client("s3"),
        find_owner=find_bucket_owner,
        reconnect=lambda: connect_local(home, options, terms),
        advice="`sm-remote service status` tells whether the local training service runs, `sm-remote doctor` why not.",
        discovery=discovery,
        terms=terms,
    )


def find_bucket_owner(s3_client: Any) -> str | None:
    """The account whose buckets local jobs use at Amazon S3: that of the credentials.

    None at a server of one's own, which knows no accounts, and where AWS does not say it.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    host = urlsplit(s3_client.meta.endpoint_url).hostname or ""
    if not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return None
    brief = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
    try:
        client = boto3.session.Session().client("sts", region_name=s3_client.meta.region_name, config=brief)
        account: str = client.get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        logger.debug("Whose buckets are used is not known: %s", error)
        return None
    return account


def connect_aws(
    region: str | None, terms: S3Terms = USUAL_TERMS, *, boto_session: Any = None, limits: Path | None = None
) -> Session:
    """Connects to Amazon SageMaker through the standard AWS credential chain.

    Args:
        region: The AWS region; by default that of the session.
        terms: What every request to S3 says of buckets.
        boto_session: A boto3 session whose credentials are used instead of those that the chain finds.
        limits: The directory through which processes share the account's quotas; None counts this process alone.

    Raises:
        ConfigError: No region is known, or the AWS configuration is broken.
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    session, region_name = _open_chain(region, boto_session)
    advice = "Check the AWS credentials (`aws sts get-caller-identity`) and the network."

    def find_account() -> str | None:
        try:
            account: str = session.client("sts", region_name=region_name).get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            if is_expired(error):
                raise explain_expired(str(error)) from error
            if is_absent(error):
                raise explain_absent(str(error)) from error
            raise ServiceUnavailable("AWS does not say which account this is.", why=str(error), fix=advice) from error
        return account

    pacer = Pacer(None if limits is None else limits / region_name)

    def open_client(service: str, mode: str, attempts: int) -> Any:
        retries = {"mode": mode, "total_max_attempts": attempts}
        config = Config(read_timeout=READ_LIMIT_S, max_pool_connections=POOL_SIZE, retries=retries)  # type: ignore[arg-type]
        client = session.client(service, region_name=region_name, config=config)
        pacer.register(client)
        return client

    def make_patient_client(service: str) -> Any:
        if service != "pricing":
            # Not adaptive: its one rate for a whole client would hold up all operations where one is throttled.
            return open_client(service, "standard", ATTEMPTS)
        # It has endpoints of its own, and a limit on costs waits for its answer.
        brief = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
        return session.client("pricing", region_name=choose_endpoint_region(region_name), config=brief)

    return Session(
        target="sagemaker",
        region=region_name,
        account=find_account,
        holds_requests=False,
        make_client=lambda service: open_client(service, "standard", 1),
        make_patient_client=make_patient_client,
        make_s3_client=lambda: open_client("s3", "adaptive", S3_ATTEMPTS),
        reconnect=lambda: connect_aws(region, terms, boto_session=boto_session, limits=limits),
        advice=advice,
        terms=terms,
    )


def _open_chain(region: str | None, boto_session: Any) -> tuple[Any, str]:
    """The boto3 session whose credentials are used, and the region.

    Raises:
        ConfigError: No region is known, or the AWS configuration is broken.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

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
    return session, region_name


def connect_briefly(region: str | None) -> tuple[str | None, Callable[[str], Any]]:
    """The region, and clients that give up after seconds: who only looks does not wait as a job would.

    Raises:
        botocore.exceptions.BotoCoreError: The AWS configuration is broken.
    """
    import boto3
    from botocore.config import Config

    session = boto3.session.Session(region_name=region)
    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    return session.region_name, lambda service: session.client(service, config=config)
