"""Search, for training jobs; of any other resource there is none here.

Source: API_Search. Newest change first is the default.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from sm_remote.service.api.errors import invalid
from sm_remote.service.api.model import load_model
from sm_remote.service.api.replies import Reply
from sm_remote.service.operations.descriptions import describe_job
from sm_remote.service.operations.search_expressions import Matcher, UnknownPropertyError
from sm_remote.service.records.job import JobRecord
from sm_remote.service.records.store import JobStore, Page

_DEFAULT_RESULTS = 10
_DEFAULT_ORDER = "LastModifiedTime"
_READ_AT_ONCE = 500

_Place = tuple[tuple[int, float, str], int]


class SearchOperations:
    """The operation that searches.

    Args:
        store: All jobs.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def search(self, request: Mapping[str, Any]) -> Reply:
        """Search."""
        if request["Resource"] != "TrainingJob" or request.get("CrossAccountFilterOption") == "CrossAccount":
            return Reply(body=_render([], 0, None))
        matcher, expression = _load_matcher(), request.get("SearchExpression", {})
        order = request.get("SortBy", _DEFAULT_ORDER)
        try:
            matcher.check(expression)
            matcher.check_property(order)
        except UnknownPropertyError as error:
            raise invalid(f"Unknown property name: {error}") from None
        found: list[tuple[_Place, dict[str, Any]]] = []
        for record in self._list_records():
            document = render_document(record)
            if matcher.matches(document, expression):
                found.append(((matcher.find_order(document, order), record.sequence), document))
        descending = request.get("SortOrder", "Descending") == "Descending"
        found.sort(key=lambda each: each[0], reverse=descending)
        after = _parse_token(request.get("NextToken"))
        if after is not None:
            rest = [each for each in found if (each[0] < after if descending else each[0] > after)]
        else:
            rest = found
        size = request.get("MaxResults", _DEFAULT_RESULTS)
        page = rest[:size]
        token = _render_token(page[-1][0]) if len(rest) > size else None
        return Reply(body=_render([document for _, document in page], len(found), token))

    def _list_records(self) -> Iterator[JobRecord]:
        after: tuple[Any, int] | None = None
        while True:
            page = Page(column="created_at", descending=False, after=after, conditions=(), limit=_READ_AT_ONCE)
            records = self._store.list_page(page)
            yield from records
            if len(records) < _READ_AT_ONCE:
                return
            after = (records[-1].created_at, records[-1].sequence)


def render_document(record: JobRecord) -> dict[str, Any]:
    """A job as Search shows it: its description, as far as the shape TrainingJob has it, and its tags."""
    described = {**describe_job(record), "Tags": [{"Key": key, "Value": value} for key, value in record.tags.items()]}
    return {name: described[name] for name in _list_members() if name in described}


@functools.cache
def _list_members() -> dict[str, str]:
    """The members of the shape TrainingJob, and their types."""
    shape = load_model("sagemaker").shape_for("TrainingJob")
    return {name: member.type_name for name, member in shape.members.items()}  # type: ignore[attr-defined]


@functools.cache
def _load_matcher() -> Matcher:
    members = _list_members()
    return Matcher(tuple(members), [name for name, type_name in members.items() if type_name == "timestamp"])


def _render(documents: list[dict[str, Any]], total: int, token: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Results": [{"TrainingJob": document} for document in documents],
        "TotalHits": {"Value": total, "Relation": "EqualTo"},
    }
    return body if token is None else {**body, "NextToken": token}


def _render_token(place: _Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _parse_token(token: str | None) -> _Place | None:
    if token is None:
        return None
    try:
        (kind, number, text), sequence = json.loads(base64.urlsafe_b64decode(token))
        return (int(kind), float(number), str(text)), int(sequence)
    except (ValueError, TypeError, RecursionError, OverflowError, binascii.Error):
        raise invalid("Invalid NextToken.") from None
