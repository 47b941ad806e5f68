"""The card of a job as a notebook keeps it: what the panel puts into a notebook whose kernel saw no end of the job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.card.card import render_attach, render_card, render_text
from sm_remote.card.state import CARD_LINES, MetricReader, build_card
from sm_remote.jobs.logs.line import LogTail
from sm_remote.jobs.succession.chain import list_chain
from sm_remote.server.handler import PanelHandler, answers_problems, check_name, check_target
from sm_remote.server.log_slices import LogLine, read_newest


class CardHandler(PanelHandler):
    """One job's card."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self, target: str, name: str) -> None:
        """Whether the job has not ended, and its card as a notebook's output has it."""
        self.finish(json.dumps(await self.panel.run(self._fetch, check_target(target), check_name(name))))

    def _fetch(self, target: str, name: str) -> dict[str, Any]:
        connection = self.panel.connect(target)
        # The card is of the call: of several jobs that follow one another the last one tells how it stands.
        description = list_chain(connection, connection.training_jobs.describe(name))[-1]
        # Afterwards: the log of a job that has ended grows no more.
        lines = read_newest(connection.training_jobs, description.name).lines
        return build_output(description, lines, is_local=target == "local", now=datetime.now(timezone.utc))


def build_output(
    description: TrainingJobDescription, lines: Sequence[LogLine], *, is_local: bool, now: datetime
) -> dict[str, Any]:
    """The card without a kernel: state, last values of metrics and last lines, and how to get names and value. Pure.

    Args:
        description: The job.
        lines: The end of its log.
        is_local: Whether it runs on this machine.
        now: This moment.
    """
    tail, metrics = LogTail(most=CARD_LINES), MetricReader(description.raw)
    for line in lines:
        metrics.read(line.text)
        tail.add(f"[{line.host}] {line.text}" if line.host else line.text)
    attach = f"For its output and what it gave back: {render_attach(description.name, is_local=is_local)}"
    card = build_card(
        description,
        now=now,
        is_local=is_local,
        metrics=metrics.values,
        notes=[attach] if description.status.is_terminal else [],
        tail=tail.lines(),
    )
    return {"live": card.is_live, "data": {"text/html": render_card(card), "text/plain": render_text(card)}}


CARD_ROUTES: list[tuple[str, type[PanelHandler]]] = [
    (r"(?P<target>[a-z]{1,16})/jobs/(?P<name>[^/]{1,256})/card", CardHandler),
]
