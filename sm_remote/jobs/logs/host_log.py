"""One host's log: a stream for each attempt, read one after the other, from where the last reading ended."""

from __future__ import annotations

from sm_remote.aws.training_jobs import LogPage, TrainingJobs
from sm_remote.wire.marker import split_marker

EMPTY_PAGES = 20
"""CloudWatch may answer with pages without lines although some follow; so many are passed over at a time."""


def find_host(stream: str) -> str:
    """The host of a stream."""
    # "<job>/algo-1-1763712000": the host is what lies before the last dash.
    return stream.rpartition("/")[2].rpartition("-")[0]


class HostLog:
    """Where the reading of one host's streams stands.

    Attributes:
        has_last_line: Whether the newest attempt has said what its outcome is, behind which it says nothing.
    """

    def __init__(self) -> None:
        self._streams: list[str] = []
        self._position = 0
        self._token: str | None = None
        self._closed = False
        self._told = 0
        self._lines: list[tuple[int, str]] = []
        self.has_last_line = False

    @property
    def is_read(self) -> bool:
        """Whether nothing can come any more, as far as is known."""
        return self._closed and self._position == len(self._streams) - 1

    def add(self, stream: str) -> None:
        """Takes up a stream; they come in the order of the attempts."""
        if stream not in self._streams:
            self._streams.append(stream)
            self.has_last_line = False

    def take(self) -> list[tuple[int, str]]:
        """What has been read and not been taken yet: (moment in milliseconds, line)."""
        taken, self._lines = self._lines, []
        return taken

    def fill(self, api: TrainingJobs, hold_s: float, manifest_digest: str | None) -> None:
        """Reads on, unless something was read and not taken; nothing is lost where reading fails.

        Args:
            api: The API.
            hold_s: How long a local service may hold the request.
            manifest_digest: Of the job, whose own last line tells that no other follows.
        """
        if self._lines or self.is_read:
            return
        for _ in range(EMPTY_PAGES):
            is_last = self._position == len(self._streams) - 1
            before = self._token
            page = api.read_log(self._streams[self._position], token=before, wait_s=hold_s if is_last else 0.0)
            self._token, self._closed = page.forward, page.closed
            if is_last and manifest_digest is not None:
                told = any(split_marker(line, manifest_digest) for line in page.lines)
                self.has_last_line = self.has_last_line or told
            if page.lines:
                self._keep(page)
                return
            if not is_last and (page.closed or page.forward == before or api.session.holds_requests):
                self._position, self._token, self._closed = self._position + 1, None, False
            elif is_last and (page.forward == before or api.session.holds_requests):
                return

    def _keep(self, page: LogPage) -> None:
        """The first lines of a later attempt come behind a line that says so."""
        self._lines = list(zip(page.times_ms, page.lines, strict=True))
        if self._told < self._position:
            self._told = self._position
            self._lines.insert(0, (page.times_ms[0], f"---- attempt {self._position + 1} ----"))
