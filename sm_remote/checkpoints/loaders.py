"""The safe mode of each framework's loader: what keeps a file from running code when it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SAFE_MODES: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("torch", "load"): {"weights_only": True},
    ("keras", "load_model"): {"safe_mode": True},
    ("tensorflow", "load_model"): {"safe_mode": True},
    ("numpy", "load"): {"allow_pickle": False},
    ("lightning", "load_from_checkpoint"): {"weights_only": True},
    ("pytorch_lightning", "load_from_checkpoint"): {"weights_only": True},
}


def find_safe_mode(loader: Callable[..., Any]) -> Mapping[str, Any]:
    """The keyword arguments of a loader's safe mode; empty for one that is not known, or that has none."""
    package = str(getattr(loader, "__module__", "") or "").partition(".")[0]
    return SAFE_MODES.get((package, getattr(loader, "__name__", "")), {})
