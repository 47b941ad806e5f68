"""Runs each host of a training job as a process of this machine, for where there is no Docker.

Only jobs in the local Python image can run so: their image is an interpreter of this machine. A bubblewrap sandbox is
put around the process where one works; `ProcessEngine.describe` says what remains open. Processes outlive the
service: a shim in a session of its own notes output and exit code in files (see `files`).
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from sm_remote.home import Home, make_private, write_private
from sm_remote.service.engines.built_images import ImageBuildError, is_built_image
from sm_remote.service.engines.engine import (
    ContainerExit,
    ContainerLost,
    ContainerSpec,
    ContainerUsage,
    EngineError,
    ImageMissing,
    ImagePython,
)
from sm_remote.service.engines.interpreter import (
    Interpreter,
    InterpreterFacts,
    ask_interpreter,
    find_libraries,
    is_local_image,
    read_interpreter,
)
from sm_remote.service.engines.mounts import make_mount_points
from sm_remote.service.engines.process.files import SHIM, ProcessFiles
from sm_remote.service.engines.process.output_tail import tail_lines
from sm_remote.service.engines.process.sandbox import SYSTEM_DIRECTORIES, Plan, plan_plain, plan_sandbox
from sm_remote.service.engines.process.usage import read_process_usage

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PYTHON = re.compile(r"(?:/usr(?:/local)?/bin/)?python(?:3(?:\.\d+)?)?")
_INSTANCE = "sm_remote.instance"


class ProcessEngine:
    """See `sm_remote.service.engines.engine.Engine`.

    Args:
        home: Where interpreters are recorded, and where this engine remembers its containers.
        bubblewrap: The program to put around processes, see `probe_bubblewrap`; None for none.
        note: Why not Docker, for `describe`.
    """

    name = "process"
    network_interface = "lo"
    built_images = None

    def __init__(self, home: Home, *, bubblewrap: str | None, note: str = "") -> None:
        self._home = home
        self._note = note
        self._bubblewrap = bubblewrap
        self._registry = make_private(home.service / "processes")
        self._guard = threading.Lock()
        self._shims: dict[str, subprocess.Popen[bytes]] = {}
        self._peaks: dict[str, int] = {}
        self._interpreters: dict[str, tuple[Interpreter, InterpreterFacts, tuple[Path, ...]]] = {}

    def describe(self) -> str:
        """See the protocol."""
        if self._bubblewrap:
            line = "A process in a bubblewrap sandbox: own files and processes, not limited in CPU or memory"
        else:
            line = "A plain process of this user: nothing is isolated (files, network, CPU, memory), and /opt/ml is at"
            line += " $SM_REMOTE_ML_ROOT"
        return f"{line}. {self._note}" if self._note else line

    def prepare_image(self, image: str, say: Callable[[str], None]) -> None:
        """See the protocol."""
        self._find_interpreter(image)

    def inspect_python(self, image: str, conda_env: str | None = None) -> ImagePython:
        """See the protocol."""
        _, facts, _ = self._find_interpreter(image)
        system = "linux" if platform.system() == "Linux" else platform.system().lower()
        return ImagePython(version=facts.version, platform=f"{system}/{platform.machine()}")

    def _find_interpreter(self, image: str) -> tuple[Interpreter, InterpreterFacts, tuple[Path, ...]]:
        """Finds an interpreter and what of the file system it needs besides /usr."""
        if is_built_image(image):
            raise ImageBuildError(
                f"the image {image} cannot be built: jobs run as processes here, without containers",
                fix="Install and start Docker (sudo scripts/setup-engine.sh), then: sm-remote service stop. "
                "Or leave image_uri out, where packages alone are wanted: `dependencies` names them.",
            )
        if not is_local_image(image):
            raise ImageMissing(
                f"the image {image} needs Docker, and jobs run as processes here. Install and start Docker"
                " (sudo scripts/setup-engine.sh), then: sm-remote service stop; or name no image"
            )
        with self._guard:
            if image not in self._interpreters:
                interpreter = read_interpreter(self._home, image)
                facts = ask_interpreter(interpreter)
                visible = _find_visible(interpreter, facts) if self._bubblewrap else ()
                self._interpreters[image] = (interpreter, facts, visible)
            return self._interpreters[image]

    def start(self, spec: ContainerSpec) -> None:
        """See the protocol."""
        if not _NAME.fullmatch(spec.name):
            raise EngineError(f"{spec.name!r} cannot be a container's name")
        files = self._register(spec)
        make_private(files.scratch)
        lock = files.open_lock()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if files.was_started():
                return
            self._spawn(spec, files, self._plan(spec, files), lock)
        except BlockingIOError:
            return  # it runs
        except OSError as error:
            raise EngineError(f"the process of {spec.name} could not be started: {error}") from error
        finally:
            os.close(lock)

    def _register(self, spec: ContainerSpec) -> ProcessFiles:
        """Notes where a container's files are before there is a process, so that none can be lost."""
        path = self._registry / f"{spec.name}.json"
        record = {
            "scratch": str(spec.scratch / "process"),
            "sandboxed": bool(self._bubblewrap),
            "labels": dict(spec.labels),
        }
        if path.exists():
            found = json.loads(path.read_text())
            if (found["scratch"], found["labels"]) != (record["scratch"], record["labels"]):
                raise EngineError(f"another container has the name {spec.name}")
        else:
            write_private(path, json.dumps(record))
        return _read_record(path)

    def _plan(self, spec: ContainerSpec, files: ProcessFiles) -> Plan:
        interpreter, _, visible = self._find_interpreter(spec.image)
        command = _build_command(spec, interpreter)
        if spec.cluster is not None and not (self._bubblewrap and spec.network):
            raise EngineError(
                "several hosts of a job cannot be kept apart from everything but each other without Docker"
                if self._bubblewrap
                else "a job on several hosts needs Docker or bubblewrap: plain processes all have this machine's name"
            )
        if not self._bubblewrap:
            return plan_plain(spec, command, files.scratch)
        make_mount_points(spec.mounts)
        gpus = sorted(Path("/dev").glob("nvidia*")) if spec.gpus else []
        return plan_sandbox(spec, command, bubblewrap=self._bubblewrap, visible=visible, gpus=gpus)

    def _spawn(self, spec: ContainerSpec, files: ProcessFiles, plan: Plan, lock: int) -> None:
        with open(files.output, "ab") as output:
            self._shims[spec.name] = subprocess.Popen(
                ["/bin/sh", "-c", SHIM, "sm_remote-shim", str(files.scratch), str(plan.directory), *plan.command],
                stdin=lock,
                stdout=output,
                stderr=subprocess.DEVNULL,
                env=dict(plan.environment),
                start_new_session=True,
            )

    def _find_files(self, name: str) -> ProcessFiles | None:
        try:
            return _read_record(self._registry / f"{name}.json")
        except FileNotFoundError:
            return None

    def prepare_standby(self, spec: ContainerSpec) -> bool:
        """See the protocol: a process takes no time to start that could be saved."""
        return False

    def read_lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """See the protocol."""
        files = self._find_files(name)
        if files is not None and files.output.exists():
            yield from tail_lines(files.output, has_ended=lambda: files.read_exit() is not None or not files.is_alive())

    def wait(self, name: str) -> ContainerExit:
        """See the protocol."""
        files = self._find_files(name)
        if files is None or not (files.was_started() or files.is_alive()):
            raise ContainerLost(f"process {name} was never started")
        files.wait_for_end()
        self._reap(name)
        code = files.read_exit()
        if code is None:
            raise ContainerLost(f"process {name} ended without leaving an exit code: it was killed from outside")
        return ContainerExit(code=code, peak_memory_bytes=self._peaks.get(name))

    def _reap(self, name: str) -> None:
        """Takes a child of ours from the process table; what it used of memory is known from nowhere else."""
        with self._guard:
            shim = self._shims.pop(name, None)
            if shim is None:
                return
            _, status, usage = os.wait4(shim.pid, 0)
            shim.returncode = os.waitstatus_to_exitcode(status)
        peak = usage.ru_maxrss * (1 if platform.system() == "Darwin" else 1024)
        # A child starts with the peak of the process that forked it: below that, it says nothing about the job.
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)
        if peak > own:
            self._peaks[name] = peak

    def read_usage(self, name: str) -> ContainerUsage | None:
        """See the protocol."""
        files = self._find_files(name)
        shim = files.find_shim() if files is not None else None
        return None if shim is None else read_process_usage(shim)

    def stop(self, name: str, grace_s: float) -> None:
        """See the protocol."""
        files = self._find_files(name)
        if files is not None and files.is_alive():
            threading.Thread(target=_stop, args=(files, grace_s), name=f"stop {name}", daemon=True).start()

    def remove(self, name: str) -> None:
        """See the protocol."""
        files = self._find_files(name)
        if files is None:
            return
        files.kill_group()
        self._reap(name)
        self._peaks.pop(name, None)
        files.delete()
        (self._registry / f"{name}.json").unlink(missing_ok=True)

    def find_gateway(self) -> None:
        """See the protocol: this machine's loopback is a process's own."""

    def list_subnets(self) -> tuple[str, ...]:
        """See the protocol."""
        return ()

    def list_containers(self, instance: str) -> dict[str, bool]:
        """See the protocol."""
        found = {}
        for path in self._registry.glob("[!.]*.json"):
            with suppress(OSError, ValueError):  # removed at this moment
                record = json.loads(path.read_text())
                if record["labels"].get(_INSTANCE) == instance:
                    found[path.stem] = _read_record(path).is_alive()
        return found

    def remove_network(self, name: str) -> None:
        """See the protocol: hosts share this machine's network."""

    def list_networks(self, instance: str) -> list[str]:
        """See the protocol."""
        return []


