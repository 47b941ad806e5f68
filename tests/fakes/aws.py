"""AWS as a table of answers. What is asked is checked against botocore's models, as boto3 itself would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.loaders import create_loader
from botocore.model import OperationModel, ServiceModel
from botocore.validate import ParamValidator

Answer = Any
"""A value, an error to raise, a list of pages, or a function of the parameters that gives any of these."""


@cache
def read_operations(service: str) -> dict[str, OperationModel]:
    """A service's operations by the names that boto3 gives them."""
    model = ServiceModel(create_loader().load_service_model(service, "service-2"), service)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


def refuse(code: str, message: str = "of a test", operation: str = "Operation") -> ClientError:
    """The error by which AWS refuses."""
    return ClientError({"Error": {"Code": code, "Message": f"{code} {message}"}}, operation)


class FakeAws:
    """Makes clients whose answers a test wrote down.

    Args:
        answers: By service and method: ``{"iam.get_role": {...}}``. What is not there is refused as not allowed.
    """

    def __init__(self, answers: dict[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def client(self, service: str) -> FakeClient:
        return FakeClient(self, service)

    def names(self) -> list[str]:
        """What was called, in order."""
        return [name for name, _ in self.calls]

    def asked(self, name: str) -> list[dict[str, Any]]:
        """The parameters of each call of a name."""
        return [parameters for each, parameters in self.calls if each == name]


class FakeClient:
    """One service's client."""

    def __init__(self, aws: FakeAws, service: str) -> None:
        self._aws = aws
        self._service = service

    def __getattr__(self, method: str) -> Callable[..., Any]:
        operations = read_operations(self._service)
        if method not in operations:
            raise AttributeError(f"{self._service} has no {method}")
        return lambda **parameters: self._answer(method, parameters)

    def get_paginator(self, method: str) -> FakePaginator:
        return FakePaginator(lambda parameters: self._answer(method, parameters))

    def _answer(self, method: str, parameters: dict[str, Any]) -> Any:
        name = f"{self._service}.{method}"
        shape = read_operations(self._service)[method].input_shape
        if shape is not None:
            faults = ParamValidator().validate(parameters, shape)
            assert not faults.has_errors(), f"{name}: {faults.generate_report()}"
        self._aws.calls.append((name, parameters))
        answer = self._aws.answers.get(name, refuse("AccessDenied", f"to {name}"))
        if callable(answer) and not isinstance(answer, Exception):
            answer = answer(parameters)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakePaginator:
    """Pages that a test wrote down; each is asked for when it is needed."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self._answer = answer

    def paginate(self, *, PaginationConfig: dict[str, int] | None = None, **parameters: Any) -> Iterator[Any]:
        pages = self._answer(parameters)
        yield from pages if isinstance(pages, list) else [pages]
