"""GetMetricData, GetMetricStatistics and ListMetrics of CloudWatch, for the namespace of training jobs.

Source: API_GetMetricData, API_GetMetricStatistics, API_ListMetrics. Metric math is not served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sm_remote.service.api.errors import ApiError
from sm_remote.service.api.replies import Reply
from sm_remote.service.metrics.aggregation import (
    compute_statistic,
    floor_to_minute,
    group_by_period,
    is_period,
    is_statistic,
)
from sm_remote.service.metrics.catalogue import NAMESPACE, MetricKey, MetricSeries

_MOST_POINTS = 100_800
"""Source: API_GetMetricData, MaxDatapoints."""
_MOST_STATISTICS_POINTS = 1440
_MOST_QUERIES = 500
_METRICS_A_PAGE = 500

_Timed = list[tuple[int, float]]


class MetricOperations:
    """The operations on metrics."""

    def __init__(self, series: MetricSeries) -> None:
        self._series = series

    def get_data(self, request: Mapping[str, Any]) -> Reply:
        """GetMetricData: in pages of datapoints, counted over all queries in their order."""
        queries = request["MetricDataQueries"]
        start_ms, end_ms = _read_times(request)
        _check_queries(queries)
        newest_first = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        skip = _read_token(request.get("NextToken"))
        room = limit = min(max(1, request.get("MaxDatapoints", _MOST_POINTS)), _MOST_POINTS)
        results = []
        total = 0
        for query in queries:
            if query.get("ReturnData", True) is False:
                continue
            values = self._compute(query["MetricStat"], start_ms, end_ms)
            values = values[::-1] if newest_first else values
            page = values[max(0, skip - total) :][:room]
            total += len(values)
            room -= len(page)
            whole = total <= skip + limit
            results.append(_render_result(query, page, "Complete" if whole else "PartialData"))
        body: dict[str, Any] = {"MetricDataResults": results, "Messages": []}
        if total > skip + limit:
            body["NextToken"] = str(skip + limit)
        return Reply(body=body)

    def get_statistics(self, request: Mapping[str, Any]) -> Reply:
        """GetMetricStatistics."""
        names = [*request.get("Statistics", ()), *request.get("ExtendedStatistics", ())]
        if not names:
            raise _refuse("MissingParameter", "The parameter Statistics or ExtendedStatistics must be specified.")
        start_ms, end_ms = _read_times(request)
        for name in names:
            _check_statistic(request["Period"], name)
        key = _read_key(request)
        groups = self._group(key, request["Namespace"], request.get("Unit"), request["Period"], start_ms, end_ms)
        if len(groups) > _MOST_STATISTICS_POINTS:
            raise _refuse(
                "InvalidParameterCombination",
                f"You have requested up to {len(groups)} datapoints, which exceeds the limit of "
                f"{_MOST_STATISTICS_POINTS}. You may reduce the datapoints requested by increasing Period, or "
                "decreasing the time range.",
            )
        points = [_render_point(at, values, request, key.unit) for at, values in groups.items()]
        return Reply(body={"Label": key.name, "Datapoints": points})

    def list_metrics(self, request: Mapping[str, Any]) -> Reply:
        """ListMetrics."""
        dimensions = {each["Name"]: each.get("Value") for each in request.get("Dimensions", ())}
        found = []
        if request.get("Namespace") in (None, NAMESPACE):
            for key in self._series.list_keys(dimensions):
                if request.get("MetricName") in (None, key.name) and _has_dimensions(key, dimensions):
                    found.append(_render_key(key))
        start = _read_token(request.get("NextToken"))
        body: dict[str, Any] = {"Metrics": found[start : start + _METRICS_A_PAGE]}
        if start + _METRICS_A_PAGE < len(found):
            body["NextToken"] = str(start + _METRICS_A_PAGE)
        return Reply(body=body)

    def _compute(self, stat: Mapping[str, Any], start_ms: int, end_ms: int) -> _Timed:
        metric = stat["Metric"]
        key = _read_key(metric)
        groups = self._group(key, metric.get("Namespace"), stat.get("Unit"), stat["Period"], start_ms, end_ms)
        return [(at, compute_statistic(stat["Stat"], values)) for at, values in groups.items()]

    def _group(
        self, key: MetricKey, namespace: str | None, unit: str | None, period_s: int, start_ms: int, end_ms: int
    ) -> dict[int, list[float]]:
        if namespace != NAMESPACE or unit not in (None, key.unit):
            return {}
        return group_by_period(self._series.read(key, start_ms, end_ms), period_s)


def _check_queries(queries: Sequence[Mapping[str, Any]]) -> None:
    if len(queries) > _MOST_QUERIES:
        raise _refuse(
            "ValidationError", f"The collection MetricDataQueries must not have a size greater than {_MOST_QUERIES}."
        )
    ids = [query["Id"] for query in queries]
    if len(set(ids)) != len(ids):
        raise _refuse("ValidationError", "The parameter MetricDataQueries must not have two queries of one Id.")
    for query in queries:
        if query.get("MetricStat") is None:
            raise _refuse(
                "ValidationError",
                f"The local training service computes no metric math: query {query['Id']} must have a MetricStat.",
            )
        _check_statistic(query["MetricStat"]["Period"], query["MetricStat"]["Stat"])


def _check_statistic(period_s: int, name: str) -> None:
    if not is_period(period_s):
        raise _refuse("InvalidParameterValue", "Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    if not is_statistic(name):
        raise _refuse("InvalidParameterValue", f"The local training service computes no statistic {name}.")


def _read_times(request: Mapping[str, Any]) -> tuple[int, int]:
    start_ms, end_ms = (int(1000 * request[name]) for name in ("StartTime", "EndTime"))
    if start_ms >= end_ms:
        raise _refuse("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    return floor_to_minute(start_ms), end_ms


def _read_key(metric: Mapping[str, Any]) -> MetricKey:
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}
    return MetricKey(name=metric.get("MetricName", ""), dimensions=dimensions)


def _read_token(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isascii() or not token.isdigit() or len(token) > 12:
        raise _refuse("InvalidNextToken", "The next token specified is invalid.")
    return int(token)


def _has_dimensions(key: MetricKey, dimensions: Mapping[str, str | None]) -> bool:
    return all(name in key.dimensions and value in (None, key.dimensions[name]) for name, value in dimensions.items())


def _render_key(key: MetricKey) -> dict[str, Any]:
    return {
        "Namespace": NAMESPACE,
        "MetricName": key.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in key.dimensions.items()],
    }


def _render_result(query: Mapping[str, Any], page: _Timed, status: str) -> dict[str, Any]:
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or query["MetricStat"]["Metric"].get("MetricName", ""),
        "Timestamps": [at / 1000 for at, _ in page],
        "Values": [value for _, value in page],
        "StatusCode": status,
    }


def _render_point(at_ms: int, values: Sequence[float], request: Mapping[str, Any], unit: str) -> dict[str, Any]:
    point: dict[str, Any] = {"Timestamp": at_ms / 1000, "Unit": unit}
    for name in request.get("Statistics", ()):
        point[name] = compute_statistic(name, values)
    extended = request.get("ExtendedStatistics", ())
    if extended:
        point["ExtendedStatistics"] = {name: compute_statistic(name, values) for name in extended}
    return point


def _refuse(code: str, message: str) -> ApiError:
    return ApiError(code, message)
