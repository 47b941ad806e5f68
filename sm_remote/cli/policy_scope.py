"""What policies are limited to, by the settings and what a command line says instead. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sm_remote.aws.ecr_uri import OWN_REPOSITORY, parse_ecr_uri
from sm_remote.aws.policies import Scope, find_partition
from sm_remote.catalogue import list_accounts
from sm_remote.errors import ConfigError
from sm_remote.inputs import TrainingInput, is_remote, read_input
from sm_remote.jobs.account import NEW_ROLE, default_bucket
from sm_remote.storage.store import parse_s3_uri
from sm_remote.wire.secret import parse_reference

if TYPE_CHECKING:
    from sm_remote.settings import ResolvedSettings

_PREFIX = "sm_remote"
"""Below the default bucket."""


def build_scope(
    settings: ResolvedSettings,
    *,
    region: str,
    account: str,
    bucket: str | None = None,
    role: str | None = None,
    kms_keys: Sequence[str] = (),
    inputs: Sequence[str] = (),
) -> Scope:
    """The scope of this user's jobs.

    Args:
        settings: What is not said here is taken from them.
        region: Of the jobs.
        account: That has them.
        bucket: ``bucket`` or ``s3://bucket/prefix``.
        role: ARN or name of the jobs' role.
        kms_keys: Keys that are used, besides those of the settings.
        inputs: ``s3://...`` of what jobs read elsewhere, besides the inputs of the settings.

    Raises:
        ConfigError: Something cannot be a part of a policy.
    """
    partition = find_partition(region)
    place, prefix = _find_root(settings, bucket, region, account)
    keys = [*kms_keys, *filter(None, (settings.s3_kms_key, settings.volume_kms_key))]
    elsewhere = [*inputs, *_list_inputs(settings)]
    return Scope(
        region=region,
        account=account,
        partition=partition,
        bucket=place,
        prefix=prefix,
        role_arn=_spell_role(role or settings.role or NEW_ROLE, partition, account),
        checkpoints=_spell_places(filter(None, [settings.checkpoint_s3_uri])),
        inputs=_spell_places(elsewhere),
        kms_keys=tuple(dict.fromkeys(_spell_key(key, partition, region, account) for key in keys)),
        image_repositories=_list_repositories(settings, partition, region, account),
        secrets=tuple(dict.fromkeys(_list_secrets(settings, f"arn:{partition}:secretsmanager:{region}:{account}"))),
    )


def _list_inputs(settings: ResolvedSettings) -> Iterator[str]:
    """The channels that name their place in S3; data of this machine is stored below the root."""
    for item in settings.inputs.values():
        found = read_input(item)
        if isinstance(found, TrainingInput) and is_remote(found.s3_data):
            yield str(found.s3_data)


def _spell_places(uris: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys("/".join(filter(None, parse_s3_uri(uri))) for uri in uris))


def _list_secrets(settings: ResolvedSettings, start: str) -> Iterator[str]:
    """Source: AWS Secrets Manager User Guide, "IAM policy examples": a secret's ARN ends in six random characters."""
    for text in settings.secrets.values():
        secret = parse_reference(text).secret_id
        if secret:
            yield secret if secret.startswith("arn:") else f"{start}:secret:{secret}-??????"


def _find_root(settings: ResolvedSettings, bucket: str | None, region: str, account: str) -> tuple[str, str]:
    if bucket is not None:
        return parse_s3_uri(bucket if "://" in bucket else f"s3://{bucket}")
    if settings.s3_root_uri:
        return parse_s3_uri(settings.s3_root_uri)
    return default_bucket(region, account), _PREFIX


def _spell_role(role: str, partition: str, account: str) -> str:
    return role if role.startswith("arn:") else f"arn:{partition}:iam::{account}:role/{role}"


def _spell_key(key: str, partition: str, region: str, account: str) -> str:
    """Source: AWS KMS Developer Guide, "Key policies": a policy names a key by its ARN, never by an alias."""
    if key.startswith("alias/") or ":alias/" in key:
        raise ConfigError(
            f"The key {key!r} is an alias, and a policy does not allow a key by its alias.",
            fix=f"Give the key's ARN: `aws kms describe-key --key-id {key} --query KeyMetadata.Arn`.",
        )
    return key if key.startswith("arn:") else f"arn:{partition}:kms:{region}:{account}:key/{key}"


def _list_repositories(settings: ResolvedSettings, partition: str, region: str, account: str) -> tuple[str, ...]:
    """The repository of built images, those of AWS's images, and that of the image that is set."""
    owners = [f"ecr:{region}:{owner}:repository/*" for owner in list_accounts(region)]
    named = parse_ecr_uri(settings.image_uri) if isinstance(settings.image_uri, str) else None
    own = f"ecr:{region}:{account}:repository/{OWN_REPOSITORY}"
    tails = [own, *owners, *([named.arn_tail] if named else [])]
    return tuple(f"arn:{partition}:{tail}" for tail in dict.fromkeys(tails))
