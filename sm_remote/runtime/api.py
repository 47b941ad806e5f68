"""What the public names mean inside a job: a decorated function runs in place; what needs the client says so."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from sm_remote.errors import RemoteError


def in_job(func: Callable[..., Any]) -> InJobFunction:
    """What a decorated function becomes when it is unpickled in a job."""
    return InJobFunction(func)


def remote(func: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """``@remote`` and ``@remote(...)`` inside a job; the settings are those of jobs that are not started here."""
    return in_job if func is None else in_job(func)


class CustomFileFilter:
    """``CustomFileFilter(...)`` inside a job, where no working directory is sent anywhere."""

    def __init__(self, *, ignore_name_patterns: Any = None) -> None:
        self.ignore_name_patterns = list(ignore_name_patterns or ())


class TrainingInput:
    """``TrainingInput(...)`` inside a job, where no channel is asked for; so that modules load."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        return


FileSystemInput = ShuffleConfig = TrainingInput


class InJobFunction:
    """A decorated function inside a job: calling it calls the function, here and now."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self._func = func
        functools.update_wrapper(self, func, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the function."""
        return self._func(*args, **kwargs)

    def local(self, *args: Any, **kwargs: Any) -> Any:
        """The same as calling it."""
        return self._func(*args, **kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Needs the client.

        Raises:
            RemoteError: Always.
        """
        _need_client(f"{self._name}.submit()", f"Call {self._name}(...): inside a job it runs in place.")

    def map(self, *iterables: Any, **settings: Any) -> NoReturn:
        """Needs the client.

        Raises:
            RemoteError: Always.
        """
        _need_client(f"{self._name}.map()", f"Call the builtin map({self._name}, ...): inside a job it runs in place.")

    def options(self, **settings: Any) -> InJobFunction:
        """The same function: the settings are those of jobs, and inside a job none is started."""
        return self

    def explain(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Needs the client.

        Raises:
            RemoteError: Always.
        """
        _need_client(f"{self._name}.explain()", "Call it where the job is started.")

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # A partial is no method, although later Pythons give it the means to become one.
        bind = None if isinstance(self._func, functools.partial) else getattr(type(self._func), "__get__", None)
        return self if instance is None or bind is None else InJobFunction(bind(self._func, instance, owner))

    def __reduce__(self) -> tuple[Any, ...]:
        return in_job, (self._func,)

    def __repr__(self) -> str:
        return f"<remote {self._name}, in a job>"

    @property
    def _name(self) -> str:
        return getattr(self._func, "__name__", repr(self._func))


class RemoteExecutor:
    """Needs the client."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        _need_client("RemoteExecutor()", "Use concurrent.futures.ProcessPoolExecutor for work within this job.")


class Image:
    """An image in a job, where none is built: whatever is asked of it gives an image, so that modules load."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        return

    @classmethod
    def python(cls, *args: Any, **settings: Any) -> Image:
        """An image."""
        return cls()

    from_uri = from_dockerfile = python

    def apt(self, *args: Any, **settings: Any) -> Image:
        """The same."""
        return self

    pip = run = env = copy = apt


def rebuild_image(base: Any, steps: Any) -> Any:
    """What a pickled image becomes: itself where images are built, in a job the stand-in above."""
    from sm_remote import _is_in_job

    if _is_in_job():
        return Image()
    from importlib import import_module

    return import_module("sm_remote.image.definition").restore_image(base, steps)


class Job:
    """Needs the client; the name is here for annotations."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _need_client("Job()", "Jobs are started and watched from where the client is.")


def attach(*args: Any, **settings: Any) -> NoReturn:
    """Needs the client.

    Raises:
        RemoteError: Always.
    """
    _need_client("attach()", "Call it where the job was started, or in any process that has sm_remote installed.")


def list_jobs(*args: Any, **settings: Any) -> NoReturn:
    """Needs the client.

    Raises:
        RemoteError: Always.
    """
    _need_client("list_jobs()", "Call it where the jobs were started.")


def get_future(*args: Any, **settings: Any) -> NoReturn:
    """Needs the client.

    Raises:
        RemoteError: Always.
    """
    _need_client("get_future()", "Call it where the job was started, or in any process that has sm_remote installed.")


def list_futures(*args: Any, **settings: Any) -> NoReturn:
    """Needs the client.

    Raises:
        RemoteError: Always.
    """
    _need_client("list_futures()", "Call it where the jobs were started.")


def replay(*args: Any, **settings: Any) -> NoReturn:
    """Needs the client.

    Raises:
        RemoteError: Always.
    """
    _need_client("replay()", "Call it where the job was started.")


def diff(*args: Any, **settings: Any) -> NoReturn:
    """Needs the client.

    Raises:
        RemoteError: Always.
    """
    _need_client("diff()", "Call it where the jobs were started.")


def _need_client(what: str, fix: str) -> NoReturn:
    raise RemoteError(
        f"{what} cannot be used inside a job.",
        why="Only what runs a function travels with it; what starts and watches jobs stays with the client.",
        fix=fix,
    )
