"""A job that mpirun runs on several hosts: how the first one's mpirun gets its daemons started on the others.

There is no ssh in a job's image. The supervisors of the other hosts come to the first one's, over the job's own network
and by a key that only this job has (`peer_line`), and wait. mpirun's agent (`mpi_agent`) tells the first one's
supervisor what to start where; each host starts mpirun's daemon (`mpi_daemon`), once, and nothing else.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sm_remote.errors import JobFailed
from sm_remote.runtime import mpi_agent
from sm_remote.runtime.children import Ending
from sm_remote.runtime.environment import count_cpus
from sm_remote.runtime.mpi import MpiHost, build_command, build_variables, find_program, is_over, without_outcome
from sm_remote.runtime.mpi_daemon import parse_daemon_command
from sm_remote.runtime.peer_line import LineRefused, PeerLine
from sm_remote.runtime.ranks import count_local_ranks

PORT = 7790
GATHERING_LIMIT_S = 300.0
"""How long the first host waits for the others, and they for it. Source: SageMaker SDK, mpirun's driver."""
ENDING_LIMIT_S = 20.0
"""How long the other hosts may take to say how their ranks ended, once mpirun has."""
_CALL_LIMIT_S = 5.0
_RETRY_S = 0.2


def lead_hosts(
    host: MpiHost, hosts: list[str], key: bytes, program: str, interface: str, *, say: Callable[[str], None]
) -> Ending:
    """The first host: waits for the others, runs mpirun, and tells all how the job has ended.

    Raises:
        JobFailed: A host has not come in time, or has gone.
    """
    company = Company(hosts[1:], key, say=say)
    with socket.create_server((hosts[0], PORT)) as listener:
        _serve(listener, company.greet)
        company.wait_for_all(GATHERING_LIMIT_S)
    slots = {hosts[0]: count_local_ranks(without_gpus=count_cpus()), **company.slots()}
    agent = _write_agent(host.job.workspace)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as requests:
        requests.bind(_agent_address(host.job.workspace))
        requests.listen()
        _serve(requests, company.answer_agent)
        count = sum(slots.values())

        def nothing_is_left() -> bool:
            return company.has_lost_one() or is_over(host.read_endings() + company.list_endings(), count)

        command = build_command(program, slots, host.job.digest)
        variables = build_variables(interface, agent=agent)
        exit_code = host.run_launcher(command, variables, is_over=nothing_is_left)
    endings = host.read_endings() + company.wait_for_endings(ENDING_LIMIT_S)
    try:
        ending = host.conclude(exit_code, endings, count)
    except JobFailed as failure:
        company.tell_all({"failure": str(failure)})
        raise
    company.tell_all({"ending": without_outcome(ending).to_json()})
    return ending


def join_first_host(host: MpiHost, first: str, current: str, key: bytes) -> Ending:
    """Another host: offers its ranks, starts mpirun's daemon when told to, and ends as the job does.

    Raises:
        JobFailed: The first host cannot be reached, has gone, or says that the job has failed.
    """
    try:
        line = _call(first, key)
        line.send({"host": current, "slots": count_local_ranks(without_gpus=count_cpus())})
        # It knows the key as well, or what it says is refused; it only speaks when all hosts are there.
        line.trust()
        message = line.receive()
        if "launch" in message:
            line.send(_launch(host, str(message["launch"]), line))
            message = line.receive()
    except OSError as error:
        raise JobFailed(f"{first}, which runs mpirun, has left {current} alone.", why=str(error)) from error
    if "ending" in message:
        return Ending.from_json(message["ending"])
    raise JobFailed(str(message.get("failure")))


def _launch(host: MpiHost, agents_line: str, first_host: PeerLine) -> dict[str, Any]:
    command = parse_daemon_command(agents_line)
    program = find_program(command.name)

    def nothing_is_left() -> bool:
        # The first host says nothing more before the daemon has ended, unless it goes on without it, or is gone.
        return first_host.has_news() or any(ending.failed for _, ending in host.read_endings())

    exit_code = host.run_launcher([program, *command.arguments], command.variables, is_over=nothing_is_left)
    return {"exit_code": exit_code, "endings": [(when, ending.to_json()) for when, ending in host.read_endings()]}


def _call(first: str, key: bytes) -> PeerLine:
    deadline = time.monotonic() + GATHERING_LIMIT_S
    while True:
        connection = None
        try:
            connection = socket.create_connection((first, PORT), timeout=_CALL_LIMIT_S)
            return PeerLine(connection, key, leads=False)
        except OSError:  # it is not there yet
            if connection is not None:
                connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)


