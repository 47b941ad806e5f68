"""Manifests that name a channel's objects."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.service.channels.manifests import parse_augmented_manifest, parse_manifest
from sm_remote.service.storage.objects import ObjectError, ObjectUri

PATHS = st.lists(st.text(max_size=20))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(PATHS)
def test_a_manifest_comes_back_as_it_was_written(paths):
    prefix, found = parse_manifest(json.dumps([{"prefix": "s3://b/p/"}, *paths]).encode())
    assert (prefix, found) == (ObjectUri(bucket="b", key="p/"), paths)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_else_is_read_the_error_is_an_object_error(content):
    try:
        parse_manifest(content)
        list(parse_augmented_manifest(content, ["a"]))
    except ObjectError:
        pass


@given(st.lists(st.fixed_dictionaries({"x-ref": st.just("s3://b/k"), "y": JSON, "z": st.text(max_size=9)})))
def test_attributes_come_in_the_requests_order_references_as_uris_and_text_as_it_is(records):
    content = "\n".join(json.dumps(record) for record in records).encode()
    found = list(parse_augmented_manifest(content, ["z", "x-ref"]))
    assert found == [(record["z"].encode(), ObjectUri(bucket="b", key="k")) for record in records]


def test_what_is_no_text_comes_as_json():
    (record,) = parse_augmented_manifest(b'\n{"a": {"b": [1, 2]}, "c": 3}\n\n', ["a", "c"])
    assert record == (b'{"b":[1,2]}', b"3")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b'{"a": 1}\n{"b": 1}', "line 2 of the augmented manifest has no attribute 'a'"),
        (b"{", "line 1 of the augmented manifest cannot be read"),
        (b"[]", "line 1 of the augmented manifest cannot be read"),
        (b'{"a-ref": "nowhere", "a": 1}', "line 1"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(content, what):
    with pytest.raises(ObjectError, match=what):
        list(parse_augmented_manifest(content, ["a-ref", "a"] if b"ref" in content else ["a"]))
