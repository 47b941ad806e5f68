"""Decides what a call sends before anything is stored: pickles, the user's own modules, packages.

`capture_call` stores what a plan holds, `explain_call` only shows it.
"""

from __future__ import annotations

import dataclasses
import linecache
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from sm_remote.capture.archive import source_files
from sm_remote.capture.culprit import build_error
from sm_remote.capture.dependencies import Dependencies, read_dependencies
from sm_remote.capture.distributions import Distribution
from sm_remote.capture.environment import Environment, find_environment
from sm_remote.capture.function import Target, bind_call, describe_function, parameter_names
from sm_remote.capture.interpreter import TargetPython, describe_interpreter
from sm_remote.capture.modules import is_users_path
from sm_remote.capture.pickling import Notes, pickle_noting
from sm_remote.capture.reach import Reach, find_reach
from sm_remote.capture.requirements import Requirements, check_python
from sm_remote.capture.spool import Spool
from sm_remote.capture.warn_once import warn_once
from sm_remote.errors import ConfigError
from sm_remote.home import Home
from sm_remote.wire.digest import BlobRef

_MAX_TEXT_CHARACTERS = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a call sends.

    Attributes:
        target: The function.
        labels: What people call each argument.
        function: The pickled function.
        arguments: The pickled ``(args, kwargs)``.
        external: Large buffers of both, as objects of their own.
        buffers: Their bytes, by digest.
        reach: The modules that both need.
        module_objects: Those of them that are values in both.
        sources: Files of the source archive.
        texts: Source text of functions that went by value, by file name.
        environment: Installed distributions to carry.
        requirements: Packages to install by name instead; None where there are none.
    """

    target: Target
    labels: tuple[tuple[str, Any], ...]
    function: Spool
    arguments: Spool
    external: tuple[BlobRef, ...]
    buffers: Mapping[str, memoryview]
    reach: Reach
    module_objects: frozenset[str]
    sources: Mapping[str, Path | bytes]
    texts: Mapping[str, str]
    environment: Environment
    requirements: Requirements | None


@contextmanager
def plan_call(
    func: object,
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
    *,
    home: Home,
    dependencies: Dependencies,
    python: TargetPython,
) -> Iterator[Plan]:
    """Pickles a call and finds out what it needs. Its temporary files are gone after the block.

    Raises:
        TypeError: The arguments do not fit the function.
        CaptureError: Something cannot be pickled, or the function can never run in a job.
        ConfigError: The job's Python is another minor version, or ``dependencies`` is wrong.
    """
    _check_python(python)
    wanted = read_dependencies(dependencies)
    target = describe_function(func)
    bound_args, bound_kwargs = bind_call(target.func, tuple(args), kwargs)
    labels = label_arguments(target, bound_args, bound_kwargs)
    notes = Notes()
    buffers: dict[str, memoryview] = {}
    with ExitStack() as spools:
        function, arguments = (spools.enter_context(Spool(home.cache / "incoming")) for _ in range(2))
        external = {
            **dict.fromkeys(_pickle_function(target, function, notes, buffers)),
            **dict.fromkeys(_pickle_arguments(target, (bound_args, bound_kwargs), labels, arguments, notes, buffers)),
        }
        reach = find_reach(notes.modules)
        _say_shadowing(reach)
        environment, requirements = _plan_packages(reach, wanted, python)
        yield Plan(
            target=target,
            labels=labels,
            function=function,
            arguments=arguments,
            external=tuple(external),
            buffers=buffers,
            reach=reach,
            module_objects=frozenset(notes.module_objects),
            sources=plan_sources(reach),
            texts=collect_texts(notes.functions),
            environment=environment,
            requirements=requirements,
        )


def _check_python(python: TargetPython) -> None:
    here = describe_interpreter().version
    if python.minor == ".".join(here.split(".")[:2]):
        return
    raise ConfigError(
        f"The job's image has Python {python.version}; this process is Python {here}.",
        why="A function that was pickled by one minor version of Python cannot be read by another.",
        fix=f"Use an image with Python {'.'.join(here.split('.')[:2])}, or run this process on {python.minor}. "
        "Nothing was sent.",
        job_python=python.version,
        python=here,
    )


def label_arguments(target: Target, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Pairs each argument with what people call it."""
    names = [*parameter_names(target.func, args), *kwargs]
    return tuple((f"argument '{name}'", value) for name, value in zip(names, [*args, *kwargs.values()], strict=True))


def _pickle_function(target: Target, spool: Spool, notes: Notes, buffers: dict[str, memoryview]) -> tuple[BlobRef, ...]:
    try:
        return pickle_noting(target.func, spool.sink, notes, owner=f"{target.name}()", buffers=buffers)
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise build_error(target.name, (("", target.func),), target.func, error) from error


def _pickle_arguments(
    target: Target,
    value: tuple[tuple[Any, ...], dict[str, Any]],
    labels: tuple[tuple[str, Any], ...],
    spool: Spool,
    notes: Notes,
    buffers: dict[str, memoryview],
) -> tuple[BlobRef, ...]:
    try:
        return pickle_noting(value, spool.sink, notes, owner="the arguments", buffers=buffers)
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise build_error(target.name, labels, value, error) from error


def _plan_packages(
    reach: Reach, wanted: str | Requirements | None, python: TargetPython
) -> tuple[Environment, Requirements | None]:
    if isinstance(wanted, Requirements):
        check_python(wanted, python.version)
        return Environment(), wanted if wanted.lines else None
    if wanted is None or not reach.installed:
        return Environment(), None
    environment = find_environment(reach.installed, reach.why)
    files = [str(module.file) for module in reach.local.values() if module.file is not None]
    left = tuple(one for one in environment.editable if not _travels_as_source(one, files))
    return dataclasses.replace(environment, editable=left), None


def _travels_as_source(one: Distribution, files: list[str]) -> bool:
    return any(file.startswith(f"{one.editable_root}{os.sep}") for file in files)


def _say_shadowing(reach: Reach) -> None:
    """A module that hides one of Python's own does so in the job as well; people rarely mean it."""
    for name, module in reach.local.items():
        if name in sys.stdlib_module_names and "." not in name:
            warn_once(
                "",
                "Your module %s (%s) hides Python's own %r, in the job as it does here: rename it unless you mean it.",
                name,
                module.file or next(iter(module.folders), None),
                name,
            )


def plan_sources(reach: Reach) -> dict[str, Path | bytes]:
    """The files of the source archive: the user's own modules, and what importlib.metadata needs to know of them."""
    sources: dict[str, Path | bytes] = dict(source_files(reach.local.values()))
    if reach.reads_metadata:
        from sm_remote.capture.editable import metadata_files

        sources.update(metadata_files(reach.local.values()))
    return sources


def collect_texts(functions: Iterable[FunctionType]) -> dict[str, str]:
    """Source text of functions that went by value: the job has no other, for tracebacks and inspect.getsource."""
    texts: dict[str, str] = {}
    left = _MAX_TEXT_CHARACTERS
    for func in functions:
        name = func.__code__.co_filename
        if name in texts or not is_users_path(name):
            continue
        text = "".join(linecache.getlines(name, func.__globals__))
        if text and len(text) <= left:
            texts[name] = text
            left -= len(text)
    return texts
