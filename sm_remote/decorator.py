"""`@remote`: a function whose calls are training jobs."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Sized
from typing import Any, Generic, Literal, ParamSpec, TypeVar, overload

from sm_remote.capture.explanation import Explanation, explain_call
from sm_remote.capture.function import bind_call, check_runnable, display_name
from sm_remote.capture.inputs import list_input_items
from sm_remote.errors import ConfigError
from sm_remote.executor import create_job
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.calls.announcement import announce_cost, announce_many
from sm_remote.jobs.calls.foreground import say, see_through
from sm_remote.jobs.calls.interrupt import interrupt_jobs
from sm_remote.jobs.calls.local_run import run_here
from sm_remote.jobs.calls.many import check_limit, run_many
from sm_remote.jobs.environments.image_choice import choose_image
from sm_remote.jobs.job import Job
from sm_remote.jobs.outcome.plain_errors import raise_plainly
from sm_remote.jobs.repetition.drill import run_drill
from sm_remote.jobs.repetition.drill_plan import DrillReport
from sm_remote.jobs.submission.inputs import describe_inputs
from sm_remote.jobs.submission.preparation import describe_workspace
from sm_remote.jobs.watching.event_loop import run_in_thread
from sm_remote.runtime.api import in_job
from sm_remote.settings import check_combinations, check_names, resolve_settings
from sm_remote.settings.options import RemoteOptions
from sm_remote.settings.panel_comm import connect_panel

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="RemoteFunction[Any, Any]")


class RemoteFunction(Generic[P, T]):
    """A function whose calls run as training jobs. Made by `remote`.

    Its settings are resolved at each call; making one touches neither AWS nor Docker nor a file.
    """

    def __init__(self, func: Callable[P, Any], arguments: dict[str, Any]) -> None:
        check_runnable(func)
        check_names(arguments, origin="@remote(...)")
        self._func = func
        self._arguments = arguments
        # Without the callable's own attributes: those of an object could hide ours.
        functools.update_wrapper(self, func, updated=())

    @raise_plainly
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs the call as a training job, streams its log and returns its value, or raises its own exception.

        An interrupt stops the job (``on_interrupt="stop"``) or leaves it running (``"detach"``).
        """
        __tracebackhide__ = True
        return self._run(args, kwargs)

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        __tracebackhide__ = True  # IPython leaves such frames out of the user's traceback
        settings = resolve_settings(self._arguments)
        job: Job[T] = create_job(self._func, args, kwargs, settings)
        try:
            error = see_through(job, settings)
        except KeyboardInterrupt:
            interrupt_jobs([job], settings.on_interrupt)
            raise
        if error is not None:
            raise error
        return job.result()

    @raise_plainly
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Job[T]:
        """Starts the call as a training job and returns at once."""
        job: Job[T] = create_job(self._func, args, kwargs, resolve_settings(self._arguments))
        job._submit()
        return job

    @overload
    def map(
        self, *iterables: Iterable[Any], max_parallel_jobs: int | None = None, return_exceptions: Literal[False] = False
    ) -> list[T]: ...
    @overload
    def map(
        self, *iterables: Iterable[Any], max_parallel_jobs: int | None = None, return_exceptions: Literal[True]
    ) -> list[T | BaseException]: ...
    @raise_plainly
    def map(
        self, *iterables: Iterable[Any], max_parallel_jobs: int | None = None, return_exceptions: bool = False
    ) -> list[Any]:
        """Runs one training job for each item, as the builtin ``map`` pairs them, and returns the values in order.

        Args:
            *iterables: The function's arguments, side by side; the shortest decides.
            max_parallel_jobs: How many may be live at once; by default the setting of that name.
            return_exceptions: Whether a failed item's exception takes its value's place. Otherwise nothing further
                is submitted after the first failure, running jobs finish, and that exception is raised.

        Raises:
            ConfigError: ``max_parallel_jobs`` is below 1.
            TypeError: There is no iterable.
        """
        if not iterables:
            raise TypeError("map() must have at least one iterable.")
        check_limit(max_parallel_jobs)
        settings = resolve_settings(self._arguments)
        limit = max_parallel_jobs if max_parallel_jobs is not None else settings.max_parallel_jobs
        total = _count(iterables)
        if settings.stream_logs and total != 0:
            say(announce_many(connect_with(settings), settings, limit=limit))
            if settings.target == "sagemaker":
                say(announce_cost(self._func, settings, total=total))
        return run_many(
            lambda args: create_job(self._func, args, {}, settings),
            zip(*iterables, strict=False),
            total=total,
            title=display_name(self._func),
            limit=limit,
            return_exceptions=return_exceptions,
            on_interrupt=settings.on_interrupt,
        )

    def options(self: S, **settings: Unpack[RemoteOptions]) -> S:
        """The same function with other settings; this one stays as it is."""
        return type(self)(self._func, {**self._arguments, **settings})

    def local(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs the function here, in this process, with SageMaker's variables set to a temporary tree."""
        bind_call(self._func, args, kwargs)
        value: T = run_here(self._func, args, kwargs, resolve_settings(self._arguments))
        return value

    @raise_plainly
    def drill(
        self,
        *args: Any,
        interruptions: int = 20,
        seed: int = 1,
        compare: Callable[[T, T], Any] | None = None,
        **kwargs: Any,
    ) -> DrillReport:
        """Rehearses interruptions of spot capacity on the local service: the value has to be the same.

        The call runs once without an interruption and then with them: at random moments, while checkpoints are
        written, with the newest of them having arrived in S3 only in part, with a notice and with SIGTERM ignored.

        Args:
            *args: The function's arguments.
            interruptions: How many.
            seed: Decides their moments.
            compare: Tells whether the two values are the same, by returning something true; by default to the last bit.
            **kwargs: The function's arguments by name; one called as these here goes by position.

        Returns:
            What it has cost, and how often to save.

        Raises:
            DrillFailed: The values differ, or the interrupted job has none.
            ConfigError: ``interruptions`` is below 1.
        """
        if interruptions < 1:
            raise ConfigError(f"interruptions={interruptions}: a drill has at least one.")
        arguments = {**self._arguments, "target": "local", "use_spot_instances": True}
        settings = resolve_settings(arguments)
        tell = say if settings.stream_logs else (lambda text: None)
        return run_drill(
            lambda: create_job(self._func, args, kwargs, settings),
            interruptions=interruptions,
            seed=seed,
            compare=compare,
            say=lambda text: tell(f"sm_remote: drill: {text}"),
        )

    @raise_plainly
    def explain(self, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """Lists what would travel, why, and how big it is; nothing is uploaded."""
        bind_call(self._func, args, kwargs)
        settings = resolve_settings(self._arguments)
        check_combinations(settings)
        connection = connect_with(settings)
        _, python = choose_image(settings, connection)
        return explain_call(
            self._func,
            args,
            kwargs,
            home=connection.home,
            dependencies=settings.dependencies,
            python=python,
            workspace=describe_workspace(settings),
            inputs=list_input_items(describe_inputs(settings)),
        )

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a method: the function bound to its object, with the same settings."""
        # A callable object is no method; neither is a partial, although later Pythons give it the means to become one.
        bind = None if isinstance(self._func, functools.partial) else getattr(type(self._func), "__get__", None)
        if instance is None or bind is None:
            return self
        return type(self)(bind(self._func, instance, owner), self._arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        # In a job a decorated function runs in place, so what travels is the function alone.
        return in_job, (self._func,)

    def __repr__(self) -> str:
        return f"<remote {getattr(self._func, '__qualname__', self._func)!s}>"


class AsyncRemoteFunction(RemoteFunction[P, T]):
    """A coroutine function whose calls run as training jobs; ``asyncio.run`` runs it there."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:  # type: ignore[override]
        """Returns an awaitable of the value; what cancels it is an interrupt of the call."""
        bind_call(self._func, args, kwargs)
        return self._run_beside(args, kwargs)

    async def _run_beside(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        """`_run` in threads beside the loop."""
        import asyncio

        __tracebackhide__ = True
        settings = resolve_settings(self._arguments)
        job: Job[T] = await run_in_thread(create_job, self._func, args, kwargs, settings)
        given_up = threading.Event()
        try:
            error = await run_in_thread(see_through, job, settings, given_up)
        except asyncio.CancelledError:  # Ctrl-C too: asyncio.run() and notebooks cancel what they run
            given_up.set()
            interrupt_jobs([job], settings.on_interrupt)
            raise
        if error is not None:
            raise error
        return job.result()


@overload
def remote(func: Callable[P, Coroutine[Any, Any, T]], /) -> AsyncRemoteFunction[P, T]: ...
@overload
def remote(func: Callable[P, T], /) -> RemoteFunction[P, T]: ...
@overload
def remote(**settings: Unpack[RemoteOptions]) -> _Decorator: ...
@raise_plainly
def remote(func: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Makes a function's calls run as SageMaker training jobs: ``@remote``, ``@remote(...)``, ``remote(...)(f)``.

    Args:
        func: Any callable but a generator function.
        **settings: What `sm-remote config` lists, under the SageMaker SDK's names: ``instance_type``,
            ``image_uri``, ``dependencies``, ``environment_variables``, ``max_runtime_in_seconds``, ``target`` ...

    Raises:
        ConfigError: A setting's name is unknown.
        TypeError: The function cannot be run in a job (a generator function).
    """
    connect_panel()
    decorate = _Decorator(settings)
    return decorate if func is None else decorate(func)


def _sign(names: Iterable[str]) -> inspect.Signature:
    """What Shift-Tab and completion show for ``**settings``; at run time an unpacked TypedDict shows nothing."""
    first = inspect.Parameter("func", inspect.Parameter.POSITIONAL_ONLY, default=None)
    options = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=...) for name in names]
    return inspect.Signature([first, *options])


remote.__signature__ = _sign(RemoteOptions.__annotations__)  # type: ignore[attr-defined]


class _Decorator:
    def __init__(self, settings: dict[str, Any]) -> None:
        check_names(settings, origin="@remote(...)")
        self._settings = settings

    @overload
    def __call__(self, func: Callable[P, Coroutine[Any, Any, T]], /) -> AsyncRemoteFunction[P, T]: ...
    @overload
    def __call__(self, func: Callable[P, T], /) -> RemoteFunction[P, T]: ...
    @raise_plainly
    def __call__(self, func: Callable[..., Any], /) -> Any:
        if isinstance(func, RemoteFunction):
            return func.options(**self._settings)
        kind = AsyncRemoteFunction if inspect.iscoroutinefunction(func) else RemoteFunction
        return kind(func, self._settings)


def _count(iterables: tuple[Iterable[Any], ...]) -> int | None:
    lengths = [len(iterable) for iterable in iterables if isinstance(iterable, Sized)]
    return min(lengths) if lengths and len(lengths) == len(iterables) else None
