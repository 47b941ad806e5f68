"""Signatures: what boto3 signs passes, and nothing else does."""

from __future__ import annotations

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sm_remote.service.api.authentication import _DATE as DATE
from sm_remote.service.api.authentication import Keys, Request, Verifier, refuse_browsers, refuse_foreign_host
from sm_remote.service.api.errors import ApiError

KEYS = Keys(access_key="SMRLTEST", secret_key="secret")


def sign(body: bytes = b"{}", *, secret: str = "secret", service: str = "sagemaker", **headers: str) -> Request:
    request = AWSRequest(
        method="POST",
        url="http://127.0.0.1:4321/",
        data=body,
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.X", **headers},
    )
    SigV4Auth(Credentials("SMRLTEST", secret), service, "eu-central-1").add_auth(request)
    sent = {"host": "127.0.0.1:4321", **{name.lower(): value for name, value in request.headers.items()}}
    return Request(method="POST", target="/", headers=tuple(sent.items()), body=body)


def altered(request: Request, **headers: str | None) -> Request:
    changed = {**dict(request.headers), **{name.replace("_", "-"): value for name, value in headers.items()}}
    kept = tuple((name, value) for name, value in changed.items() if value is not None)
    return Request(method="POST", target="/", headers=kept, body=request.body)


def verify(request: Request, *, clock=None, service: str = "sagemaker") -> None:
    import time

    Verifier(KEYS, clock or time.time).verify(request, service)


def refusal(request: Request, **options) -> str:
    with pytest.raises(ApiError) as caught:
        verify(request, **options)
    assert caught.value.status == 403
    return caught.value.code


def test_what_botocore_signs_is_let_in():
    verify(sign())


def test_a_wrong_secret_is_refused():
    assert refusal(sign(secret="wrong")) == "InvalidSignatureException"


def test_an_unknown_access_key_is_refused():
    request = sign()
    forged = dict(request.headers)["authorization"].replace("SMRLTEST", "SMRLOTHER")
    assert refusal(altered(request, authorization=forged)) == "UnrecognizedClientException"


def test_an_altered_body_is_refused():
    request = sign(b'{"a":1}')
    longer = Request(method="POST", target="/", headers=request.headers, body=request.body + b" ")
    assert refusal(longer) == "InvalidSignatureException"


def test_an_altered_body_is_refused_even_where_the_signed_hash_is_the_old_one():
    import hashlib

    request = sign(b"{}", **{"X-Amz-Content-SHA256": hashlib.sha256(b"{}").hexdigest()})
    verify(request)
    other = Request(method="POST", target="/", headers=request.headers, body=b"[]")
    assert refusal(other) == "InvalidSignatureException"


def test_an_unsigned_payload_is_refused():
    assert refusal(sign(b"{}", **{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})) == "InvalidSignatureException"


def test_a_forged_host_is_refused():
    assert refusal(altered(sign(), host="localhost:4321")) == "InvalidSignatureException"


def test_a_forged_target_is_refused():
    assert refusal(altered(sign(), x_amz_target="SageMaker.Y")) == "InvalidSignatureException"


@pytest.mark.parametrize("value", [None, "", "Basic YTpi", "AWS4-HMAC-SHA256 Credential=x"])
def test_a_request_without_a_signature_is_refused(value):
    assert refusal(altered(sign(), authorization=value)) == "MissingAuthenticationTokenException"


def test_a_signature_for_another_service_is_refused():
    assert refusal(sign(service="logs")) == "InvalidSignatureException"


def test_a_header_that_matters_must_be_among_the_signed_ones():
    request = sign()
    authorization = dict(request.headers)["authorization"].replace("x-amz-target", "x-amz-other")
    assert refusal(altered(request, authorization=authorization)) == "InvalidSignatureException"


@pytest.mark.parametrize("offset_s", [-301, 301])
def test_a_request_from_another_time_is_refused(offset_s):
    import time

    assert refusal(sign(), clock=lambda: time.time() + offset_s) == "RequestTimeTooSkewed"


def test_a_request_from_the_same_time_is_let_in_though_clocks_differ():
    import time

    verify(sign(), clock=lambda: time.time() + 290)


def test_a_date_twice_is_refused():
    request = sign()
    twice = Request(
        method="POST", target="/", headers=(*request.headers, ("x-amz-date", "20200101T000000Z")), body=b"{}"
    )
    assert refusal(twice) == "InvalidSignatureException"


def test_a_date_that_is_none_is_refused():
    request = sign()
    date = dict(request.headers)["x-amz-date"]
    assert DATE.fullmatch(date)
    assert refusal(altered(request, x_amz_date=date[:8] + "T999999Z")) == "InvalidSignatureException"


@pytest.mark.parametrize("host", ["127.0.0.1:4321", "localhost:4321"])
def test_the_services_own_host_is_served(host):
    refuse_foreign_host(host, 4321)


@pytest.mark.parametrize(
    "host", [None, "", "127.0.0.1", "127.0.0.1:80", "evil.example:4321", "localhost.evil.example:4321", "[::1]:4321"]
)
def test_any_other_host_is_refused(host):
    with pytest.raises(ApiError) as caught:
        refuse_foreign_host(host, 4321)
    assert caught.value.status == 421


@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site", "sec-fetch-mode"])
def test_what_a_browser_adds_is_refused(name):
    with pytest.raises(ApiError) as caught:
        refuse_browsers(["Host", name])
    assert caught.value.status == 403
