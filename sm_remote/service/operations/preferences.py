"""Which of a job's preferred instance types it gets. Pure.

Source: API_ResourceConfig, InstancePreferences: the first type in the list with capacity is selected, exactly one, and
described as SelectedInstanceType and SelectedInstanceCount. Here it is selected when the job is created.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def select_instance(request: Mapping[str, Any], is_available: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
    """A request that says which of its preferred types was selected; as it came where it has no preferences.

    Args:
        request: CreateTrainingJob.
        is_available: Whether there is capacity for a request with a selected type. Where there is none for any, the
            first is selected, and the job waits or fails as if it had asked for that type alone.
    """
    choices = [
        _with_selected(request, preference) for preference in request["ResourceConfig"].get("InstancePreferences", ())
    ]
    if not choices:
        return request
    return next((choice for choice in choices if is_available(choice)), choices[0])


def _with_selected(request: Mapping[str, Any], preference: Mapping[str, Any]) -> Mapping[str, Any]:
    resources = request["ResourceConfig"]
    count = preference.get("InstanceCount") or resources.get("InstanceCount")
    selected = {"SelectedInstanceType": preference["InstanceType"], "SelectedInstanceCount": count}
    return {**request, "ResourceConfig": {**resources, **selected}}
