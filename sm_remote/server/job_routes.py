"""The list of jobs, one job, and what can be done with it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from sm_remote.errors import RemoteError
from sm_remote.jobs.artifacts.stored_checkpoints import StoredGeneration, list_stored
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.repetition.replay import replay_through
from sm_remote.jobs.succession.chain import list_chain, stop_for_good
from sm_remote.server.artefacts import list_artefacts, open_artefact
from sm_remote.server.details import build_details
from sm_remote.server.handler import PanelHandler, answers_problems, check_name, check_target
from sm_remote.server.problems import Problem, render_problem
from sm_remote.server.rows import render_row
from sm_remote.storage import Store

_CHUNK_BYTES = 1 << 20


class JobsHandler(PanelHandler):
    """The list, or what changed in it."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self, target: str) -> None:
        """Answers at once with what is known, and has the poller look while somebody asks."""
        poller = self.panel.poller(check_target(target))
        poller.look(
            panel=self.get_query_argument("attention", "panel") == "panel",
            refresh=self.get_query_argument("refresh", "") == "1",
        )
        since = self.get_query_argument("since", "0")
        changes = poller.table.since(int(since) if since.isascii() and since.isdigit() and len(since) < 16 else 0)
        answer = {
            "target": target,
            "seq": changes.seq,
            "whole": changes.whole,
            "as_of_ms": changes.as_of_ms,
            "problem": None if changes.problem is None else render_problem(changes.problem),
            "rows": [render_row(row) for row in changes.rows],
        }
        self.finish(json.dumps(answer))


class JobHandler(PanelHandler):
    """One job."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self, target: str, name: str) -> None:
        """All that is known of it."""
        self.finish(json.dumps(await self.panel.run(_fetch_details, self, check_target(target), check_name(name))))


def _fetch_details(handler: JobHandler, target: str, name: str) -> dict[str, Any]:
    connection = handler.panel.connect(target)
    description = connection.training_jobs.describe(name)
    tags = connection.training_jobs.list_tags(description.arn)
    checkpoints = _list_checkpoints(connection, description.raw.get("CheckpointConfig"))
    chain = list_chain(connection, description)
    return build_details(description, tags, target, chain=chain, checkpoints=checkpoints, now_s=time.time())


def _list_checkpoints(connection: Connection, config: Mapping[str, str] | None) -> list[StoredGeneration]:
    """What has arrived; nothing where the store cannot be read, which is no reason not to show the job."""
    if not config:
        return []
    try:
        return list_stored(connection.open_store(config["S3Uri"].rstrip("/")))
    except RemoteError:
        return []


class StopHandler(PanelHandler):
    """Stops a job, whatever has become of the kernel that made it."""

    @web.authenticated
    @authorized
    @answers_problems
    async def post(self, target: str, name: str) -> None:
        """Asks for its end; a job that has ended already is refused with 409."""
        status = await self.panel.run(self._stop, check_target(target), check_name(name))
        if status is not None:
            self.refuse(Problem(code="ended", what=f"Training job {name} has ended already: {status}.", status=409))
            return
        self.panel.poller(target).look(panel=True, refresh=True)
        self.set_status(202)
        self.finish(json.dumps({"name": name, "status": "Stopping"}))

    def _stop(self, target: str, name: str) -> str | None:
        connection = self.panel.connect(target)
        description = connection.training_jobs.describe(name)
        if description.status.is_terminal:
            return str(description.status)
        stop_for_good(connection, description)
        return None


class ReplayHandler(PanelHandler):
    """Runs the same job again."""

    @web.authenticated
    @authorized
    @answers_problems
    async def post(self, target: str, name: str) -> None:
        """Answers with the new job's name."""
        again = await self.panel.run(self._replay, check_target(target), check_name(name))
        self.panel.poller(target).look(panel=True, refresh=True)
        self.set_status(201)
        self.finish(json.dumps({"name": again}))

    def _replay(self, target: str, name: str) -> str:
        job = replay_through(self.panel.connect(target), name, {})
        job._submit()
        return job.name


class MetricsHandler(PanelHandler):
    """What was measured of a job."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self, target: str, name: str) -> None:
        """The course of each metric, of its log and of its containers."""
        courses = await self.panel.run(self._read, check_target(target), check_name(name))
        self.finish(json.dumps({"courses": courses}))

    def _read(self, target: str, name: str) -> list[dict[str, Any]]:
        api = self.panel.connect(target).training_jobs
        description = api.describe(name)
        raw = description.raw
        defined = (raw.get("AlgorithmSpecification") or {}).get("MetricDefinitions") or ()
        courses = api.read_metrics(
            name,
            [entry["Name"] for entry in defined],
            instance_count=description.host_count,
            start=description.creation_time,
            # A point belongs to the period that begins at it: the last one has to be within.
            end=(description.end_time or datetime.now(timezone.utc)) + timedelta(seconds=60),
        )
        return [asdict(course) for course in courses]


class ArtefactsHandler(PanelHandler):
    """What a job left behind."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self, target: str, name: str) -> None:
        """Lists its files with their sizes."""
        found = await self.panel.run(self._list, check_target(target), check_name(name))
        self.finish(json.dumps({"files": found}))

    def _list(self, target: str, name: str) -> list[dict[str, Any]]:
        store, name = _open_store(self.panel.connect(target), name)
        return list_artefacts(store, name)


class ArtefactHandler(PanelHandler):
    """One file that a job left behind."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self, target: str, name: str) -> None:
        """Sends it as a download; it is never shown as a page of this server's."""
        key = self.get_query_argument("path")
        content, size, file_name = await self.panel.run(self._open, check_target(target), check_name(name), key)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Length", str(size))
        self.set_header("Content-Disposition", f'attachment; filename="{file_name}"')
        with content:
            while chunk := await self.panel.run(content.read, _CHUNK_BYTES):
                self.write(chunk)
                await self.flush()

    def _open(self, target: str, name: str, key: str) -> Any:
        store, name = _open_store(self.panel.connect(target), name)
        return open_artefact(store, name, key)


def _open_store(connection: Connection, name: str) -> tuple[Store, str]:
    description = connection.training_jobs.describe(name)
    return connection.open_store(description.output_uri), name


_JOB = r"(?P<target>[a-z]{1,16})/jobs/(?P<name>[^/]{1,256})"
JOB_ROUTES: list[tuple[str, type[PanelHandler]]] = [
    (r"(?P<target>[a-z]{1,16})/jobs", JobsHandler),
    (_JOB, JobHandler),
    (f"{_JOB}/stop", StopHandler),
    (f"{_JOB}/replay", ReplayHandler),
    (f"{_JOB}/metrics", MetricsHandler),
    (f"{_JOB}/artefacts", ArtefactsHandler),
    (f"{_JOB}/artefacts/file", ArtefactHandler),
]
