"""The HTTP edge: AWS JSON (and the query protocol of STS and IAM) on ``POST /`` of 127.0.0.1.

It is for this user's programs alone. Order of refusals: Host, browser, method and path, signature, operation, request.
Until the signature is verified an answer tells nothing but its own refusal. Bodies are capped before they are read.
Answers are JSON that no browser sniffs or caches; there is no HTML.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.parse
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import tornado.httpserver
import tornado.httputil
import tornado.netutil
import tornado.web

from sm_remote.service.api import errors as api_errors
from sm_remote.service.api.authentication import Request, Verifier, refuse_browsers, refuse_foreign_host
from sm_remote.service.api.errors import ApiError
from sm_remote.service.api.query_protocol import render_answer
from sm_remote.service.api.replies import INSTANCE_HEADER, SEEN_HEADER, WAIT_HEADER, Reply, read_patience
from sm_remote.service.operations.identity import (
    NO_S3,
    answer_query,
    find_query_service,
    is_signed_for_s3,
    render_query_refusal,
)
from sm_remote.service.operations.table import (
    Operation,
    find_operation,
    find_query_operation,
    parse_query,
    parse_request,
    signing_name,
)

logger = logging.getLogger("sm_remote.service")

MAX_BODY_BYTES = 1 << 20
JSON_TYPE = "application/x-amz-json-1.1"
_JSON_TYPES = (JSON_TYPE, "application/x-amz-json-1.0")
"""CloudWatch's clients speak the older one; to either the answer is the same."""
_FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """What the handler needs.

    Attributes:
        operations: By target.
        verifier: Of signatures.
        executor: For operations that block.
        instance: Sent back in every answer.
        note_request: Told of each request that was let in, and of its end.
    """

    operations: Mapping[str, Operation]
    verifier: Verifier
    executor: Executor
    instance: str
    note_request: Callable[[], None]


