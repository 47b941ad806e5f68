"""Each request to S3 names the bucket's owner, and each that writes the key that encrypts, whoever makes it."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

import sm_remote
from sm_remote.aws.s3_terms import S3Terms, impose_terms
from sm_remote.aws.session import Session
from sm_remote.home import LOCAL_ACCOUNT, find_home
from sm_remote.jobs.attach import choose_terms
from sm_remote.settings import resolve_settings
from sm_remote.storage import open_store
from sm_remote.storage.s3_upload import PART_BYTES

OWNER = "111122223333"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OWNER_HEADER = "x-amz-expected-bucket-owner"
_WRITERS = ("PutObject", "CreateMultipartUpload", "CopyObject")


class Wire:
    """Answers what a client for S3 sends, and keeps its headers: nothing leaves this process."""

    def __init__(self, terms: S3Terms, account: str | None = None) -> None:
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.client: Any = boto3.session.Session("AKIA", "secret", region_name="us-east-1").client("s3")
        self.client.meta.events.register("before-send.s3", self._answer)
        self.session = Session(
            target="sagemaker",
            region="us-east-1",
            account=lambda: account,
            make_client=lambda service: pytest.fail(f"nothing needs {service}"),
            make_s3_client=lambda: self.client,
            holds_requests=False,
            reconnect=lambda: self.session,
            advice="",
            terms=terms,
        )

    def _answer(self, request: Any, event_name: str = "", **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        self.sent.append((operation, headers))
        body, answer = _ANSWERS.get(operation, (b"", {}))
        return AWSResponse(request.url, 200, answer, _Raw(body))

    def headers_of(self, operation: str) -> list[dict[str, str]]:
        return [headers for name, headers in self.sent if name == operation]


class _Raw(io.BytesIO):
    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


_ANSWERS: dict[str, tuple[bytes, dict[str, str]]] = {
    "HeadObject": (b"", {"ETag": '"e"', "Content-Length": "3"}),
    "GetObject": (b"abc", {"ETag": '"e"', "Content-Length": "3"}),
    "CreateMultipartUpload": (
        b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        {},
    ),
    "UploadPart": (b"", {"ETag": '"e"'}),
    "CompleteMultipartUpload": (b"<CompleteMultipartUploadResult/>", {}),
    "ListObjectsV2": (b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>", {}),
}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _use(wire: Wire, tmp_path: Path) -> None:
    """Everything that a store does."""
    home = find_home({"SM_REMOTE_HOME": str(tmp_path)})
    store = open_store("s3://somebody/root", home=home, s3_client_factory=lambda: wire.session.client("s3"))
    store.put_if_absent("small", b"abc")
    store.head("small")
    store.get("small")
    store.fetch("small")
    list(store.list(""))
    store.delete("small")
    upload = wire.session.client("s3").create_multipart_upload(Bucket="somebody", Key="big")["UploadId"]
    wire.session.client("s3").upload_part(Bucket="somebody", Key="big", UploadId=upload, PartNumber=1, Body=b"abc")
    wire.session.client("s3").abort_multipart_upload(Bucket="somebody", Key="big", UploadId=upload)
    wire.session.client("s3").head_bucket(Bucket="somebody")


@pytest.mark.parametrize(
    ("terms", "account", "named"),
    [
        (S3Terms(), OWNER, OWNER),
        (S3Terms(bucket_owner="444455556666"), OWNER, "444455556666"),
        (S3Terms(bucket_owner=OWNER), LOCAL_ACCOUNT, OWNER),
        (S3Terms(), LOCAL_ACCOUNT, None),
        (S3Terms(), None, None),
    ],
)
def test_every_request_names_the_owner_where_it_is_known(
    tmp_path: Path, terms: S3Terms, account: str | None, named: str | None
) -> None:
    wire = Wire(terms, account)
    _use(wire, tmp_path)
    assert len({operation for operation, _ in wire.sent}) == 9
    assert {headers.get(OWNER_HEADER) for _, headers in wire.sent} == {named}


def test_a_large_object_is_written_on_the_terms(tmp_path: Path) -> None:
    wire = Wire(S3Terms(kms_key=KEY), OWNER)
    home = find_home({"SM_REMOTE_HOME": str(tmp_path)})
    store = open_store("s3://somebody/root", home=home, s3_client_factory=lambda: wire.session.client("s3"))
    wire.client.meta.events.register_first("before-send.s3.HeadObject", _absent)
    assert store.put_if_absent("large", bytes(PART_BYTES + 1))
    assert {name for name, _ in wire.sent} >= {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}
    assert {headers[OWNER_HEADER] for _, headers in wire.sent} == {OWNER}
    (begun,) = wire.headers_of("CreateMultipartUpload")
    assert _encryption(begun) == ("aws:kms", KEY, "true")


def _absent(request: Any, **_: Any) -> AWSResponse:
    return AWSResponse(request.url, 404, {}, _Raw(b""))


def _encryption(headers: dict[str, str]) -> tuple[str | None, ...]:
    prefix = "x-amz-server-side-encryption"
    names = (prefix, f"{prefix}-aws-kms-key-id", f"{prefix}-bucket-key-enabled")
    return tuple(headers.get(name) for name in names)


@pytest.mark.parametrize("key", [KEY, None])
def test_what_is_written_is_encrypted_with_the_key_and_nothing_else_names_it(tmp_path: Path, key: str | None) -> None:
    wire = Wire(S3Terms(kms_key=key), OWNER)
    _use(wire, tmp_path)
    wire.session.client("s3").copy_object(Bucket="somebody", Key="b", CopySource={"Bucket": "somebody", "Key": "a"})
    for operation, headers in wire.sent:
        expected = ("aws:kms", key, "true") if key and operation in _WRITERS else (None, None, None)
        assert _encryption(headers) == expected, operation
    (copied,) = wire.headers_of("CopyObject")
    assert copied["x-amz-source-expected-bucket-owner"] == OWNER


def test_what_a_call_says_itself_stays() -> None:
    wire = Wire(S3Terms(kms_key=KEY), OWNER)
    wire.session.client("s3").put_object(Bucket="b-b", Key="k", ExpectedBucketOwner="1" * 12, SSEKMSKeyId="alias/mine")
    (headers,) = wire.headers_of("PutObject")
    assert headers[OWNER_HEADER] == "1" * 12
    assert _encryption(headers) == ("aws:kms", "alias/mine", "true")


def test_no_other_client_for_s3_is_made() -> None:
    """Whoever makes one of his own goes past the terms; the service's buckets are those of the jobs' own requests."""
    root = Path(sm_remote.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("client", "resource") and node.args:
                name = node.args[0]
                if isinstance(name, ast.Constant) and name.value == "s3":
                    found.add(str(path.relative_to(root)))
    found = {path for path in found if not path.startswith("service/")}
    # The first makes it; those of the jobs ask its Session. The last
    # reads settings, which say the terms: it names the owner itself.
    assert found == {
        "aws/session.py",
        "jobs/account.py",
        "jobs/connection.py",
        "settings/sagemaker_config.py",
    }


def test_settings_say_the_terms(tmp_path: Path) -> None:
    where: Any = {"environ": {"HOME": str(tmp_path)}, "cwd": tmp_path}
    settings = resolve_settings({"s3_kms_key": KEY, "bucket_owner": OWNER}, **where)
    assert choose_terms(settings) == S3Terms(bucket_owner=OWNER, kms_key=KEY)
    assert choose_terms(resolve_settings({}, **where)) == S3Terms()


def test_the_terms_are_imposed_on_a_client_that_is_given_back() -> None:
    client = boto3.session.Session("AKIA", "secret", region_name="us-east-1").client("s3")
    assert impose_terms(client, S3Terms(), find_account=lambda: None) is client
