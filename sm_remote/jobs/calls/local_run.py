"""Runs a function in this very process as a job would: SageMaker's variables lead to a temporary tree."""

from __future__ import annotations

import atexit
import inspect
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sm_remote.aws.secrets import read_values
from sm_remote.capture.inputs import place_files
from sm_remote.checkpoints.owner import Owner
from sm_remote.home import find_home
from sm_remote.inputs import TrainingInput, is_remote, read_input
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.submission.spot import find_owner
from sm_remote.runtime.environment import decode_value, encode_value
from sm_remote.settings import ResolvedSettings
from sm_remote.wire.layout import CHECKPOINT_DIRECTORY_VARIABLE, FUNCTION_VARIABLE, HOME_VARIABLE, RESUME_VARIABLE


def run_here(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], settings: ResolvedSettings
) -> Any:
    """Calls the function here; a coroutine is returned to the caller, who awaits it.

    The temporary tree stays after the call, so that what the function saved can be looked at; its path is said. One in
    which nothing was saved goes with this process.
    """
    tree = Path(tempfile.mkdtemp(prefix="sm_remote-local-"))
    atexit.register(remove_unless_saved, tree)
    sys.stderr.write(
        f"Running {getattr(func, '__name__', 'the function')} in this process; SM_MODEL_DIR is {tree}/model\n"
    )
    variables = build_variables(tree, hyperparameters=settings.hyperparameters, channels=settings.inputs)
    variables |= build_checkpoint_variables(find_owner(func), resume=settings.resume)
    variables |= read_values(settings.secrets)
    for name, directory in variables.items():
        if name.startswith(("SM_MODEL_", "SM_OUTPUT_", "SM_CHANNEL_")):
            Path(directory).mkdir(parents=True, exist_ok=True)
    for channel, value in settings.inputs.items():
        _fill_channel(tree / "input" / "data" / channel, channel, value, settings)
    if inspect.iscoroutinefunction(func):
        return _run_coroutine(variables, func, args, kwargs)
    with _set_variables(variables):
        return func(*args, **kwargs)


def remove_unless_saved(tree: Path) -> None:
    """Removes a temporary tree in which the function left neither a model nor output."""
    if not any(path.is_file() for place in ("model", "output") for path in (tree / place).rglob("*")):
        shutil.rmtree(tree, ignore_errors=True)


async def _run_coroutine(
    variables: Mapping[str, str], func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    with _set_variables(variables):
        return await func(*args, **kwargs)


def build_variables(tree: Path, *, hyperparameters: Mapping[str, Any], channels: Iterable[str]) -> dict[str, str]:
    """The variables that a job has, for a tree that stands for /opt/ml."""
    return {
        "SM_MODEL_DIR": str(tree / "model"),
        "SM_OUTPUT_DATA_DIR": str(tree / "output" / "data"),
        "SM_NUM_GPUS": "0",
        "SM_HPS": encode_value({name: decode_value(str(value)) for name, value in hyperparameters.items()}),
        **{f"SM_CHANNEL_{name.upper()}": str(tree / "input" / "data" / name) for name in channels},
    }


def build_checkpoint_variables(owner: Owner, *, resume: bool) -> dict[str, str]:
    """Where a function that runs here keeps its checkpoints: they outlive the temporary tree."""
    name = f"{owner.home}.{owner.function}" if owner.home else str(owner.function)
    directory = find_home().data / "checkpoints" / re.sub(r"[^A-Za-z0-9._-]", "-", name)
    return {
        FUNCTION_VARIABLE: str(owner.function),
        HOME_VARIABLE: owner.home or "",
        CHECKPOINT_DIRECTORY_VARIABLE: str(directory),
        **({} if resume else {RESUME_VARIABLE: "false"}),
    }


def _fill_channel(directory: Path, channel: str, value: Any, settings: ResolvedSettings) -> None:
    """Fills a channel's directory with what a job would see there."""
    found = read_input(value)
    if isinstance(found, TrainingInput) and is_remote(found.s3_data) and found.s3_data.startswith("s3://"):
        _copy_prefix(directory, found.s3_data, settings)
    else:
        place_files(channel, found, directory, limit_bytes=settings.inputs_limit_bytes)


def _copy_prefix(directory: Path, uri: str, settings: ResolvedSettings) -> None:
    """Copies all keys that begin with the URI's. Source: API_S3DataSource."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    store = connect_with(settings).open_store(f"s3://{bucket}")
    start = prefix.rpartition("/")[0]
    for found in store.list(prefix):
        if not found.key.endswith("/"):
            content = store.fetch(found.key)
            target = directory / found.key.removeprefix(f"{start}/" if start else "")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(content, target)


@contextmanager
def _set_variables(variables: Mapping[str, str]) -> Iterator[None]:
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
