"""Every operation that the service has, by the name that a request's X-Amz-Target gives it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import botocore.model

from sm_remote.service.api.errors import ApiError, unknown_operation
from sm_remote.service.api.model import check_request, find_input_shape, load_model
from sm_remote.service.api.query_protocol import parse_form
from sm_remote.service.api.replies import Patience, Reply
from sm_remote.service.operations.capacity import CapacityOperations
from sm_remote.service.operations.images import ImageOperations
from sm_remote.service.operations.job_rules import find_broken_rules, find_broken_tag_rules
from sm_remote.service.operations.jobs import JobOperations
from sm_remote.service.operations.listing import JobListing
from sm_remote.service.operations.log_search import LogSearch
from sm_remote.service.operations.logs import LogOperations
from sm_remote.service.operations.metrics import MetricOperations
from sm_remote.service.operations.own import OwnOperations
from sm_remote.service.operations.search import SearchOperations
from sm_remote.service.operations.tags import TagOperations

Blocking = Callable[[Mapping[str, Any]], Reply]
Waiting = Callable[[Mapping[str, Any], Patience], Awaitable[Reply]]
Rules = Callable[[Mapping[str, Any]], Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Service:
    """A service of AWS: the name of its model in botocore, and the one in a signature's scope."""

    model: str
    signing_name: str


_SAGEMAKER = _Service(model="sagemaker", signing_name="sagemaker")
_SERVICES = {
    "SageMaker": _SAGEMAKER,
    "SmRemote": _SAGEMAKER,
    "Logs_20140328": _Service(model="logs", signing_name="logs"),
    "GraniteServiceVersion20100801": _Service(model="cloudwatch", signing_name="monitoring"),
}
"""By the first part of a target; our own operations are signed as SageMaker's."""
_QUERY_SERVICES = {"monitoring": "GraniteServiceVersion20100801"}
"""The services whose older clients speak the query protocol, by signing name; STS and IAM have modules of their own."""

_RULES: dict[str, Rules] = {
    "SageMaker.CreateTrainingJob": find_broken_rules,
    "SageMaker.AddTags": find_broken_tag_rules,
}
"""What requests are checked for that the model cannot say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        shape: Of its request; None for one of our own.
        output: The answer's shape, where the model is asked how to write it.
        find_broken_rules: What else is wrong with a request.
        blocking: Runs in a thread: it commits, or asks the engine.
        waiting: Runs on the loop: it only reads, and may wait for news.
    """

    shape: botocore.model.StructureShape | None
    output: botocore.model.Shape | None = None
    find_broken_rules: Rules = lambda request: ()
    blocking: Blocking | None = None
    waiting: Waiting | None = None


def list_operations(
    jobs: JobOperations,
    listing: JobListing,
    search: SearchOperations,
    tags: TagOperations,
    logs: LogOperations,
    log_search: LogSearch,
    metrics: MetricOperations,
    capacity: CapacityOperations,
    own: OwnOperations,
    images: ImageOperations,
) -> dict[str, Operation]:
    """All operations by target."""
    functions: dict[str, Blocking | Waiting] = {
        "SageMaker.CreateTrainingJob": jobs.create,
        "SageMaker.DescribeTrainingJob": jobs.describe,
        "SageMaker.StopTrainingJob": jobs.stop,
        "SageMaker.UpdateTrainingJob": jobs.update,
        "SageMaker.DeleteTrainingJob": jobs.delete,
        "SageMaker.ListTrainingJobs": listing.list_jobs,
        "SageMaker.Search": search.search,
        "SageMaker.AddTags": tags.add,
        "SageMaker.ListTags": tags.list_tags,
        "SageMaker.DeleteTags": tags.delete,
        "Logs_20140328.DescribeLogGroups": logs.describe_groups,
        "Logs_20140328.DescribeLogStreams": logs.describe_streams,
        "Logs_20140328.GetLogEvents": logs.get_events,
        "Logs_20140328.FilterLogEvents": log_search.filter_events,
        "GraniteServiceVersion20100801.GetMetricData": metrics.get_data,
        "GraniteServiceVersion20100801.GetMetricStatistics": metrics.get_statistics,
        "GraniteServiceVersion20100801.ListMetrics": metrics.list_metrics,
        "SmRemote.InterruptTrainingJob": capacity.interrupt,
        "SmRemote.SetCapacity": capacity.set_capacity,
        "SmRemote.ListShortages": capacity.list_shortages,
        "SmRemote.Status": own.status,
        "SmRemote.Shutdown": own.stop_service,
        "SmRemote.InspectImage": own.inspect_image,
        "SmRemote.GiveSecrets": own.give_secrets,
        "SmRemote.BuildImage": images.build,
        "SmRemote.PushImage": images.push,
        "SmRemote.DescribeImageWork": images.describe,
        "SmRemote.ListImages": images.list_images,
        "SmRemote.RemoveImage": images.remove,
    }
    return {target: _make_operation(target, function) for target, function in functions.items()}


def signing_name(target: str) -> str | None:
    """The name of the service that a target belongs to, as the signature's scope must have it; None for others."""
    service = _SERVICES.get(target.partition(".")[0])
    return None if service is None else service.signing_name


def parse_request(operation: Operation, body: bytes) -> dict[str, Any]:
    """Reads and checks a request.

    Raises:
        ApiError: It is no JSON object, or the model does not allow it.
    """
    try:
        request = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ApiError("SerializationException", "The request is not valid JSON.") from None
    if not isinstance(request, dict):
        raise ApiError("SerializationException", "The request must be a JSON object.")
    return _check(operation, request)


def parse_query(operation: Operation, form: Mapping[str, str]) -> dict[str, Any]:
    """Reads and checks a request in the query protocol.

    Raises:
        ApiError: It cannot be read, or the model does not allow it.
    """
    if operation.shape is None:
        raise AssertionError("Our own operations are not asked for in the query protocol.")
    return _check(operation, parse_form(operation.shape, form))


def find_query_operation(operations: Mapping[str, Operation], service: str, action: str) -> Operation | None:
    """The operation of a service that also speaks the query protocol; None for any other service.

    Raises:
        ApiError: The service has no such operation here.
    """
    prefix = _QUERY_SERVICES.get(service)
    return None if prefix is None else find_operation(operations, f"{prefix}.{action}")


def _check(operation: Operation, request: dict[str, Any]) -> dict[str, Any]:
    try:
        request = {name: _without_nulls(value) for name, value in request.items() if value is not None}
        if operation.shape is not None:
            check_request(operation.shape, request, operation.find_broken_rules)
    except RecursionError:
        raise ApiError("SerializationException", "The request is nested too deeply.") from None
    return request


def _without_nulls(value: Any) -> Any:
    """What a request holds, without members that are null: to the API they are not there."""
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def find_operation(operations: Mapping[str, Operation], target: str) -> Operation:
    """The operation of a target.

    Raises:
        ApiError: There is none.
    """
    if target not in operations:
        raise unknown_operation(target.rpartition(".")[2])
    return operations[target]


def _make_operation(target: str, function: Any) -> Operation:
    prefix, _, name = target.partition(".")
    model = _SERVICES[prefix].model
    shape = None if prefix == "SmRemote" else find_input_shape(model, name)
    output = load_model(model).operation_model(name).output_shape if prefix in _QUERY_SERVICES.values() else None
    rules = _RULES.get(target, lambda request: ())
    if inspect.iscoroutinefunction(function):
        return Operation(shape=shape, output=output, find_broken_rules=rules, waiting=function)
    return Operation(shape=shape, output=output, find_broken_rules=rules, blocking=function)
