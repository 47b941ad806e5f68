"""What the panel's routes have in common, over real sockets."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tornado import httpserver, netutil, web
from tornado.httpclient import AsyncHTTPClient
from tornado.simple_httpclient import HTTPStreamClosedError

from sm_remote.errors import ConfigError, StorageError
from sm_remote.server.handler import answers_problems, check_name
from sm_remote.server.problems import Problem


class Answer(web.RequestHandler):
    """Fails before its answer, or in the middle of it."""

    log = logging.getLogger("tests")

    def refuse(self, problem: Problem) -> None:
        self.set_status(problem.status)
        self.finish(problem.code)

    @answers_problems
    async def get(self, moment: str) -> None:
        if moment == "late":
            self.write("first lines\n")
            await self.flush()
        raise StorageError("The object cannot be read.")


async def fetch(moment: str) -> tuple[int, str]:
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    server = httpserver.HTTPServer(web.Application([(r"/(\w+)", Answer)]))
    server.add_sockets(sockets)
    client = AsyncHTTPClient(force_instance=True)
    try:
        url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/{moment}"
        response = await client.fetch(url, raise_error=False)
        return response.code, response.body.decode()
    finally:
        client.close()
        server.stop()
        await server.close_all_connections()


def test_an_error_before_the_answer_is_told_as_a_problem() -> None:
    assert asyncio.run(fetch("early")) == (502, "storage")


def test_an_error_in_the_middle_of_an_answer_breaks_it_off_instead_of_passing_for_its_end() -> None:
    with pytest.raises(HTTPStreamClosedError):
        asyncio.run(fetch("late"))


@pytest.mark.parametrize("name", ["", "../a", "a/b", "a" * 64, "-a", "a\n", "ä", "a.b"])
def test_what_can_be_no_jobs_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        check_name(name)
