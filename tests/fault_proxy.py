"""A proxy before the local service that breaks what a script says, call by call: AWS on a bad day.

Clients reach it by boto3's endpoint variables and any keys. What it passes on is signed anew with the service's own
keys and Host, so the service verifies every request as always.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.netutil import bind_sockets

from sm_remote.home import LOCAL_REGION, Discovery

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/[^/]+/([^/]+)/aws4_request")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request.

    Attributes:
        operation: Such as ``ListTrainingJobs``.
        number: Of its operation, from 1.
        access_key: Whose request it is.
        at_s: When it came, by the monotonic clock.
    """

    operation: str
    number: int
    access_key: str
    at_s: float


@dataclass(frozen=True)
class Refuse:
    """Answered with an error of AWS, and not passed on."""

    code: str
    text: str = "As the script says."
    status: int = 400


class Lose:
    """Carried out, and its answer dropped with the connection."""


class Reset:
    """The connection is dropped, and nothing passed on."""


@dataclass(frozen=True)
class Delay:
    """Passed on later."""

    seconds: float


@dataclass(frozen=True)
class Rewrite:
    """The answer is another."""

    change: Callable[[dict[str, Any]], dict[str, Any]]


Fault = Refuse | Lose | Reset | Delay | Rewrite
Script = Callable[[Call], Fault | None]


THROTTLE = Refuse("ThrottlingException", "Rate exceeded")
EXPIRED = Refuse("ExpiredTokenException", "The security token included in the request is expired")
NO_CAPACITY = Refuse("ResourceLimitExceeded", "The account-level service limit for training job usage is 0 Instances.")


class FaultProxy:
    """What a test has of the proxy.

    Attributes:
        endpoint_url: Where clients find it.
        script: Which call has which fault; may be replaced at any time.
        calls: All that have come.
    """

    def __init__(self, service: Discovery) -> None:
        self.endpoint_url = ""
        self.script: Script = lambda call: None
        self.calls: list[Call] = []
        self._service = service
        self._numbers: Counter[str] = Counter()

    async def serve(self, request: HTTPServerRequest) -> None:
        """Answers one request, or does not."""
        found = _SCOPE.search(request.headers.get("Authorization", ""))
        access_key, signing_name = found.groups() if found else ("", "sagemaker")
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self._numbers[operation] += 1
        call = Call(operation=operation, number=self._numbers[operation], access_key=access_key, at_s=time.monotonic())
        self.calls.append(call)
        fault = self.script(call)
        if isinstance(fault, Refuse):
            _write(request, fault.status, json.dumps({"__type": fault.code, "message": fault.text}).encode())
            return
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.seconds)
        answer = None if isinstance(fault, Reset) else await self._pass_on(request, signing_name)
        if answer is None or isinstance(fault, Lose):
            request.connection.stream.close()  # type: ignore[union-attr]
            return
        body = answer.body
        if isinstance(fault, Rewrite):
            body = json.dumps(fault.change(json.loads(body))).encode()
        _write(request, answer.code, body)

    async def _pass_on(self, request: HTTPServerRequest, signing_name: str) -> HTTPResponse:
        kept = {name: request.headers[name] for name in ("Content-Type", "X-Amz-Target") if name in request.headers}
        url = self._service.endpoint_url + request.uri  # type: ignore[operator]
        signed = AWSRequest(method="POST", url=url, data=request.body, headers=kept)
        keys = Credentials(self._service.access_key, self._service.secret_key)
        SigV4Auth(keys, signing_name, LOCAL_REGION).add_auth(signed)
        again = HTTPRequest(
            url, method="POST", headers=HTTPHeaders(dict(signed.headers.items())), body=request.body, request_timeout=60
        )
        return await AsyncHTTPClient().fetch(again, raise_error=False)


def _write(request: HTTPServerRequest, status: int, body: bytes) -> None:
    headers = HTTPHeaders({"Content-Type": "application/x-amz-json-1.1", "Content-Length": str(len(body))})
    headers["Date"] = formatdate(usegmt=True)
    connection: Any = request.connection
    connection.write_headers(ResponseStartLine("HTTP/1.1", status, ""), headers, body)
    connection.finish()


@contextmanager
def run_fault_proxy(service: Discovery) -> Iterator[FaultProxy]:
    """Runs a proxy before a service, in a thread of its own."""
    proxy, ready = FaultProxy(service), threading.Event()
    ended: list[Callable[[], object]] = []

    async def run() -> None:
        AsyncHTTPClient.configure(None, max_clients=100)
        tasks: set[asyncio.Task[None]] = set()

        def take(request: HTTPServerRequest) -> None:
            task = asyncio.get_running_loop().create_task(proxy.serve(request))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = HTTPServer(take)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        proxy.endpoint_url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        ended.append(lambda: loop.call_soon_threadsafe(end.set))
        ready.set()
        await end.wait()
        server.stop()
        await server.close_all_connections()
        for task in tasks:
            task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(120)
    try:
        yield proxy
    finally:
        ended[0]()
        thread.join(120)