@dataclass(kw_only=True, slots=True)
class _Member:
    """Another host, once it has come."""

    line: PeerLine
    slots: int
    was_launched: bool = False
    exit_code: int = 1
    endings: list[tuple[float, Ending]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


class Company:
    """The other hosts, as the first one's supervisor sees them.

    Args:
        hosts: Their names.
        key: The job's.
        say: Writes to the log.
    """

    def __init__(self, hosts: Iterable[str], key: bytes, *, say: Callable[[str], None]) -> None:
        self._hosts = list(hosts)
        self._key = key
        self._say = say
        self._members: dict[str, _Member] = {}
        self._changed = threading.Condition()

    def greet(self, connection: socket.socket) -> None:
        """Takes a host in that has called; anybody else is sent away."""
        try:
            line = PeerLine(connection, self._key, leads=True)
            greeting = line.receive()
            host, slots = str(greeting["host"]), int(greeting["slots"])
            with self._changed:
                if host not in self._hosts or host in self._members or slots < 1:
                    raise LineRefused(f"{host!r:.80} is not awaited")
                line.trust()
                self._members[host] = _Member(line=line, slots=slots)
                self._changed.notify_all()
        except (OSError, LookupError, TypeError, ValueError) as error:
            self._say(f"sm_remote: a caller was refused that is no host of this job: {error}\n")
            connection.close()

    def wait_for_all(self, limit_s: float) -> None:
        """Waits until every host has come.

        Raises:
            JobFailed: One has not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._members) == len(self._hosts), limit_s):
                absent = [host for host in self._hosts if host not in self._members]
                raise JobFailed(f"mpirun was not started: {', '.join(absent)} did not come within {limit_s:.0f} s.")

    def slots(self) -> dict[str, int]:
        """How many ranks each host takes, in the order of the hosts."""
        return {host: self._members[host].slots for host in self._hosts}

    def answer_agent(self, connection: socket.socket) -> None:
        """Has a daemon started for mpirun's agent, and tells it how the daemon ended."""
        import json

        exit_code = 1
        try:
            host, command = json.loads(mpi_agent.read_all(connection, mpi_agent.MOST_BYTES))
            exit_code = self.launch(host, command)
        except (OSError, LookupError, TypeError, ValueError) as error:
            self._say(f"sm_remote: mpirun could not start its daemon: {type(error).__name__}: {error}\n")
        with suppress(OSError), connection:
            connection.sendall(str(exit_code).encode())

    def launch(self, host: str, command: str) -> int:
        """Has a host start mpirun's daemon, and waits until it has ended.

        Raises:
            LookupError: There is no such host.
            LineRefused: It has started one already.
            OSError: It is gone.
        """
        member = self._members[host]
        with self._changed:
            if member.was_launched:
                raise LineRefused(f"{host} has started its daemon already")
            member.was_launched = True
        try:
            member.line.send({"launch": command})
            answer = member.line.receive()
            member.exit_code = int(answer["exit_code"])
            member.endings = [(float(when), Ending.from_json(text)) for when, text in answer["endings"]]
        finally:
            member.ended.set()
        return member.exit_code

    def wait_for_endings(self, limit_s: float) -> list[tuple[float, Ending]]:
        """How the other hosts' ranks have ended; those of a host that is gone or silent are not among them."""
        deadline = time.monotonic() + limit_s
        for member in self._members.values():
            if member.was_launched:
                member.ended.wait(max(0.0, deadline - time.monotonic()))
        return self.list_endings()

    def list_endings(self) -> list[tuple[float, Ending]]:
        """How those ranks have ended whose hosts have said so, which they do once their daemon has ended."""
        return [each for member in self._members.values() for each in member.endings]

    def has_lost_one(self) -> bool:
        """Whether a host's daemon has failed, or a host is gone."""
        return any(member.ended.is_set() and member.exit_code for member in self._members.values())

    def tell_all(self, message: dict[str, Any]) -> None:
        """Tells every host that is still there how the job has ended."""
        for member in self._members.values():
            with suppress(OSError):
                member.line.send(message)
            member.line.close()


def _serve(listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    """Answers each caller in a thread of its own, until the listener is closed."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def _agent_address(workspace: str) -> str:
    return os.path.join(workspace, "agent.socket")


def _write_agent(workspace: str) -> str:
    """Writes the program that mpirun calls in the place of ssh, and says how it is called."""
    path = os.path.join(workspace, "agent.py")
    with open(path, "x", encoding="utf-8") as file:
        file.write(
            "import sys\n"
            f"sys.path.insert(0, {os.path.join(workspace, 'runtime.zip')!r})\n"
            "from sm_remote.runtime.mpi_agent import main\n"
            f"main({_agent_address(workspace)!r}, sys.argv[1:])\n"
        )
    return f"{sys.executable} {path}"
