from __future__ import annotations

import pytest

from sm_remote.wire.digest import BlobRef
from sm_remote.wire.launch import build_launch, read_manifest_digest

RUNTIME = BlobRef(digest="a" * 64, size_bytes=1)
MANIFEST = BlobRef(digest="b" * 64, size_bytes=1)


def test_a_launch_fits_into_the_api():
    entrypoint, arguments = build_launch(RUNTIME, MANIFEST)
    for items in (entrypoint, arguments):
        assert 1 <= len(items) <= 100
        assert all(1 <= len(item) <= 256 and "\n" not in item for item in items)


def test_a_launch_is_the_same_for_the_same_objects():
    assert build_launch(RUNTIME, MANIFEST) == build_launch(RUNTIME, MANIFEST)
    assert build_launch(RUNTIME, MANIFEST) != build_launch(RUNTIME, MANIFEST, python=(3, 7))


def test_the_manifests_digest_can_be_read_back():
    _, arguments = build_launch(RUNTIME, MANIFEST)
    assert read_manifest_digest(arguments) == MANIFEST.digest
    assert read_manifest_digest(arguments[:-1]) is None


def test_the_verifier_is_written_for_any_python_3():
    """It must compile where nothing newer than Python 3.6 is there to say that the version is wrong."""
    import ast

    _, arguments = build_launch(RUNTIME, MANIFEST)
    ast.parse("\n".join(arguments[1 : 1 + int(arguments[0])]), feature_version=(3, 6))


def test_a_launch_in_a_conda_environment_fits_into_the_api_and_parses():
    import ast

    _, arguments = build_launch(RUNTIME, MANIFEST, conda_env="my_env-1")
    assert len(arguments) <= 100
    assert all(1 <= len(item) <= 256 and "\n" not in item for item in arguments)
    ast.parse("\n".join(arguments[1 : 1 + int(arguments[0])]), feature_version=(3, 6))
    assert read_manifest_digest(arguments) == MANIFEST.digest


def test_an_image_may_name_its_conda_environment_itself():
    _, arguments = build_launch(RUNTIME, MANIFEST)
    assert any("SAGEMAKER_JOB_CONDA_ENV" in line for line in arguments)


@pytest.mark.parametrize("name", ["", "a b", '"+x+"', "../base", "ä"])
def test_what_is_no_name_of_a_conda_environment_never_reaches_the_program(name):
    with pytest.raises(ValueError, match="conda environment"):
        build_launch(RUNTIME, MANIFEST, conda_env=name)
