"""The SageMaker SDK's configuration is a source of settings, just above the defaults."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_remote.errors import ConfigError, RemoteError
from sm_remote.home import LOCAL_BUCKET, find_home
from sm_remote.settings.sagemaker_config import SETTINGS, fetch_object, read_settings
from sm_remote.settings.schema import NAMES
from sm_remote.storage.embedded import EmbeddedStore

FULL = """
SchemaVersion: '1.0'
SageMaker:
  TrainingJob:
    RoleArn: arn:aws:iam::555555555555:role/other
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      RemoteFunction:
        Dependencies: ./requirements.txt
        EnableInterContainerTrafficEncryption: true
        EnvironmentVariables: {MODE: fast, DEBUG: 1}
        ImageUri: 555555555555.dkr.ecr.us-west-2.amazonaws.com/my-image:latest
        IncludeLocalWorkDir: true
        CustomFileFilter:
          IgnoreNamePatterns: ['*.ipynb', data]
        InstanceType: ml.m5.xlarge
        JobCondaEnvironment: my-env
        PreExecutionCommands: [echo hello]
        RoleArn: arn:aws:iam::555555555555:role/IMRole
        S3KmsKeyId: 1234abcd-12ab-34cd-56ef-1234567890ab
        S3RootUri: s3://my-bucket/my-project
        Tags: [{Key: team, Value: vision}]
        VolumeKmsKeyId: 1234abcd-12ab-34cd-56ef-1234567890ab
        VpcConfig:
          SecurityGroupIds: [sg-123]
          Subnets: [subnet-1234]
