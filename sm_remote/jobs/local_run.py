"""Runs a function in this very process as a job would: SageMaker's variables lead to a temporary tree."""

from __future__ import annotations

import inspect
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def run_here(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Calls the function here; a coroutine is returned to the caller, who awaits it.

    The temporary tree stays after the call, so that what the function saved can be looked at; its path is said.
    """
    tree = Path(tempfile.mkdtemp(prefix="sm_remote-local-"))
    sys.stderr.write(
        f"Running {getattr(func, '__name__', 'the function')} in this process; SM_MODEL_DIR is {tree}/model\n"
    )
    if inspect.iscoroutinefunction(func):
        return _run_coroutine(tree, func, args, kwargs)
    with _set_variables(tree):
        return func(*args, **kwargs)


async def _run_coroutine(tree: Path, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    with _set_variables(tree):
        return await func(*args, **kwargs)


def build_variables(tree: Path) -> dict[str, str]:
    """The variables that a job has, for a tree that stands for /opt/ml."""
    return {
        "SM_MODEL_DIR": str(tree / "model"),
        "SM_OUTPUT_DATA_DIR": str(tree / "output" / "data"),
        "SM_NUM_GPUS": "0",
        "SM_HPS": json.dumps({}),
    }


@contextmanager
def _set_variables(tree: Path) -> Iterator[None]:
    variables = build_variables(tree)
    for name in ("SM_MODEL_DIR", "SM_OUTPUT_DATA_DIR"):
        Path(variables[name]).mkdir(parents=True, exist_ok=True)
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
