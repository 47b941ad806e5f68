from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sm_remote.wire.digest import BlobRef
from sm_remote.wire.manifest import Manifest, ManifestObject

FUNCTION = BlobRef(digest="f" * 64, size_bytes=1)
BUFFERS = (BlobRef(digest="b" * 64, size_bytes=2), BlobRef(digest="c" * 64, size_bytes=3))
MANIFEST = Manifest(
    objects=(
        ManifestObject(role="function", ref=FUNCTION),
        *(ManifestObject(role="buffer", ref=ref) for ref in BUFFERS),
    ),
    python="3.11",
    function_name="träin",
    layer_key="key",
    requirements=("pandas==3.0.0",),
    sm_remote="0.1.0",
)


def test_a_manifest_is_canonical_json():
    assert MANIFEST.to_json().decode() == (
        '{"call":"plain","format":1,"function_name":"träin","layer":{"channel":"sm_remote_layer","key":"key"},'
        f'"objects":[{{"role":"function","sha256":"{"f" * 64}","size":1}},'
        f'{{"role":"buffer","sha256":"{"b" * 64}","size":2}},{{"role":"buffer","sha256":"{"c" * 64}","size":3}}],'
        '"python":"3.11","requirements":["pandas==3.0.0"],"sm_remote":"0.1.0","source_roots":["."]}'
    )


@pytest.mark.parametrize("manifest", [MANIFEST, replace(MANIFEST, layer_key=None, call="async", objects=())])
def test_what_is_written_is_read(manifest):
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_objects_are_found_by_role():
    assert MANIFEST.one("function") == FUNCTION
    assert MANIFEST.all("buffer") == BUFFERS
    for role in ("buffer", "source"):
        with pytest.raises(LookupError, match=role):
            MANIFEST.one(role)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format":2}', b'{"format":1}'])
def test_anything_else_is_a_value_error(content):
    with pytest.raises(ValueError):
        Manifest.from_json(content)


def test_a_later_field_is_ignored():
    content = json.loads(MANIFEST.to_json()) | {"later": 1}
    assert Manifest.from_json(json.dumps(content).encode()) == MANIFEST
