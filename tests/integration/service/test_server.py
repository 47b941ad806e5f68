"""The HTTP edge: what never gets to an operation, and what every answer has."""

from __future__ import annotations

import http.client
import json
import socket

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from sm_remote.home import Home
from sm_remote.service.api.replies import read_patience
from sm_remote.service.server import MAX_BODY_BYTES
from tests.fakes.engine import FakeEngine
from tests.fakes.service import make_client, serve

JSON = "application/x-amz-json-1.1"


@pytest.fixture(scope="module")
def discovery(tmp_path_factory):
    directory = tmp_path_factory.mktemp("server")
    with serve(Home(data=directory, cache=directory / "cache"), FakeEngine()) as found:
        yield found


@pytest.fixture(scope="module")
def call(discovery):
    """Sends a signed request, altered afterwards as the test says; gives status, headers and body."""

    def send(
        target: str = "SmRemote.Status",
        body: bytes = b"{}",
        *,
        method: str = "POST",
        path: str = "/",
        content_type: str = JSON,
        service: str = "sagemaker",
        signed: bool = True,
        **altered: str,
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {"Content-Type": content_type, "X-Amz-Target": target}
        request = AWSRequest(method="POST", url=f"{discovery.endpoint_url}/", data=body, headers=headers)
        if signed:
            SigV4Auth(Credentials(discovery.access_key, discovery.secret_key), service, "us-east-1").add_auth(request)
        sent = {**dict(request.headers), **{name.replace("_", "-"): value for name, value in altered.items()}}
        connection = http.client.HTTPConnection("127.0.0.1", discovery.port, timeout=120)
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, content

    return send


def code_of(content: bytes) -> str:
    return json.loads(content)["__type"]


def test_a_signed_request_is_answered(call, discovery):
    status, headers, content = call()
    assert status == 200
    answer = json.loads(content)
    assert (answer["Engine"], answer["RunningJobs"], answer["QueuedJobs"]) == ("fake", 0, 0)
    assert headers["x-sm-remote-instance"] == discovery.instance == answer["Instance"]


def test_every_answer_is_json_that_no_browser_sniffs_or_keeps(call):
    for answer in (call(), call(signed=False), call(Host="evil.example"), call(method="GET"), call(path="/x")):
        _, headers, content = answer
        assert headers["content-type"] == JSON
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        assert not any(name.startswith("access-control") for name in headers)
        json.loads(content)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost"])
def test_a_forged_host_is_misdirected(call, host):
    assert call(Host=host)[0] == 421


@pytest.mark.parametrize("header", ["Origin", "Sec_Fetch_Site", "Sec_Fetch_Mode"])
def test_a_browsers_request_is_refused_even_when_it_is_signed(call, header):
    status, _, content = call(**{header: "http://localhost:8888"})
    assert (status, code_of(content)) == (403, "AccessDeniedException")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_post_is_served(call, method):
    assert call(method=method)[0] == 405


def test_head_is_not_served_either(call):
    assert call(method="HEAD")[0] == 405


@pytest.mark.parametrize("path", ["/x", "/?a=b", "//", "/../etc/passwd"])
def test_only_the_root_is_served(call, path):
    assert call(path=path)[0] == 404


def test_an_unsigned_request_is_refused_and_learns_nothing(call):
    status, _, content = call(signed=False)
    assert (status, code_of(content)) == (403, "MissingAuthenticationTokenException")
    assert call(target="SageMaker.NoSuchThing", signed=False)[2] == content


def test_another_content_type_is_refused(call):
    assert call(content_type="text/plain")[0] == 415


def test_a_body_over_the_cap_is_refused_before_it_is_read(call, discovery):
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{discovery.port}\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", discovery.port), timeout=120) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(4096)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"NextToken": null}'])
def test_an_empty_request_is_a_request_without_members(call, body):
    assert call("SageMaker.ListTrainingJobs", body)[0] == 200


@pytest.mark.parametrize("body", [b"[]", b"5", b"{", b"\xff", b'{"MaxResults": NaN}', b"[" * 200_000, b'{"a"', b"null"])
def test_a_body_that_is_no_object_is_a_serialization_exception(call, body):
    status, _, content = call("SageMaker.ListTrainingJobs", body)
    assert (status, code_of(content)) == (400, "SerializationException")


@pytest.mark.parametrize("target", ["SageMaker.CreateModel", "SageMaker.", "", "Nothing.At.All", "SmRemote.X"])
def test_an_operation_that_is_not_served_is_named(call, target):
    status, _, content = call(target)
    assert (status, code_of(content)) == (400, "UnknownOperationException")


@pytest.mark.parametrize("service", ["ecr", "sagemaker", "dynamodb"])
def test_an_operation_of_a_service_that_is_not_here_is_named_whatever_it_is_signed_for(call, service):
    status, _, content = call("AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", service=service)
    assert (status, code_of(content)) == (400, "UnknownOperationException")
    assert b"DescribeRepositories" in content


def test_a_signature_for_another_service_does_not_open_the_logs(call):
    assert call("Logs_20140328.DescribeLogStreams", service="sagemaker")[0] == 403


def test_boto3_with_a_wrong_key_is_told_so(discovery):
    with pytest.raises(ClientError) as caught:
        make_client(discovery, secret_key="wrong").list_training_jobs()
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with pytest.raises(ClientError) as caught:
        make_client(discovery, access_key="SMRLWRONG").list_training_jobs()
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_sts_says_who_everybody_is(discovery):
    identity = make_client(discovery, "sts").get_caller_identity()
    assert identity["Account"] == "000000000000"


@pytest.mark.parametrize("operation", ["list_buckets", "create_bucket", "put_object"])
def test_s3_is_not_here_and_the_answer_says_what_to_do(discovery, operation):
    """`sm-remote service env` points all services here, S3 among them where there is no other."""
    arguments = {"create_bucket": {"Bucket": "mine"}, "put_object": {"Bucket": "mine", "Key": "k", "Body": b"x"}}
    with pytest.raises(ClientError, match="service start --with-s3"):
        getattr(make_client(discovery, "s3"), operation)(**arguments.get(operation, {}))


def test_other_sts_actions_are_refused(discovery):
    with pytest.raises(ClientError, match="Could not find operation GetSessionToken"):
        make_client(discovery, "sts").get_session_token()


def test_an_image_is_asked_for_its_python(call):
    status, _, content = call("SmRemote.InspectImage", b'{"Image": "my-image"}')
    assert status == 200
    assert (
        json.loads(content).items()
        >= {
            "PythonVersion": "3.11.7",
            "Platform": "linux/x86_64",
            "Glibc": "2.36",
            "Packages": {"numpy": "2.0"},
        }.items()
    )
    assert call("SmRemote.InspectImage", b'{"Image": 5}')[0] == 400


def test_secrets_of_a_job_that_is_not_there_are_not_taken_and_not_repeated(call):
    body = json.dumps({"TrainingJobName": "absent", "Values": {"HF_TOKEN": "value-of-mine"}}).encode()
    status, _, content = call("SmRemote.GiveSecrets", body)
    assert status == 400
    assert b"Requested resource not found" in content
    assert b"value-of-mine" not in content


def test_a_wait_that_makes_no_sense_is_none():
    for wait, seen in (("x", "1"), ("nan", "1"), ("-5", "1"), ("5", "x"), (None, None), ("", "")):
        assert read_patience(wait, seen).wait_s == 0.0
    assert read_patience("1e9", "3").wait_s == 30.0


@pytest.mark.parametrize("depth", [300, 900, 5000])
def test_a_request_that_is_nested_too_deeply_is_refused(call, depth):
    body = b'{"TrainingJobName": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
    status, _, content = call("SageMaker.CreateTrainingJob", body)
    assert (status, code_of(content)) == (400, "SerializationException")


def test_a_member_that_is_null_is_not_there(call):
    body = b'{"TrainingJobName": null, "ResourceConfig": {"InstanceType": null}}'
    _, _, content = call("SageMaker.CreateTrainingJob", body)
    assert "Value null at 'trainingJobName'" in json.loads(content)["message"]
    assert "Value null at 'resourceConfig.instanceType'" in json.loads(content)["message"]