def _read_record(path: Path) -> ProcessFiles:
    record = json.loads(path.read_text())
    return ProcessFiles(Path(record["scratch"]), sandboxed=record["sandboxed"])


def _build_command(spec: ContainerSpec, interpreter: Interpreter) -> Sequence[str]:
    words = [*spec.entrypoint, *spec.arguments]
    if words and _PYTHON.fullmatch(words[0]):
        # Without -S the interpreter would see the packages that happen to be installed beside it.
        return [str(interpreter.executable), "-S", "-s", *words[1:]]
    return words


def _find_visible(interpreter: Interpreter, facts: InterpreterFacts) -> tuple[Path, ...]:
    """What a sandbox must show besides /usr: the installation, and libraries from elsewhere (Homebrew, Nix, conda)."""
    kept = list(SYSTEM_DIRECTORIES)
    if _is_below(interpreter.prefix.resolve(), kept):
        return ()
    extensions = (path for home in facts.standard_library for path in home.glob("lib-dynload/*.so"))
    libraries = find_libraries([interpreter.executable, *extensions])
    for path in (interpreter.prefix.resolve(), interpreter.prefix, *sorted(libraries)):
        if not _is_below(path, kept):
            kept.append(path)
    return tuple(kept[len(SYSTEM_DIRECTORIES) :])


def _is_below(path: Path, directories: Sequence[Path]) -> bool:
    return any(path == directory or directory in path.parents for directory in directories)


def _stop(files: ProcessFiles, grace_s: float) -> None:
    deadline = time.monotonic() + grace_s
    signalled = False
    while files.is_alive() and time.monotonic() < deadline:
        if not signalled and (payload := files.find_payload()) is not None:
            with suppress(ProcessLookupError):
                os.kill(payload, signal.SIGTERM)
            signalled = True
        time.sleep(0.01)
    if files.is_alive() and (target := files.find_killable()) is not None:
        with suppress(ProcessLookupError):
            os.kill(target, signal.SIGKILL)
