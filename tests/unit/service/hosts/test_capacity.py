"""What an instance type gets on this machine."""

from __future__ import annotations

from sm_remote.catalogue import InstanceType, find_instance_type
from sm_remote.service.hosts.capacity import Capacity, describe_cap, plan_share

GIB = 1 << 30
LAPTOP = Capacity(cpus=4, memory_bytes=16 * GIB, gpus=0)


def test_a_type_that_fits_gets_its_own_size_and_no_note():
    small = find_instance_type("ml.m5.large")
    assert plan_share(small, LAPTOP) == Capacity(cpus=2, memory_bytes=8 * GIB, gpus=0)
    assert describe_cap(small, LAPTOP) is None


def test_a_larger_type_gets_all_there_is_and_a_note_of_what_is_missing():
    large = find_instance_type("ml.m5.24xlarge")
    assert plan_share(large, LAPTOP) == LAPTOP
    assert describe_cap(large, LAPTOP) == (
        "ml.m5.24xlarge is larger than this machine; the job gets 4 of 96 vCPUs, 16.0 of 384 GiB of memory"
    )


def test_a_type_of_unknown_size_gets_all_there_is():
    unknown = InstanceType(name="ml.x9.large")
    assert plan_share(unknown, LAPTOP) == LAPTOP
    assert "not known" in (describe_cap(unknown, LAPTOP) or "")


def test_what_is_taken_is_missing_until_it_is_given_back():
    share = Capacity(cpus=3, memory_bytes=GIB, gpus=0)
    assert not share.fits_into(LAPTOP - share)
    assert share.fits_into(LAPTOP - share + share)