"""


def section(text: str) -> str:
    lines = "\n".join(f"        {line}" for line in text.splitlines())
    return f"SageMaker:\n  PythonSDK:\n    Modules:\n      RemoteFunction:\n{lines}\n"


def write_user(place, text: str) -> Path:
    path = place.home / ".config" / "sagemaker" / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_key_of_the_schema_is_a_setting() -> None:
    assert set(SETTINGS.values()) <= set(NAMES)
    assert len(set(SETTINGS.values())) == len(SETTINGS) == 17


def test_the_document_lists_the_keys_as_they_are_read() -> None:
    document = (Path(__file__).parents[3] / "docs" / "settings.md").read_text()
    assert dict(re.findall(r"^\| `([\w.]+)` \| `(\w+)` \|$", document, re.MULTILINE)) == SETTINGS


def test_all_keys_are_taken_with_their_origin(place) -> None:
    path = write_user(place, FULL)
    resolved = place.resolve()
    assert resolved.dependencies == "./requirements.txt"
    assert resolved.encrypt_inter_container_traffic is True
    assert resolved.environment_variables == {"MODE": "fast", "DEBUG": "1"}
    assert resolved.image_uri == "555555555555.dkr.ecr.us-west-2.amazonaws.com/my-image:latest"
    assert resolved.include_local_workdir is True
    assert resolved.custom_file_filter == ("*.ipynb", "data")
    assert resolved.instance_type == "ml.m5.xlarge"
    assert resolved.job_conda_env == "my-env"
    assert resolved.pre_execution_commands == ("echo hello",)
    assert resolved.role == "arn:aws:iam::555555555555:role/IMRole"
    assert resolved.s3_root_uri == "s3://my-bucket/my-project"
    assert resolved.tags == {"team": "vision"}
    assert (resolved.s3_kms_key, resolved.volume_kms_key) == ("1234abcd-12ab-34cd-56ef-1234567890ab",) * 2
    assert (resolved.security_group_ids, resolved.subnets) == (("sg-123",), ("subnet-1234",))
    named = {name for name in NAMES if resolved.origin(name) == str(path)}
    assert named == set(SETTINGS.values()) - {"pre_execution_script"}


def test_our_own_files_are_above_it(place) -> None:
    write_user(place, FULL)
    own = place.write_user_file('instance_type = "ml.c5.xlarge"\n')
    resolved = place.resolve()
    assert (resolved.instance_type, resolved.origin("instance_type")) == ("ml.c5.xlarge", str(own))


def test_the_users_file_is_above_the_administrators_and_their_variables_are_merged(place, tmp_path) -> None:
    admin = tmp_path / "xdg" / "sagemaker" / "config.yaml"
    admin.parent.mkdir(parents=True)
    admin.write_text(
        section("InstanceType: ml.m5.large\nRoleArn: boss\nEnvironmentVariables: {A: '1', B: '1'}\nTags: [[a, b]]")
    )
    user = write_user(place, section("InstanceType: ml.m5.xlarge\nEnvironmentVariables: {B: '2'}"))
    resolved = place.resolve(environ={"XDG_CONFIG_DIRS": f"{tmp_path / 'xdg'}:/nowhere"})
    assert (resolved.instance_type, resolved.origin("instance_type")) == ("ml.m5.xlarge", str(user))
    assert (resolved.role, resolved.origin("role")) == ("boss", str(admin))
    assert resolved.environment_variables == {"A": "1", "B": "2"}
    assert resolved.tags == {"a": "b"}


@pytest.mark.parametrize("is_directory", [True, False])
def test_a_variable_names_another_file_or_its_directory(place, tmp_path, is_directory) -> None:
    path = tmp_path / "else" / "config.yaml"
    path.parent.mkdir()
    path.write_text(section("JobCondaEnvironment: there"))
    named = str(path.parent if is_directory else path)
    for variable in ("SAGEMAKER_USER_CONFIG_OVERRIDE", "SAGEMAKER_ADMIN_CONFIG_OVERRIDE"):
        resolved = place.resolve(environ={variable: named})
        assert (resolved.job_conda_env, resolved.origin("job_conda_env")) == ("there", named)


@pytest.mark.parametrize("key", ["team/config.yaml", "team", "team/"])
def test_a_variable_names_an_object_in_s3_or_what_it_lies_below(place, key, request) -> None:
    prefix = request.node.name.partition("[")[2].strip("]").replace("/", "-")
    store = EmbeddedStore(find_home().store, bucket=LOCAL_BUCKET)
    store.put_if_absent(f"{prefix}/team/config.yaml", section("JobCondaEnvironment: far").encode())
    uri = f"s3://{LOCAL_BUCKET}/{prefix}/{key}"
    resolved = place.resolve(environ={"SAGEMAKER_USER_CONFIG_OVERRIDE": uri})
    assert (resolved.job_conda_env, resolved.origin("job_conda_env")) == ("far", uri)


class FakeS3:
    """A bucket of one account with objects; others are turned away, as S3 does it."""

    def __init__(self, owner: str, **objects: bytes) -> None:
        self.owner, self.objects = owner, objects

    def get_object(self, *, Bucket: str, Key: str, ExpectedBucketOwner: str) -> dict[str, Any]:
        if ExpectedBucketOwner != self.owner:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "GetObject")
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}


def test_a_file_in_s3_is_read_from_the_account_that_it_is_expected_in() -> None:
    bucket = FakeS3("111122223333", **{"team/config.yaml": b"here"})
    where: Any = {"uri": "s3://bucket/team"}
    assert fetch_object(bucket, "bucket", "team", owner="111122223333", **where) == b"here"
    with pytest.raises(RemoteError, match="could not be read"):
        fetch_object(bucket, "bucket", "team", owner="999999999999", **where)
    with pytest.raises(RemoteError, match="neither"):
        fetch_object(bucket, "bucket", "other", owner="111122223333", **where)


@pytest.mark.parametrize("named", ["/no/such/config.yaml", f"s3://{LOCAL_BUCKET}/no/such", "s3://Not A Bucket/x"])
def test_a_file_that_was_named_and_is_not_there_is_refused(place, named) -> None:
    with pytest.raises(ConfigError, match="SageMaker configuration") as caught:
        place.resolve(environ={"SAGEMAKER_USER_CONFIG_OVERRIDE": named})
    assert named in caught.value.what
    assert "SAGEMAKER_USER_CONFIG_OVERRIDE" in caught.value.fix


def test_keys_that_mean_nothing_here_cost_a_warning_once(place, caplog) -> None:
    path = write_user(
        place, section("InstanceTyp: ml.m5.large\nVpcConfig: {Subnets: [subnet-1], Other: 1}\nVolumeSize: 3")
    )
    with caplog.at_level(logging.WARNING, "sm_remote"):
        assert place.resolve(notebook={}).subnets == ("subnet-1",)
        place.resolve(notebook={})
    prefix, end = f"{path}: SageMaker.PythonSDK.Modules.RemoteFunction.", " is not known to sm_remote and not used."
    names = ["InstanceTyp", "VpcConfig.Other", "VolumeSize"]
    assert [record.getMessage() for record in caplog.records] == [f"{prefix}{name}{end}" for name in names]


@pytest.mark.parametrize(
    "text", ["", "SchemaVersion: '1.0'", "- a\n- b", "3", "SageMaker: {PythonSDK: {Modules: null}}"]
)
def test_a_file_without_the_section_says_nothing(text) -> None:
    assert read_settings(text.encode(), origin="x") == {}


def test_another_schema_version_is_said(caplog) -> None:
    read_settings(b"SchemaVersion: '2.0'", origin="the file")
    assert "the file has SchemaVersion '2.0'" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("InstanceType: 3", "RemoteFunction.InstanceType"),
        ("EnvironmentVariables: [a]", "RemoteFunction.EnvironmentVariables"),
        ("IncludeLocalWorkDir: 'yes'", "true or false"),
        ("VpcConfig: subnet-1", "VpcConfig is a str, not a table"),
        ("CustomFileFilter: {IgnoreNamePatterns: 3}", "CustomFileFilter.IgnoreNamePatterns"),
    ],
)
def test_a_wrong_value_of_a_key_that_is_used_is_refused(text, said) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(section(text).encode(), origin="/the/file")
    assert said in str(caught.value)
    assert "/the/file" in caught.value.what


@pytest.mark.parametrize(
    "content", [b"a: [", b"\xff\xfe\xff", b"!!python/object/apply:os.system ['true']", section("- a").encode()]
)
def test_what_is_no_yaml_or_more_than_data_is_refused(content) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        read_settings(content, origin="/the/file")


def test_secrets_of_variables_are_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(section("EnvironmentVariables: {TOKEN: [hush]}").encode(), origin="/the/file")
    assert "hush" not in str(caught.value)
