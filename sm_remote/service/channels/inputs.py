"""The objects that a channel's data source names.

Source: API_S3DataSource; SageMaker Developer Guide, "Access Training Data".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sm_remote.service.channels.manifests import parse_augmented_manifest, parse_manifest
from sm_remote.service.storage.buckets import Buckets
from sm_remote.service.storage.objects import Bucket, ObjectUri, parse_uri


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One object of a channel.

    Attributes:
        bucket: Where it is.
        bucket_name: What URIs call it.
        key: Its key there.
        relative: Its path below the channel's directory.
    """

    bucket: Bucket
    bucket_name: str
    key: str
    relative: str


def find_path(prefix: str, key: str) -> str:
    """Where below its channel's directory an object lies.

    A prefix that names a folder stands for the folder, with or without its last slash: the SageMaker SDKs count on
    that (``s3://bucket/job/sm_drivers`` has its files in ``<channel>/``). Otherwise the path begins after the prefix's
    last slash, which is our choice.
    """
    folder = prefix if prefix.endswith("/") else f"{prefix}/"
    return key[len(folder) :] if key.startswith(folder) else key[prefix.rfind("/") + 1 :]


def list_inputs(source: Mapping[str, Any], buckets: Buckets) -> Iterator[Input]:
    """Yields each object of an S3DataSource, in the order of the source.

    Raises:
        ObjectError: The manifest cannot be read or is not one.
    """
    uri = parse_uri(source["S3Uri"])
    bucket = buckets.find(uri)
    if source["S3DataType"] == "ManifestFile":
        prefix, paths = parse_manifest(bucket.read(uri.key))
        named = buckets.find(prefix)
        for path in paths:
            yield Input(bucket=named, bucket_name=prefix.bucket, key=prefix.key + path, relative=path)
    elif source["S3DataType"] == "AugmentedManifestFile":
        yield from _list_augmented(uri, source.get("AttributeNames", ()), buckets)
    else:
        for key in bucket.list_keys(uri.key):
            if not key.endswith("/"):
                yield Input(bucket=bucket, bucket_name=uri.bucket, key=key, relative=find_path(uri.key, key))


def _list_augmented(uri: ObjectUri, attribute_names: Any, buckets: Buckets) -> Iterator[Input]:
    """The manifest itself, and each object that a chosen attribute refers to, under its key.

    SageMaker supports these manifests in Pipe mode; its guide suffers them in File mode without saying what is found
    there, so this is our choice.
    """
    bucket = buckets.find(uri)
    yield Input(bucket=bucket, bucket_name=uri.bucket, key=uri.key, relative=uri.key.rpartition("/")[2])
    seen = set()
    for record in parse_augmented_manifest(bucket.read(uri.key), attribute_names):
        for part in record:
            if isinstance(part, ObjectUri) and part not in seen:
                seen.add(part)
                yield Input(bucket=buckets.find(part), bucket_name=part.bucket, key=part.key, relative=part.key)