class ApiHandler(tornado.web.RequestHandler):
    """Answers every request, whatever its path and method."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")
    _task: asyncio.Task[Any] | None = None

    def initialize(self, edge: Edge, port: int) -> None:
        """Takes what tornado's routing carries."""
        self._edge = edge
        self._port = port
        self._request_id = str(uuid.uuid4())

    def set_default_headers(self) -> None:
        """Headers of every answer, refusals by tornado itself included."""
        self.clear_header("Server")
        self.set_header("Content-Type", JSON_TYPE)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    async def _answer(self) -> None:
        self.set_header(INSTANCE_HEADER, self._edge.instance)
        self.set_header("x-amzn-RequestId", self._request_id)
        try:
            await self._let_in()
        except ApiError as error:
            self.set_status(error.status)
            if self.request.headers.get("x-amzn-query-mode") == "true":
                # A client that once spoke the query protocol branches on the code that it had there.
                self.set_header("x-amzn-query-error", f"{error.code};Sender")
            await self._send(json.dumps(api_errors.error_body(error)))
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("An operation failed", extra={"request_id": self._request_id})
            self.set_status(500)
            await self._send(json.dumps({"__type": "InternalFailure", "message": "Internal failure."}))

    get = head = post = delete = patch = put = options = _answer

    async def _let_in(self) -> None:
        headers = self.request.headers
        hosts = headers.get_list("Host")
        refuse_foreign_host(hosts[0] if len(hosts) == 1 else None, self._port)
        refuse_browsers(headers.keys())
        if is_signed_for_s3(headers.get("Authorization", "")):
            await self._refuse_s3()
            return
        if self.request.method != "POST":
            raise ApiError("MethodNotAllowed", "Only POST is served.", 405)
        if self.request.uri != "/":
            raise ApiError("NotFound", "Only / is served.", 404)
        content_type = headers.get("Content-Type", "").split(";")[0].strip()
        if content_type == _FORM_TYPE:
            await self._answer_query()
        elif content_type in _JSON_TYPES:
            self.set_header("Content-Type", content_type)
            await self._answer_json()
        else:
            raise ApiError("UnsupportedMediaType", f"Only {JSON_TYPE} is served.", 415)

    async def _refuse_s3(self) -> None:
        """A client that was pointed here for all services, S3 among them: this one can be told what to do."""
        self.set_header("Content-Type", "application/xml")
        self.set_status(501)
        await self._send(NO_S3)

    async def _answer_query(self) -> None:
        self.set_header("Content-Type", "text/xml")
        service = find_query_service(self.request.headers.get("Authorization", ""))
        try:
            self._verify(service)
            form = dict(urllib.parse.parse_qsl(self.request.body.decode("utf-8", "replace"), keep_blank_values=True))
            action = form.get("Action", "")
            operation = find_query_operation(self._edge.operations, service, action)
            if operation is None:
                text = answer_query(service, form, self._request_id)
            else:
                reply = await self._carry_out(operation, parse_query(operation, form))
                text = render_answer(action, operation.output, reply.body or {}, request_id=self._request_id)
        except ApiError as error:
            self.set_status(error.status)
            text = render_query_refusal(service, error, self._request_id)
        await self._send(text)

    async def _answer_json(self) -> None:
        target = self.request.headers.get("X-Amz-Target", "")
        self._verify(signing_name(target))
        operation = find_operation(self._edge.operations, target)
        request = parse_request(operation, self.request.body)
        self._edge.note_request()
        try:
            reply = await self._carry_out(operation, request)
        finally:
            self._edge.note_request()
        for name, value in reply.headers.items():
            self.set_header(name, value)
        await self._send("" if reply.body is None else json.dumps(reply.body))

    def _verify(self, service: str | None) -> None:
        headers = tuple((name.lower(), value) for name, value in self.request.headers.get_all())
        request = Request(method="POST", target="/", headers=headers, body=self.request.body)
        self._edge.verifier.verify(request, service)

    async def _carry_out(self, operation: Operation, request: dict[str, Any]) -> Reply:
        if operation.waiting is not None:
            headers = self.request.headers
            patience = read_patience(headers.get(WAIT_HEADER), headers.get(SEEN_HEADER))
            return await self._abandon_with_caller(operation.waiting(request, patience))
        if operation.blocking is None:
            raise AssertionError("An operation blocks or waits.")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._edge.executor, operation.blocking, request)

    async def _abandon_with_caller(self, answer: Awaitable[Reply]) -> Reply:
        """Ends a wait when the caller has gone."""
        self._task = asyncio.ensure_future(answer)
        reply: Reply = await self._task
        return reply

    def on_connection_close(self) -> None:
        """Called by tornado when the caller has gone."""
        if self._task is not None:
            self._task.cancel()

    async def _send(self, text: str) -> None:
        if self.request.connection.stream.closed():  # type: ignore[union-attr]
            return
        await self.finish(text)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What tornado itself refuses, without telling why."""
        self.set_header("Content-Type", JSON_TYPE)
        self.finish(json.dumps({"__type": "BadRequest", "message": f"HTTP {status_code}"}))

    def log_exception(self, *args: Any) -> None:
        """Nothing of a request goes to the log by tornado's own hand."""

    def compute_etag(self) -> None:
        """No answer is cached."""


class Server:
    """Listens on a random port of 127.0.0.1.

    Attributes:
        port: Where.
    """

    def __init__(self, make_edge: Callable[[], Edge]) -> None:
        # Backlog and the address are fixed on purpose: nothing makes this service listen elsewhere.
        self._sockets = tornado.netutil.bind_sockets(0, address="127.0.0.1", backlog=512)
        self.port: int = self._sockets[0].getsockname()[1]
        self._make_edge = make_edge
        self._server: tornado.httpserver.HTTPServer | None = None

    def start(self) -> None:
        """Accepts requests, on the running loop."""
        application = tornado.web.Application(
            [(r".*", ApiHandler, {"edge": self._make_edge(), "port": self.port})], log_function=_log_request
        )
        self._server = tornado.httpserver.HTTPServer(
            application, max_body_size=MAX_BODY_BYTES, max_buffer_size=2 * MAX_BODY_BYTES, idle_connection_timeout=900
        )
        self._server.add_sockets(self._sockets)

    async def stop(self) -> None:
        """Accepts nothing more and drops what is open."""
        if self._server is None:
            for socket in self._sockets:
                socket.close()
            return
        self._server.stop()
        await self._server.close_all_connections()


def _log_request(handler: tornado.web.RequestHandler) -> None:
    logger.debug(
        "%s %s %.1f ms",
        handler.request.headers.get("X-Amz-Target", "-"),
        handler.get_status(),
        1000 * handler.request.request_time(),
    )
