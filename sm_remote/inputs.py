"""What a channel of ``inputs=`` may be: data with the options that SageMaker gives a channel, or a file system.

Names and order of parameters are the SageMaker SDK's (`sagemaker.inputs`), so that moving a program is a change of
import. Whether an option's value is one of the API's is read from botocore's model when a job is described.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from sm_remote.errors import ConfigError

_S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[\s\S]*)?")
_DATASET_ARN = re.compile(r"arn:[a-z0-9.\-]+:sagemaker:[^:]*:[^:]*:hub-content/[^/]+/DataSet/\S+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_KINDS = (("pandas", "DataFrame", "frame"), ("numpy", "ndarray", "array"), ("pyarrow", "Table", "table"))

DataKind = Literal["frame", "array", "table"]


@dataclass(frozen=True, slots=True)
class ShuffleConfig:
    """The order of a channel's objects is shuffled, anew for each epoch. Source: API_ShuffleConfig."""

    seed: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrainingInput:
    """A channel with its options. Source: API_Channel, API_S3DataSource.

    Attributes:
        s3_data: A place in S3, a local file or directory, a pandas DataFrame, a numpy array or a pyarrow Table. Local
            data is uploaded once.
        distribution: ``FullyReplicated``, or ``ShardedByS3Key``: each host gets its share of the objects.
        compression: ``Gzip``: the objects are, and Pipe mode unpacks them.
        content_type: The data's MIME type. Of a DataFrame it also chooses the file's format: ``text/csv`` or
            ``application/x-parquet``.
        record_wrapping: ``RecordIO``: Pipe mode wraps each object in a record.
        s3_data_type: ``S3Prefix``, ``ManifestFile`` or ``AugmentedManifestFile``.
        instance_groups: Which instance groups get the channel; all where it is None.
        input_mode: ``File``, ``FastFile`` or ``Pipe``; File where it is None.
        attribute_names: Which attributes of an augmented manifest are sent, in this order.
        shuffle_config: A seed (`ShuffleConfig`, or the number itself).
        hub_access_config: ``{"HubContentArn": ...}`` for data of a private hub.
        model_access_config: ``{"AcceptEula": True}`` for a model whose licence has to be accepted.
    """

    s3_data: Any
    distribution: str | None = None
    compression: str | None = None
    content_type: str | None = None
    record_wrapping: str | None = None
    s3_data_type: str = "S3Prefix"
    instance_groups: Sequence[str] | None = None
    input_mode: str | None = None
    attribute_names: Sequence[str] | None = None
    target_attribute_name: str | None = None
    shuffle_config: ShuffleConfig | int | None = None
    hub_access_config: Mapping[str, Any] | None = None
    model_access_config: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.target_attribute_name is not None:
            raise ConfigError(
                f"TrainingInput(target_attribute_name={self.target_attribute_name!r}) cannot hold.",
                why="It names what AutoML is to predict; a training job's channel has no such member.",
                fix="Leave it out.",
            )
        for name in ("instance_groups", "attribute_names"):
            if isinstance(getattr(self, name), str):
                raise ConfigError(f"TrainingInput({name}=...) is a single text.", fix=f"Give a list: {name}=['...'].")

    @property
    def shuffle_seed(self) -> int | None:
        """The seed of `shuffle_config`."""
        given = self.shuffle_config
        return given if given is None or isinstance(given, int) else int(given.seed)

    def __repr__(self) -> str:
        return f"TrainingInput({describe_data(self.s3_data)!r})"


@dataclass(frozen=True, slots=True)
class FileSystemInput:
    """A directory of a file system in the account's VPC, mounted at the channel. Source: API_FileSystemDataSource.

    Attributes:
        file_system_id: ``fs-`` and hexadecimal digits.
        file_system_type: ``EFS`` or ``FSxLustre``.
        directory_path: The directory, from the file system's root.
        file_system_access_mode: ``ro`` or ``rw``.
        content_type: The data's MIME type.
    """

    file_system_id: str
    file_system_type: str
    directory_path: str
    file_system_access_mode: str = "ro"
    content_type: str | None = None


def read_input(value: Any) -> TrainingInput | FileSystemInput:
    """What a channel is given as, with its options; those of a file's table are named as the parameters are.

    Raises:
        ValueError: It is nothing that a channel can be; the text is the reason.
    """
    if isinstance(value, Mapping):
        kind = FileSystemInput if "file_system_id" in value else TrainingInput
        try:
            value = kind(**value)
        except TypeError as error:
            raise ValueError(str(error).replace(f"{kind.__name__}.__init__() ", "a channel's table ")) from error
        except ConfigError as error:
            raise ValueError(error.what) from error
    found = value if isinstance(value, (TrainingInput, FileSystemInput)) else TrainingInput(value)
    if isinstance(found, TrainingInput):
        _check_data(found.s3_data)
    return found


def _check_data(data: Any) -> None:
    if isinstance(data, os.PathLike) or find_data_kind(data) is not None:
        return
    if not isinstance(data, str):
        raise ValueError(f"a {type(data).__module__}.{type(data).__qualname__} is no data that can be sent as a file")
    if not data.strip():
        raise ValueError("it is empty")
    if not is_remote(data) and _SCHEME.match(data) and not data.startswith("file://"):
        raise ValueError(f"{data!r:.200} is no s3:// URI and no path")


def is_remote(data: Any) -> bool:
    """Whether data lies in S3 or a hub, and so means the same on every machine."""
    return isinstance(data, str) and bool(_S3_URI.fullmatch(data) or _DATASET_ARN.fullmatch(data))


def is_dataset(data: Any) -> bool:
    """Whether it is the ARN of a hub's data set. Source: API_DatasetSource."""
    return isinstance(data, str) and bool(_DATASET_ARN.fullmatch(data))


def find_path(data: Any) -> str | None:
    """The local path that data names; None for what lies elsewhere or in memory."""
    if isinstance(data, os.PathLike):
        return os.path.expanduser(str(os.fspath(data)))
    if not isinstance(data, str) or is_remote(data):
        return None
    return unquote(data.removeprefix("file://")) if data.startswith("file://") else os.path.expanduser(data)


def find_data_kind(data: Any) -> DataKind | None:
    """What data in memory is; nothing is imported for the question: whoever has such an object has its library."""
    for module, name, kind in _KINDS:
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and isinstance(data, found):
            return kind  # type: ignore[return-value]
    return None


def describe_data(data: Any) -> str:
    """Data in a word, for people: its place, or what it is."""
    kind = find_data_kind(data)
    if kind is None:
        return str(data) if isinstance(data, (str, os.PathLike)) else type(data).__name__
    return f"{type(data).__name__} of {' x '.join(str(size) for size in data.shape) or 'one value'}"
