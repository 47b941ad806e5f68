"""AddTags, ListTags and DeleteTags, for training jobs.

Source: API_AddTags: at most 50 tags a resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sm_remote.service.api import errors as api_errors
from sm_remote.service.api.replies import Reply
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.records.job import JobRecord, training_job_arn
from sm_remote.service.records.store import NoSuchJobError

_MOST_TAGS = 50


class TagOperations:
    """The operations on a job's tags."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop

    def add(self, request: Mapping[str, Any]) -> Reply:
        """AddTags; a key that is there gets the new value."""
        added = {tag["Key"]: tag["Value"] for tag in request["Tags"]}

        def change(record: JobRecord) -> JobRecord:
            tags = {**record.tags, **added}
            if len(tags) > _MOST_TAGS:
                raise api_errors.invalid(f"A resource can have at most {_MOST_TAGS} tags.")
            return replace(record, tags=tags)

        return Reply(body={"Tags": _render(self._change(request["ResourceArn"], change).tags)})

    def list_tags(self, request: Mapping[str, Any]) -> Reply:
        """ListTags, all on one page."""
        return Reply(body={"Tags": _render(self._find(request["ResourceArn"]).tags)})

    def delete(self, request: Mapping[str, Any]) -> Reply:
        """DeleteTags; a key that is not there is no error."""
        keys = set(request["TagKeys"])

        def change(record: JobRecord) -> JobRecord:
            return replace(record, tags={key: value for key, value in record.tags.items() if key not in keys})

        self._change(request["ResourceArn"], change)
        return Reply(body={})

    def _change(self, arn: str, change: Any) -> JobRecord:
        return self._shop.store.change(self._find(arn).name, change, self._shop.clock())

    def _find(self, arn: str) -> JobRecord:
        name = arn.rpartition("/")[2]
        if arn.lower() != training_job_arn(name):
            raise api_errors.not_found()
        try:
            return self._shop.store.find_folded(name)
        except NoSuchJobError:
            raise api_errors.not_found() from None


def _render(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
