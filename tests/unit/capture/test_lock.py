from __future__ import annotations

import pytest

from sm_remote.capture.lock import Lock, LockedPackage, Source, build_lock

NUMPY = LockedPackage(name="numpy", version="2.0", source=Source.INSTALLED, digest="ab")
TORCH = LockedPackage(name="torch", version="2.3", source=Source.IMAGE)
TOOL = LockedPackage(name="tool", version="1", source=Source.INDEX, url="git+https://***@host/tool@0123")


def lock(*packages: LockedPackage, python: str = "3.11", platform: str = "linux-x86_64") -> Lock:
    return build_lock(packages, python=python, platform=platform)


def test_a_lock_comes_back_from_its_text():
    one = build_lock([NUMPY, TORCH, TOOL], python="3.11", platform="linux-x86_64", indexes=["https://***@i/simple"])
    assert Lock.from_json(one.to_json()) == one
    assert one.find("tool") == TOOL
    assert one.pins == ("numpy==2.0", "tool @ git+https://***@host/tool@0123", "torch==2.3")


def test_order_does_not_matter_and_everything_else_does():
    base = lock(NUMPY, TOOL)
    assert lock(TOOL, NUMPY).digest == base.digest
    others = [lock(NUMPY), lock(NUMPY, TOOL, python="3.12"), lock(NUMPY, TOOL, platform="linux-aarch64")]
    assert len({base.layer_key, *(each.layer_key for each in others)}) == 4


def test_what_the_image_has_does_not_change_the_layer():
    assert lock(NUMPY, TORCH).layer_key == lock(NUMPY).layer_key
    assert lock(NUMPY, TORCH).digest != lock(NUMPY).digest
    assert lock(NUMPY, TORCH).carried == (NUMPY,)


@pytest.mark.parametrize("data", [b"[]", b'{"format":2}', b'{"format":1}', b'{"format":1,"packages":[{}]}'])
def test_what_is_no_lock_is_refused(data):
    with pytest.raises(ValueError):
        Lock.from_json(data)
