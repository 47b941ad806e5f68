"""Amazon SageMaker is reached with the user's own credentials, or an error says what is missing."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
import pytest

from sm_remote.aws.session import connect_aws, find_bucket_owner
from sm_remote.errors import ServiceUnavailable


def test_absent_credentials_are_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(ServiceUnavailable, match="Unable to locate credentials") as caught:
        _ = connect_aws("us-east-1").account
    assert "aws configure" in caught.value.fix


def test_a_session_that_is_given_has_its_own_credentials_and_region() -> None:
    given = boto3.Session(aws_access_key_id="given", aws_secret_access_key="x", region_name="eu-north-1")
    session = connect_aws(None, boto_session=given)
    assert session.region == "eu-north-1"
    for service in ("sagemaker", "s3"):
        client = session.client(service)
        assert client.meta.region_name == "eu-north-1"
        assert client._request_signer._credentials.access_key == "given"


def test_a_session_without_a_region_takes_the_one_that_is_set() -> None:
    given = boto3.Session(aws_access_key_id="given", aws_secret_access_key="x")
    given._session.set_config_variable("region", None)
    assert connect_aws("eu-west-3", boto_session=given).client("sagemaker").meta.region_name == "eu-west-3"


class Sts:
    """The endpoint of STS, beneath boto3; knows how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, account: str | None) -> None:
        self.asked = 0
        server = HTTPServer(("127.0.0.1", 0), self._build_handler(account))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.close = lambda: (server.shutdown(), server.server_close())
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    def _build_handler(sts, account: str | None) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sts.asked += 1
                body = (
                    f"<r><GetCallerIdentityResult><Account>{account}</Account></GetCallerIdentityResult></r>".encode()
                )
                self.send_response(403 if account is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return Handler


@pytest.mark.parametrize(
    ("endpoint_url", "account", "owner"),
    [
        (None, "111122223333", "111122223333"),
        ("https://s3.eu-west-1.amazonaws.com", "111122223333", "111122223333"),
        ("http://127.0.0.1:9", "111122223333", None),  # a server of one's own knows no accounts
        ("https://s3.example.org", "111122223333", None),
        (None, None, None),
    ],
)
def test_the_buckets_of_local_jobs_at_amazon_are_the_caller_s_own(
    monkeypatch: pytest.MonkeyPatch, endpoint_url: str | None, account: str | None, owner: str | None
) -> None:
    sts = Sts(monkeypatch, account)
    try:
        client = boto3.session.Session("key", "secret", region_name="eu-west-1").client("s3", endpoint_url=endpoint_url)
        assert find_bucket_owner(client) == owner
        assert (sts.asked > 0) == (endpoint_url is None or "amazonaws" in endpoint_url)
    finally:
        sts.close()
