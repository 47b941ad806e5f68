"""What may be called remotely, what it is named, and whether its arguments fit: all of it before anything is sent."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sm_remote.errors import CaptureError
from sm_remote.runtime.cell import Cell


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A callable that can run as a training job.

    Attributes:
        func: The callable itself, as the user gave it.
        name: What people call it: ``train``, ``Model.fit``, ``pow``, ``lambda``.
        is_async: Whether calling it gives a coroutine, to be run by ``asyncio.run`` in the job.
    """

    func: Callable[..., Any]
    name: str
    is_async: bool

    @property
    def call(self) -> str:
        """The manifest's word for how to call it: ``plain``, ``async`` or ``cell``."""
        if isinstance(self.func, Cell):
            return "cell"
        return "async" if self.is_async else "plain"


def describe_function(func: object) -> Target:
    """Checks that a callable can run in a job, and names it. Nothing is read but the object itself.

    Raises:
        CaptureError: It is not callable, or it is a generator function.
    """
    if isinstance(func, (classmethod, property)) or not callable(func):
        raise _not_callable(func)
    name = display_name(func)
    if any(_is_generator(each) for each in _layers(func)):
        raise CaptureError(
            f"{name}() is a generator function and cannot run as a training job.",
            why="A job gives back one value when it has ended, and a generator can be neither pickled nor resumed "
            "in another process.",
            fix="Return a list of the values instead, or write them to a file or a bucket inside the function.",
            function_name=name,
        )
    return Target(func=func, name=name, is_async=any(map(inspect.iscoroutinefunction, _layers(func))))


def check_runnable(func: object) -> None:
    """Refuses what can never run as a training job; see `describe_function`."""
    describe_function(func)


def display_name(func: object) -> str:
    """The name by which messages and job names call a callable."""
    if isinstance(func, partial):
        return display_name(func.func)
    owner = getattr(func, "__self__", None)
    name = getattr(func, "__name__", None)
    if not isinstance(name, str):
        return type(func).__name__
    if name == "<lambda>":
        return "lambda"
    if owner is None or inspect.ismodule(owner):
        return name
    return f"{owner.__name__ if isinstance(owner, type) else type(owner).__name__}.{name}"


def find_module(func: object, *, notebook: str | None = None) -> str | None:
    """The notebook or the module that a callable is from, with the class or function that it is defined in.

    What runs as a script is called by its file, what runs as a module by its name. None where nothing is known, as in
    an interactive session.

    Args:
        func: The callable.
        notebook: The name of the notebook that this kernel works for.
    """
    if isinstance(func, partial):
        return find_module(func.func, notebook=notebook)
    module = "__main__" if isinstance(func, Cell) else getattr(func, "__module__", None) or ""
    name = _name_main(notebook) if module == "__main__" else module
    scope = str(getattr(func, "__qualname__", "")).replace(".<locals>", "").rpartition(".")[0]
    return f"{name}.{scope}" if name and scope else name or None


def _name_main(notebook: str | None) -> str:
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    return notebook or (str(spec.name).removesuffix(".__main__") if spec else Path(file).stem if file else "")


def bind_call(
    func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Binds arguments as a call would, so that wrong ones fail here and not in the job.

    A callable without a signature (some builtins) is not checked.

    Returns:
        Positional and keyword arguments in the signature's order: equal calls give equal values, however they were
        spelt.

    Raises:
        TypeError: The arguments do not fit; the text is the one that Python gives for a direct call.
    """
    try:
        signature = inspect.signature(func)
    except (ValueError, TypeError):
        return tuple(args), dict(kwargs)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise _python_error(func, signature, args, kwargs) or error from None
    return bound.args, bound.kwargs


def parameter_names(func: Callable[..., Any], args: Sequence[Any]) -> list[str]:
    """Names positional arguments after their parameters, for messages: ``frame``, ``rows[0]``, ``argument 2``."""
    try:
        parameters = list(inspect.signature(func).parameters.values())
    except (ValueError, TypeError):
        return [str(position) for position in range(1, len(args) + 1)]
    names: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}[{index}]" for index in range(len(args) - len(names))]
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    return names[: len(args)]


def _layers(func: Any) -> list[Any]:
    """The callable and what it stands for: a partial's function, an object's ``__call__``."""
    layers = [func]
    while isinstance(layers[-1], partial):
        layers.append(layers[-1].func)
    inner = layers[-1]
    if not inspect.isroutine(inner) and not isinstance(inner, type):
        layers.append(type(inner).__call__)
    return layers


def _is_generator(func: object) -> bool:
    return inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func)


def _not_callable(func: object) -> CaptureError:
    kind = type(func).__name__
    if isinstance(func, classmethod):
        return CaptureError(
            "A classmethod object cannot run as a training job.",
            why="It is not callable until it is looked up on its class.",
            fix="Write @classmethod above @remote, not below it, or pass Class.method.",
        )
    fix = "Pass a function, a method, a class or an object with __call__."
    if isinstance(func, str) and func.startswith(("ml.", "local")):
        fix = f"An instance type goes by its name: @remote(instance_type={func!r})."
    return CaptureError(
        f"{func!r:.200} cannot run as a training job.", why=f"It is a {kind}, which is not callable.", fix=fix
    )


def _python_error(
    func: Callable[..., Any], signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> TypeError | None:
    """Asks Python itself for the text, by calling an empty function of the same signature."""
    parameters = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=parameter.default if parameter.default is parameter.empty else None,
        )
        for parameter in signature.parameters.values()
    ]
    bare = inspect.Signature(parameters)
    namespace: dict[str, Any] = {}
    try:
        exec(f"def stand_in{bare}: pass", namespace)  # noqa: S102 - nothing but parameter names of a real function
    except SyntaxError:
        return None
    stand_in = namespace["stand_in"]
    stand_in.__qualname__ = stand_in.__name__ = getattr(func, "__qualname__", display_name(func))
    try:
        stand_in(*args, **kwargs)
    except TypeError as error:
        return error.with_traceback(None)
    return None
