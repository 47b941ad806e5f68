"""Runs a function as a job does: its blobs in a temporary /opt/ml, the launch command in a real, bare interpreter."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cloudpickle

from sm_remote.capture.runtime_zip import build_runtime_zip
from sm_remote.wire.digest import BlobRef, digest_bytes, digest_file
from sm_remote.wire.launch import build_launch
from sm_remote.wire.manifest import Manifest, ManifestObject
from sm_remote.wire.marker import parse_marker
from sm_remote.wire.outcome import OutcomeHeader, load_object, read_header
from sm_remote.wire.payload import pickle_value

PYTHON = ".".join(map(str, sys.version_info[:2]))


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A job that is ready to start."""

    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...]
    manifest: Manifest
    manifest_digest: str

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-S", "-s", *self.entrypoint[1:], *self.arguments]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a job left behind."""

    exit_code: int
    stdout: str
    stderr: str
    failure: str | None
    outcome: Path | None
    marker: BlobRef | None

    @property
    def lines(self) -> list[str]:
        """What it printed, without the marker."""
        lines = self.stdout.splitlines()
        return lines[:-1] if self.marker else lines

    @property
    def header(self) -> OutcomeHeader:
        assert self.outcome is not None, self.stderr
        return read_header(self.outcome)

    @property
    def value(self) -> Any:
        assert self.exit_code == 0, f"{self.failure}\n{self.stderr}"
        assert self.failure is None
        return load_object(self.outcome, self.header)

    @property
    def error(self) -> BaseException:
        assert self.exit_code != 0
        return load_object(self.outcome, self.header)


class JobTree:
    """A temporary /opt/ml."""

    def __init__(self, root: Path) -> None:
        self.root = root / "ml"
        self.channel = self.root / "input" / "data" / "sm_remote"
        self.temporary = root / "tmp"
        self.channel.mkdir(parents=True)
        self.temporary.mkdir()

    def put(self, content: bytes | memoryview) -> BlobRef:
        ref = BlobRef(digest=digest_bytes(content), size_bytes=memoryview(content).nbytes)
        (self.channel / ref.digest).write_bytes(content)
        return ref

    def put_value(self, value: Any, *, external: bool = True) -> tuple[BlobRef, tuple[BlobRef, ...]]:
        file = io.BytesIO()
        buffers = pickle_value(value, file, put_buffer=self.put if external else None)
        return self.put(file.getvalue()), buffers

    def write_config(self, name: str, content: Mapping[str, Any]) -> None:
        (self.root / "input" / "config").mkdir(exist_ok=True)
        (self.root / "input" / "config" / name).write_text(json.dumps(content))

    def add_packages(self, *names: str) -> None:
        """Links packages of this environment into the layer channel, those that there are."""
        layer = self.root / "input" / "data" / "sm_remote_layer"
        layer.mkdir()
        for name in filter(find_spec, names):
            found = Path(find_spec(name).origin)
            source = found.parent if found.name == "__init__.py" else found
            (layer / source.name).symlink_to(source)
            libraries = source.parent / f"{name}.libs"
            if libraries.exists():
                (layer / libraries.name).symlink_to(libraries)

    def prepare(
        self,
        func: Callable[..., Any],
        *args: Any,
        source: bytes | None = None,
        source_texts: Mapping[str, str] | None = None,
        objects: Sequence[tuple[str, bytes]] = (),
        **manifest: Any,
    ) -> Launch:
        module = sys.modules.get(getattr(func, "__module__", "__main__"))
        by_value = module is not None and module.__name__.startswith("tests.")
        if by_value:
            cloudpickle.register_pickle_by_value(module)
        try:
            function, function_buffers = self.put_value(func)
            arguments, argument_buffers = self.put_value((args, {}))
        finally:
            if by_value:
                cloudpickle.unregister_pickle_by_value(module)
        runtime = self.put(build_runtime_zip())
        refs = [("runtime", runtime), ("function", function), ("arguments", arguments)]
        refs += [("buffer", ref) for ref in (*function_buffers, *argument_buffers)]
        refs += [(role, self.put(content)) for role, content in objects]
        if source is not None:
            refs.append(("source", self.put(source)))
        if source_texts is not None:
            refs.append(("source_texts", self.put(json.dumps(dict(source_texts)).encode())))
        made = Manifest(
            objects=tuple(ManifestObject(role=role, ref=ref) for role, ref in refs),
            python=PYTHON,
            function_name=getattr(func, "__name__", "f"),
            layer_key="k" if (self.root / "input" / "data" / "sm_remote_layer").exists() else None,
            **manifest,
        )
        ref = self.put(made.to_json())
        entrypoint, launch_arguments = build_launch(runtime, ref)
        return Launch(entrypoint=entrypoint, arguments=launch_arguments, manifest=made, manifest_digest=ref.digest)

    def start(self, launch: Launch, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            launch.command,
            env={
                "SM_REMOTE_ML_ROOT": str(self.root),
                "TMPDIR": str(self.temporary),
                "PATH": os.environ["PATH"],
                "TRAINING_JOB_NAME": "train-1",
                **environment,
            },
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, launch: Launch, process: subprocess.Popen[str]) -> Ended:
        stdout, stderr = process.communicate(timeout=120)
        failure = self.root / "output" / "failure"
        outcome = self.root / "output" / "data" / "sm_remote" / "outcome"
        assert not list(self.temporary.iterdir()), "the private directory is removed"
        assert not (self.root / "output" / "data" / ".sm_remote-outcome").exists()
        last = stdout.splitlines()[-1] if stdout else ""
        marker = parse_marker(last, launch.manifest_digest)
        if marker is not None:
            assert last.startswith("sm_remote outcome "), "the marker has a line of its own"
            assert digest_file(outcome) == marker.digest
            assert outcome.stat().st_size == marker.size_bytes
        return Ended(
            exit_code=process.returncode,
            stdout=stdout,
            stderr=stderr,
            failure=failure.read_text() if failure.exists() else None,
            outcome=outcome if outcome.exists() else None,
            marker=marker,
        )

    def run(self, func: Callable[..., Any], *args: Any, **options: Any) -> Ended:
        launch = self.prepare(func, *args, **options)
        return self.finish(launch, self.start(launch))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def terminate(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
