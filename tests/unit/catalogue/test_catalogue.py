"""The catalogue of instance types: figures with sources, "unknown" without, names from botocore."""

import subprocess
import sys
import textwrap

import pytest

from sm_remote.catalogue import (
    PRICE_REGION,
    InstanceType,
    close_matches,
    find_instance_type,
    find_larger,
    largest_cpu_type,
    largest_gpu_type,
    list_choices,
    list_instance_types,
    render_memory,
    render_price,
    render_vcpu,
    suggest_cpu_type,
)
from sm_remote.catalogue.reader import list_names, read_table


def test_a_cpu_type_has_its_sizes():
    found = find_instance_type("ml.m5.large")
    assert (found.vcpu, found.memory_gib, found.architecture) == (2, 8.0, "x86_64")
    assert (found.is_gpu, found.gpu_count, found.gpu_name, found.gpu_memory_gib) == (False, 0, None, None)
    assert found.is_known


def test_a_gpu_type_has_its_gpus():
    found = find_instance_type("ml.g4dn.12xlarge")
    assert (found.is_gpu, found.gpu_count, found.gpu_name, found.gpu_memory_gib) == (True, 4, "NVIDIA T4", 16.0)


def test_an_accelerator_that_is_no_gpu_is_not_counted_as_one():
    found = find_instance_type("ml.trn1.32xlarge")
    assert (found.accelerator, found.accelerator_count) == ("AWS Trainium", 16)
    assert (found.is_gpu, found.gpu_count, found.gpu_name, found.gpu_memory_gib) == (False, 0, None, None)


def test_a_type_without_figures_is_known_by_name_and_reads_unknown():
    found = find_instance_type("ml.p6e-gb200.36xlarge")
    assert not found.is_known
    assert (found.vcpu, found.memory_gib, found.architecture, found.gpu_count) == (None, None, None, 0)
    assert (render_vcpu(found), render_memory(found)) == ("unknown vCPU", "unknown memory")
    assert render_price(found, PRICE_REGION) == "unknown"


def test_a_price_is_shown_only_for_a_region_it_is_known_for():
    found = find_instance_type("ml.g4dn.xlarge")
    assert found.price_usd_per_hour("us-east-1") == 0.7364
    assert render_price(found, "us-east-1") == "$0.7364/h"
    assert found.price_usd_per_hour("eu-west-1") is None
    assert render_price(found, "eu-west-1") == "unknown"


def test_every_price_and_every_size_has_a_source():
    for found in read_table().values():
        assert bool(found.prices_usd_per_hour) == bool(found.price_source), found.name
        assert found.is_known == (found.vcpu is not None and found.memory_gib is not None), found.name
        assert found.is_known == (found.architecture in {"x86_64", "arm64"}), found.name
        assert (found.accelerator is not None) == (found.accelerator_count > 0), found.name


def test_the_table_is_in_step_with_botocore():
    """A name that botocore does not know is a slip; one that the table lacks is for its next update."""
    assert set(read_table()) <= set(list_names())


@pytest.mark.parametrize("name", ["", "m5.large", "ml.m5.lrage", "ML.M5.LARGE", "ml.m5.large ", "local"])
def test_an_unknown_name_is_a_key_error(name):
    with pytest.raises(KeyError):
        find_instance_type(name)


def test_the_list_is_sorted_and_holds_every_name_of_botocore():
    names = [found.name for found in list_instance_types()]
    assert names == sorted(names)
    assert set(names) >= set(list_names())


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("ml.m5.lrage", "ml.m5.large"),
        ("m5.large", "ml.m5.large"),
        ("ML.M5.LARGE", "ml.m5.large"),
        ("ml.g5", "ml.g5.12xlarge"),
        ("ml.g4dn.xlarg", "ml.g4dn.xlarge"),
        ("ml.p4.24xlarge", "ml.p4d.24xlarge"),
    ],
)
def test_a_slip_is_matched_with_what_was_meant(wrong, meant):
    assert close_matches(wrong)[0] == meant
    assert len(close_matches(wrong)) <= 5


def test_nothing_is_offered_for_what_is_like_no_name():
    assert close_matches("completely different") == []


@pytest.mark.parametrize(
    ("gpu_type", "cpu_type"),
    [
        ("ml.g5.xlarge", "ml.m5.xlarge"),
        ("ml.p3.2xlarge", "ml.m5.4xlarge"),
        ("ml.p5.48xlarge", "ml.m5.24xlarge"),
        ("ml.p6e-gb200.36xlarge", "ml.m5.large"),
        ("unheard of", "ml.m5.large"),
    ],
)
def test_instead_of_a_gpu_type_a_cpu_type_of_that_size_is_named(gpu_type, cpu_type):
    assert suggest_cpu_type(gpu_type) == cpu_type


def test_the_whole_host_is_spelled_as_the_largest_types():
    assert not largest_cpu_type().is_gpu
    assert largest_gpu_type().is_gpu
    assert largest_cpu_type().vcpu == max(found.vcpu or 0 for found in read_table().values())


def test_choices_start_small_and_name_gpus_too():
    choices = list_choices()
    assert choices[0] == "ml.m5.large"
    assert any(find_instance_type(name).is_gpu for name in choices)


def test_instance_types_are_values():
    assert find_instance_type("ml.m5.large") == find_instance_type("ml.m5.large")
    assert len({InstanceType(name="a"), InstanceType(name="a")}) == 1


def test_a_known_type_is_found_without_botocore():
    code = """
        import sys
        from sm_remote.catalogue import find_instance_type
        find_instance_type("ml.m5.large")
        assert not {"botocore", "boto3", "pandas"} & set(sys.modules)
        """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


@pytest.mark.parametrize(
    ("name", "gpu", "larger"),
    [
        ("ml.m5.large", False, "ml.m5.xlarge"),
        ("ml.g5.xlarge", False, "ml.g5.2xlarge"),
        ("ml.m5.24xlarge", False, None),
        ("ml.g4dn.xlarge", True, "ml.g5.xlarge"),
        ("ml.g4dn.2xlarge", True, "ml.g5.2xlarge"),
        ("ml.m5.large", True, None),
        ("ml.nope.large", False, None),
    ],
)
def test_the_next_larger_type_has_more_memory_or_more_on_each_gpu(name, gpu, larger):
    assert find_larger(name, gpu=gpu) == larger


def test_a_larger_gpu_has_no_less_of_anything_else():
    for found in list_instance_types():
        larger = find_larger(found.name, gpu=True)
        if larger is not None:
            other = find_instance_type(larger)
            assert (other.gpu_memory_gib or 0) > (found.gpu_memory_gib or 0)
            assert other.gpu_count >= found.gpu_count
            assert (other.memory_gib or 0) >= (found.memory_gib or 0)
            assert other.architecture == found.architecture
