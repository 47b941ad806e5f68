"""The table of permissions and the code's calls to AWS are kept in step: neither has what the other lacks."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.loaders import create_loader

import sm_remote
from sm_remote.aws.permissions import CALLER, EXECUTION, PARTS

PACKAGE = Path(sm_remote.__file__).parent
LOCAL_ONLY = {"service", "labextension"}
"""The local training service is no client of AWS; with S3 it acts as SageMaker does, under the job's credentials."""
CALLERS = {"_call", "_send", "_ask", "get_paginator", "get_waiter", "getattr"}
"""Functions of ours and of boto3 that are given a method's name as a text."""
MAKERS = {"client", "make_client", "_make_client"}
BOTO3_METHODS = {"s3": {"download_file", "upload_file", "download_fileobj", "upload_fileobj", "copy"}}
OURS = {"search"}
"""Methods that call nothing at AWS although an operation has the name: `search` of a regular expression."""
LOADER = create_loader()
ROWS = [row for row in (*CALLER, *EXECUTION) if row.call]


@cache
def operations_of(service: str) -> dict[str, str]:
    """An API's operations by the names that boto3 gives them."""
    model = LOADER.load_service_model(service, "service-2")
    return {xform_name(name): name for name in model["operations"]}


def methods_of(service: str) -> set[str]:
    """What a boto3 client of a service can be asked."""
    return set(operations_of(service)) | BOTO3_METHODS.get(service, set())


def list_files() -> Iterator[Path]:
    for file in PACKAGE.rglob("*.py"):
        if file.relative_to(PACKAGE).parts[0] not in LOCAL_ONLY:
            yield file


def find_names(source: str) -> tuple[set[str], set[str]]:
    """What a module may call at AWS, and the services that it makes clients of."""
    methods, services = set(), set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in MAKERS:
            services |= set(texts)
        elif called in CALLERS:
            methods |= set(texts[-1:])
            services |= set(texts[:-1]) if called.startswith("_") else set()
        elif isinstance(node.func, ast.Attribute):
            methods.add(called)
    return methods, services


@cache
def scan() -> tuple[frozenset[str], frozenset[str], dict[str, str]]:
    methods: set[str] = set()
    services: set[str] = set()
    places: dict[str, str] = {}
    for file in list_files():
        found, made = find_names(file.read_text(encoding="utf-8"))
        places.update({name: str(file.relative_to(PACKAGE)) for name in found | made})
        methods |= found
        services |= made
    return frozenset(methods), frozenset(services), places


def test_every_call_to_aws_has_its_row() -> None:
    methods, services, places = scan()
    known = {row.call for row in ROWS}
    asked = services | {row.call.partition(".")[0] for row in ROWS}
    missing = {}
    for method in sorted(methods - OURS):
        can = [service for service in asked if method in methods_of(service)]
        if can and not any(f"{service}.{method}" in known for service in can):
            missing[f"{' or '.join(sorted(can))}.{method}"] = places[method]
    assert methods >= OURS
    assert not missing, "Add rows to sm_remote/aws/permissions.py for these calls, or name what is no call in OURS."


def test_every_service_has_rows() -> None:
    _, services, places = scan()
    rows = {row.call.partition(".")[0] for row in ROWS}
    assert not {name: places[name] for name in services - rows}


def test_no_row_is_without_its_call() -> None:
    methods, services, _ = scan()
    for row in ROWS:
        service, _, method = row.call.partition(".")
        assert method in methods_of(service), f"{service} has no {method}"
        assert method in methods, f"nothing calls {row.call}"
        assert service in services


def test_a_scan_sees_each_way_of_calling() -> None:
    source = """
answer = session.client("ecr").describe_images(x=1)
self._call("logs", "get_log_events", a=2)
pages = client.get_paginator("list_roles").paginate()
text = "list_objects_v2"
"""
    methods, services = find_names(source)
    assert {"describe_images", "get_log_events", "list_roles"} <= methods
    assert "list_objects_v2" not in methods
    assert services == {"ecr", "logs"}


OTHER_NAMES = {
    # The actions of S3 are named by what is done, not by operations. Source: Amazon S3 User Guide, "Required
    # permissions for Amazon S3 API operations".
    "s3.head_object": "s3:GetObject",
    "s3.download_file": "s3:GetObject",
    "s3.list_objects_v2": "s3:ListBucket",
    "s3.create_multipart_upload": "s3:PutObject",
    "s3.upload_part": "s3:PutObject",
    "s3.head_bucket": "s3:ListBucket",
    "s3.list_buckets": "s3:ListAllMyBuckets",
    "s3.put_public_access_block": "s3:PutBucketPublicAccessBlock",
    "s3.put_bucket_encryption": "s3:PutEncryptionConfiguration",
    "s3.complete_multipart_upload": "s3:PutObject",
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.call)
def test_a_call_takes_the_action_of_its_name(row) -> None:
    service, _, method = row.call.partition(".")
    expected = OTHER_NAMES.get(row.call) or f"{service.replace('-', '')}:{operations_of(service)[method]}"
    assert expected in row.actions
    assert set(row.parts) <= set(PARTS) | {"secrets", "job"}


def test_a_call_has_one_row() -> None:
    assert [call for call, count in Counter(row.call for row in ROWS).items() if count > 1] == []


@pytest.mark.parametrize("row", [row for row in (*CALLER, *EXECUTION) if not row.call], ids=lambda row: row.why)
def test_what_aws_does_itself_has_a_reason(row) -> None:
    assert row.why
    assert all(re.fullmatch(r"[a-z0-9]+:[A-Z][A-Za-z]+", action) for action in row.actions)
