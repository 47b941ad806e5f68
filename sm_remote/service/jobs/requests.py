"""What CreateTrainingJob is refused for on this machine: what it does not serve, what it has not got, inputs not there.

The request has passed the model and `operations.job_rules`. Source of the texts: SageMaker's, where they have been
seen; those about this machine are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sm_remote.catalogue import find_instance_type, suggest_cpu_type
from sm_remote.home import LOCAL_REGION
from sm_remote.service.api.errors import invalid, violated
from sm_remote.service.channels.file_mode import find_layer
from sm_remote.service.hosts.capacity import Capacity
from sm_remote.service.jobs.interruptions import parse_plan
from sm_remote.service.storage.buckets import Buckets
from sm_remote.service.storage.objects import ObjectError, parse_uri

_Request = Mapping[str, Any]


def check_job_request(request: _Request, host: Capacity, buckets: Buckets) -> None:
    """Refuses a request that this service cannot carry out.

    Raises:
        ApiError: ``ValidationException``, with all reasons but those of inputs, which are looked for last.
    """
    lack = find_lack(request, host)
    reasons = [*_find_unserved(request), *([lack] if lack else []), *_find_bad_script(request)]
    if reasons:
        raise violated(reasons)
    for channel in request.get("InputDataConfig", ()):
        _check_source(channel["DataSource"]["S3DataSource"], buckets, request["RoleArn"])


def _find_unserved(request: _Request) -> Iterator[str]:
    """What the local training service has nothing to serve with."""
    for is_asked, text in _UNSERVED:
        if is_asked(request):
            yield text
    for channel in request.get("InputDataConfig", ()):
        for is_asked, text in _UNSERVED_IN_CHANNELS:
            if is_asked(channel):
                yield f"{text} (channel {channel['ChannelName']})."


def _has(*path: str) -> Callable[[_Request], bool]:
    def is_asked(request: _Request) -> bool:
        value: Any = request
        for name in path:
            value = (value or {}).get(name)
        return bool(value)

    return is_asked


_UNSERVED: tuple[tuple[Callable[[_Request], bool], str], ...] = (
    (
        _has("ServerlessJobConfig"),
        "The local training service runs no serverless jobs: give AlgorithmSpecification and ResourceConfig instead of "
        "ServerlessJobConfig.",
    ),
    (_has("MlflowConfig"), "The local training service has no MLflow server: leave out MlflowConfig."),
    (_has("ModelPackageConfig"), "The local training service has no model registry: leave out ModelPackageConfig."),
    (
        _has("AlgorithmSpecification", "AlgorithmName"),
        "The local training service knows no AlgorithmName: give a TrainingImage.",
    ),
    (
        _has("ResourceConfig", "InstancePlacementConfig"),
        "The local training service has no UltraServers: leave out ResourceConfig.InstancePlacementConfig.",
    ),
)
_UNSERVED_IN_CHANNELS: tuple[tuple[Callable[[_Request], bool], str], ...] = (
    (
        _has("DataSource", "FileSystemDataSource"),
        "The local training service has no EFS or FSx file systems: give an S3DataSource instead of a "
        "FileSystemDataSource",
    ),
    (
        _has("DataSource", "DatasetSource"),
        "The local training service has no hub: give an S3DataSource instead of a DatasetSource",
    ),
    (
        lambda channel: _data_type(channel) == "Converse",
        "The local training service does not implement S3DataType Converse, which is for serverless jobs",
    ),
)


def _data_type(channel: _Request) -> str | None:
    source = channel["DataSource"].get("S3DataSource") or {}
    found: str | None = source.get("S3DataType")
    return found


def find_lack(request: _Request, host: Capacity) -> str | None:
    """What this machine has not got of a job's instances; None where it has all. Any of preferred types is enough."""
    resources = request.get("ResourceConfig") or {}
    preferred = [] if "SelectedInstanceType" in resources else resources.get("InstancePreferences", ())
    lacks = [_find_type_lack(preference["InstanceType"], host) for preference in preferred]
    if lacks:
        return None if None in lacks else lacks[0]
    for name in _list_instance_types(resources):
        lack = _find_type_lack(name, host)
        if lack is not None:
            return lack
    return None


def _list_instance_types(resources: _Request) -> list[str]:
    names = [resources.get("SelectedInstanceType") or resources.get("InstanceType")]
    names += [group["InstanceType"] for group in resources.get("InstanceGroups", ())]
    return [name for name in names if name]


def _find_type_lack(name: str, host: Capacity) -> str | None:
    try:
        instance = find_instance_type(name)
    except KeyError:
        return f"The local training service does not know how large {name} is."
    if not instance.accelerator_count or (instance.is_gpu and host.gpus):
        return None
    return (
        f"{instance.name} has {instance.accelerator_count} x {instance.accelerator}, and this machine has none. "
        f"Use a CPU instance type such as {suggest_cpu_type(instance.name)}, or run the job on AWS."
    )


def _find_bad_script(request: _Request) -> Iterator[str]:
    """Tags that script interruptions and cannot be understood."""
    try:
        parse_plan({tag["Key"]: tag["Value"] for tag in request.get("Tags", ())})
    except ValueError as error:
        yield f"The script of interruptions in Tags cannot be understood: {error}."


def _check_source(source: _Request, buckets: Buckets, role: str) -> None:
    """An input that is not there is refused at once, as SageMaker does, and not when the job is about to run."""
    uri = parse_uri(source["S3Uri"])
    try:
        if find_layer(source, buckets) is not None or any(True for _ in buckets.find(uri).list_keys(uri.key)):
            return
    except (ValueError, ObjectError) as error:
        raise invalid(f"Invalid S3Uri {source['S3Uri']}: {error}") from None
    raise invalid(
        f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure that the '
        f"bucket exists in the selected region ({LOCAL_REGION}), that objects exist under that S3 prefix, and that the "
        f'role "{role}" has "s3:ListBucket" permissions on bucket "{uri.bucket}".'
    )
