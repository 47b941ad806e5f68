"""1,000 of 1,000 objects that are not what was sent are refused before anything is executed or unpickled.

Each trial takes one object of a job or of its end, puts something else in its place (forged, swapped, replayed, rolled
back, cut, extended, altered by a bit, empty, absent), and has the real verifier, loader or collector look at it. What
is forged leaves a trace where it is executed or unpickled.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import pickle
import random
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sm_remote.aws.responses import parse_description
from sm_remote.capture.runtime_zip import build_runtime_zip
from sm_remote.errors import CorruptBlob, JobFailed, OutcomeMissing
from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.jobs.outcome.cell import conclude_cell
from sm_remote.jobs.outcome.results import conclude
from sm_remote.runtime.load import load_call, read_manifest
from sm_remote.runtime.mpirun import read_key
from sm_remote.runtime.run import Job
from sm_remote.storage import open_store
from sm_remote.wire import layout
from sm_remote.wire import manifest as roles
from sm_remote.wire.digest import CHUNK_BYTES, BlobRef, digest_bytes
from sm_remote.wire.launch import REFUSED_EXIT_CODE, build_launch
from sm_remote.wire.manifest import Manifest, ManifestObject
from sm_remote.wire.marker import MARKER_PREFIX, format_marker
from sm_remote.wire.outcome import load_outcome
from sm_remote.wire.outcome_writer import write_cell, write_exception, write_value
from sm_remote.wire.payload import load_value, pickle_value

TRIALS = 1000
SEED = 20_261_121
FACTS = {"python": "3.11.7", "ended": 2.0, "peak_memory_bytes": None, "memory_limit_bytes": None}
CHAIN = {
    "phase": "run",
    "chain": [{"type": "builtins.ValueError", "text": "no", "relation": "raised", "frames": [], "notes": []}],
    "missing_module": None,
    "note": None,
    "sources": {},
}
CELL = {"names": [["x", "int", 1, "assigned"]], "modules": {}, "refused": [], "deleted": [], "absent": [], "shown": []}


class Canary:
    """Unpickling it leaves a directory behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@dataclass(kw_only=True)
class Target:
    """One object, and what could stand in its place.

    Attributes:
        content: What it is.
        forged: The same kind of thing with a canary in it.
        other: The same kind of thing of another job.
        older: The same kind of thing of an earlier run.
        neighbours: What the same job has beside it.
        put: Puts something in its place; None takes it away.
        look: Has the code under test look at it; raises what that raises.
        refusals: What it raises where it refuses.
    """

    content: bytes
    forged: bytes
    other: bytes
    older: bytes
    neighbours: list[bytes]
    put: Callable[[bytes | None], None]
    look: Callable[[], Any]
    refusals: tuple[type[BaseException], ...]


Mutation = Callable[[Target, random.Random], "bytes | None"]
MUTATIONS: dict[str, Mutation] = {
    "forged": lambda target, _: target.forged,
    "forged to the same size": lambda target, _: target.forged[: len(target.content)].ljust(len(target.content), b"\0"),
    "forged behind what it was": lambda target, _: target.content + target.forged,
    "forged before what it was": lambda target, _: target.forged + target.content,
    "swapped within the job": lambda target, draw: draw.choice(target.neighbours),
    "swapped between jobs": lambda target, _: target.other,
    "rolled back": lambda target, _: target.older,
    "cut": lambda target, draw: target.content[: draw.randrange(len(target.content))],
    "cut in front": lambda target, draw: target.content[draw.randrange(1, len(target.content)) :],
    "extended": lambda target, draw: target.content + bytes(draw.choices(range(33, 127), k=draw.randint(1, 100))),
    "a bit altered": lambda target, draw: _flip(target.content, draw),
    "two bytes exchanged": lambda target, draw: _exchange(target.content, draw),
    "empty": lambda target, _: b"",
    "absent": lambda target, _: None,
}


def _flip(content: bytes, draw: random.Random) -> bytes:
    altered = bytearray(content)
    altered[draw.randrange(len(altered))] ^= 1 << draw.randrange(7)
    return bytes(altered)


def _exchange(content: bytes, draw: random.Random) -> bytes:
    altered = bytearray(content)
    first = second = 0
    while altered[first] == altered[second]:
        first, second = draw.randrange(len(altered)), draw.randrange(len(altered))
    altered[first], altered[second] = altered[second], altered[first]
    return bytes(altered)


def _pickle(value: Any) -> bytes:
    file = io.BytesIO()
    pickle_value(value, file)
    return file.getvalue()


def _zip(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _tar(name: str, content: bytes, mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Bench:
    """A job with an object of every role in a temporary /opt/ml, and ended jobs in a store."""

    def __init__(self, root: Path, home: Home, draw: random.Random) -> None:
        self.canary = root / "canary"
        self.ml = root / "ml"
        self.channel = self.ml / "input" / "data" / layout.CHANNEL
        self.channel.mkdir(parents=True)
        self.home = home
        self._draw = draw
        self._bark = f"import os; os.mkdir({str(self.canary)!r})"
        self.targets: dict[str, Target] = {}
        self._build_job()
        for kind in ("value", "exception", "cell", "cell that raised"):
            for compressed in (False, True):
                self._build_end(kind, compressed=compressed)

    # -- what a job is made of ------------------------------------------------------------------------------------

    def _build_job(self) -> None:
        contents = self._list_contents()
        objects = [ManifestObject(role=role, ref=self._store(each[0])) for role, each in contents]
        self.manifest = Manifest(objects=tuple(objects), python="3.11", function_name="f")
        content = self.manifest.to_json()
        self.ref = self._store(content)
        for each, (role, (genuine, forged, other, older)) in zip(objects, contents, strict=True):
            name = f"{role} in chunks" if len(genuine) > CHUNK_BYTES else role
            self.targets[name] = Target(
                content=genuine,
                forged=forged,
                other=other,
                older=older,
                neighbours=[content, *(its[0] for key, its in contents if key != role and len(its[0]) < CHUNK_BYTES)],
                put=lambda content, ref=each.ref: self._put(ref, content),  # type: ignore[misc]
                look=self._look_at_key if role == roles.HOSTS_KEY else self._load,
                refusals=(CorruptBlob,),
            )
        runtime = self.targets[roles.RUNTIME]
        self.targets["runtime, by the verifier"] = replace(runtime, look=self._start, refusals=(SystemExit,))
        self.targets["hosts_key, by the loader"] = replace(self.targets[roles.HOSTS_KEY], look=self._load)
        self._add_manifest(content, [each[0] for _, each in contents if len(each[0]) < CHUNK_BYTES])

    def _list_contents(self) -> list[tuple[str, tuple[bytes, bytes, bytes, bytes]]]:
        """Role by role: what it is, forged, another job's, and an older one."""
        canary, bark, draw = Canary(self.canary), self._bark, self._draw
        shell = json.dumps({"commands": [f"mkdir {self.canary}"]}).encode()
        runtime = _zip(
            {
                "sm_remote/__init__.py": "",
                "sm_remote/runtime/__init__.py": "",
                "sm_remote/runtime/supervise.py": f"{bark}\ndef main(*_): pass",
            }
        )
        install = [json.dumps({"requirements": [name], "limit_s": 9}).encode() for name in ("a==2", "b==1", "a==1")]
        small = [draw.randbytes(5000) for _ in range(3)]
        keys = [draw.randbytes(32) for _ in range(4)]
        large = draw.randbytes(CHUNK_BYTES + 1000)
        listed = [
            (roles.RUNTIME, (build_runtime_zip(), runtime, runtime + b"\0", build_runtime_zip()[:-1] + b"\1")),
            (roles.FUNCTION, (_pickle(len), _pickle(canary), _pickle(abs), _pickle(max))),
            (
                roles.ARGUMENTS,
                (_pickle((([1],), {})), _pickle(((canary,), {})), _pickle(((2,), {})), _pickle(((), {}))),
            ),
            (roles.BUFFER, (small[0], pickle.dumps(canary), small[1], small[2])),
            (
                roles.SOURCE,
                (_zip({"a.py": "x = 2"}), _zip({"a.py": bark}), _zip({"b.py": "x = 2"}), _zip({"a.py": "x = 1"})),
            ),
            (roles.SOURCE_TEXTS, (b'{"a.py": "x = 2"}', b'{"a.py": "forged"}', b'{"b.py": "x"}', b'{"a.py": "x = 1"}')),
            (roles.WORKDIR, (_tar("a", b"2"), _tar("a", bark.encode()), _tar("b", b"2"), _tar("a", b"1"))),
            (roles.PRE_EXECUTION, (b'{"commands": ["true"]}', shell, b'{"commands": ["id"]}', b'{"commands": [":"]}')),
            (roles.INSTALL, (install[0], shell, install[1], install[2])),
            (
                roles.LAYER_ARCHIVE,
                (_zip({"p.py": "y = 2"}), _zip({"p.py": bark}), _zip({"q.py": "y = 2"}), _zip({"p.py": "y = 1"})),
            ),
            (roles.HOSTS_KEY, (keys[0], keys[1], keys[2], keys[3])),
            # Last, so that it is hashed where it is what was altered alone.
            (roles.BUFFER, (large, pickle.dumps(canary), small[1], large[::-1])),
        ]
        assert {
            getattr(roles, name) for name in dir(roles) if name.isupper() and name not in ("FORMAT", "LAYER_CHANNEL")
        } == {role for role, _ in listed}, "every role of a manifest is here"
        return listed

    def _add_manifest(self, content: bytes, neighbours: list[bytes]) -> None:
        forged = self._store(_pickle(Canary(self.canary)))
        objects = tuple(
            replace(each, ref=forged) if each.role == roles.FUNCTION else each for each in self.manifest.objects
        )
        fewer = replace(self.manifest, objects=self.manifest.objects[:-1])
        self.targets["manifest"] = Target(
            content=content,
            forged=replace(self.manifest, objects=objects).to_json(),
            other=replace(self.manifest, function_name="g").to_json(),
            older=fewer.to_json(),
            neighbours=neighbours,
            put=lambda content: self._put(self.ref, content),
            look=lambda: read_manifest(self.ref.digest),
            refusals=(ValueError, FileNotFoundError),
        )

    def _store(self, content: bytes) -> BlobRef:
        ref = BlobRef(digest=digest_bytes(content), size_bytes=len(content))
        self._put(ref, content)
        return ref

    def _put(self, ref: BlobRef, content: bytes | None) -> None:
        path = self.channel / ref.digest
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)

    def _load(self) -> Any:
        return load_call(self.manifest, str(self.ml / "workspace"))

    def _look_at_key(self) -> Any:
        return read_key(Job(self.manifest, self.ref.digest, ""))

    def _start(self) -> Any:
        """What ContainerEntrypoint does with ContainerArguments, in this process."""
        _, arguments = build_launch(self.manifest.one(roles.RUNTIME), self.ref)
        count = int(arguments[0])
        before = sys.argv
        sys.argv = ["-c", *arguments[1 + count :]]
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                exec("\n".join(arguments[1 : 1 + count]), {"__name__": "__main__"})
        except SystemExit as refusal:
            if refusal.code != REFUSED_EXIT_CODE:
                raise AssertionError from refusal
            raise
        finally:
            sys.argv = before
            gc.enable()

    # -- how a job ended ------------------------------------------------------------------------------------------

    def _build_end(self, kind: str, *, compressed: bool) -> None:
        name = f"{kind.replace(' ', '-')}-{'gz' if compressed else 'plain'}"
        ends = [
            self._write_end(kind, value, began) for value, began in ((2, 2.0), (Canary(self.canary), 2.0), (2, 1.0))
        ]
        genuine, forged, older = ends
        other = self._write_end(kind, 3, 2.0)
        store = open_store(f"s3://{LOCAL_BUCKET}/jobs", home=self.home, s3_client_factory=dict)
        key = (layout.output_archive_key if compressed else layout.outcome_key)(name)
        _, arguments = build_launch(self.manifest.one(roles.RUNTIME), self.ref)
        failed = kind in ("exception", "cell that raised")
        description = parse_description(
            {
                "TrainingJobName": name,
                "TrainingJobArn": "",
                "TrainingJobStatus": "Failed" if failed else "Completed",
                "SecondaryStatus": "Failed" if failed else "Completed",
                "CreationTime": datetime(2026, 11, 21, tzinfo=timezone.utc),
                "OutputDataConfig": {
                    "S3OutputPath": store.root_uri,
                    "CompressionType": "GZIP" if compressed else "NONE",
                },
                "AlgorithmSpecification": {"ContainerArguments": list(arguments)},
            }
        )
        log = {"line": self._mark(genuine)}

        def put(content: bytes | None) -> None:
            store.delete(key)
            if content is not None:
                # Of an archive the outcome in it is what counts: the rest is not looked at.
                assert store.put_if_absent(key, _tar(layout.OUTCOME, content, "w:gz") if compressed else content)

        def look() -> Any:
            tail = ["a line of the job", log["line"]]
            if not kind.startswith("cell"):
                return conclude(description, store=store, tail=tail)
            return conclude_cell(description, store=store, tail=tail, limit_bytes=None).load()

        put(genuine)
        end = Target(
            content=genuine,
            forged=forged,
            other=other,
            older=older,
            neighbours=[self.targets[roles.FUNCTION].content, self.targets[roles.ARGUMENTS].content, genuine + b"\0"],
            put=put,
            look=look,
            refusals=(OutcomeMissing,),
        )
        self.targets[f"outcome: {name}"] = end
        if kind == "value":
            self._add_marker(name, end, log, [genuine, forged, other, older])

    def _add_marker(self, name: str, end: Target, log: dict[str, str], ends: list[bytes]) -> None:
        def put(content: bytes | None) -> None:
            log["line"] = (content or b"").decode("latin-1")

        genuine, forged, other, older = (self._mark(each).encode() for each in ends)
        of_another_job = format_marker(BlobRef(digest="0" * 64, size_bytes=1), "f" * 64).encode()
        self.targets[f"marker: {name}"] = replace(
            end,
            content=genuine,
            forged=forged,
            other=other,
            older=older,
            neighbours=[of_another_job, b"a line of the job", MARKER_PREFIX.encode()],
            put=put,
            refusals=(OutcomeMissing, JobFailed),
        )

    def _write_end(self, kind: str, value: Any, began: float) -> bytes:
        file, facts = io.BytesIO(), {**FACTS, "started": began}
        raised = [pickle.dumps(value if isinstance(value, Canary) else ValueError(value))]
        if kind == "value":
            write_value(file, value, facts)
        elif kind == "exception":
            write_exception(file, CHAIN, raised, facts)
        else:
            failed = {"description": CHAIN, "pickles": raised} if kind == "cell that raised" else {}
            write_cell(file, {"x": value}, CELL, facts, **failed)  # type: ignore[arg-type]
        return file.getvalue()

    def _mark(self, content: bytes) -> str:
        return format_marker(BlobRef(digest=digest_bytes(content), size_bytes=len(content)), self.ref.digest)

    # -- trials ---------------------------------------------------------------------------------------------------

    def try_one(self, name: str, mutation: str) -> str | None:
        """Puts something else in an object's place; tells what is wrong where that was not refused."""
        target = self.targets[name]
        altered = MUTATIONS[mutation](target, self._draw)
        assert altered != target.content, f"{name}, {mutation}: nothing was altered"
        target.put(altered)
        try:
            target.look()
        except target.refusals:
            refused = True
        except BaseException as error:
            return f"{name}, {mutation}: {type(error).__name__}: {error}"
        else:
            refused = False
        finally:
            target.put(target.content)
        if self.canary.exists():
            self.canary.rmdir()
            return f"{name}, {mutation}: it was executed or unpickled"
        return None if refused else f"{name}, {mutation}: it was taken"


@pytest.fixture
def bench(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(tmp_path, home, random.Random(SEED))
    monkeypatch.setenv(layout.ML_ROOT_VARIABLE, str(bench.ml))
    (bench.ml / "workspace").mkdir()
    yield bench
    assert not list((bench.ml / "workspace").iterdir()), "nothing was unpacked"


def _means_something(name: str, mutation: str) -> bool:
    """What a job prints before its marker, in the same line, is a line of its own that was not ended."""
    return not (name.startswith("marker") and mutation == "forged before what it was")


def test_a_thousand_of_a_thousand_altered_objects_are_refused(bench: Bench) -> None:
    draw = random.Random(SEED)
    names = sorted(name for name in bench.targets if "chunks" not in name)
    pairs = [(name, mutation) for name in names for mutation in MUTATIONS if _means_something(name, mutation)]
    large = [("buffer in chunks", mutation) for mutation in MUTATIONS]
    trials = [*large, *pairs, *draw.choices(pairs, k=TRIALS - len(large) - len(pairs))]
    taken = [fault for fault in (bench.try_one(*trial) for trial in trials) if fault]
    assert taken == []
    assert len(trials) == TRIALS
    assert set(trials) == {*pairs, *large}


def test_what_was_not_altered_is_taken(bench: Bench) -> None:
    for name in ("manifest", roles.HOSTS_KEY):
        assert bench.targets[name].look()
    assert bench.targets["outcome: value-plain"].look() == 2
    assert bench.targets["outcome: value-gz"].look() == 2
    assert bench.targets["outcome: cell-plain"].look() == ({"x": 2}, [])
    for kind in ("exception", "cell-that-raised"):
        for how in ("plain", "gz"):
            target = bench.targets[f"outcome: {kind}-{how}"]
            with contextlib.suppress(ValueError):
                target.look()


def test_the_canaries_sing_where_nothing_is_verified(bench: Bench, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    loaders: dict[str, Callable[[Path], Any]] = {
        roles.FUNCTION: load_value,
        roles.ARGUMENTS: load_value,
        "outcome: value-plain": load_outcome,
        "outcome: exception-plain": load_outcome,
    }
    for name, load in loaders.items():
        forged.write_bytes(bench.targets[name].forged)
        load(forged)
        assert bench.canary.exists(), name
        bench.canary.rmdir()
    runtime = bench._store(bench.targets[roles.RUNTIME].forged)
    entrypoint, arguments = build_launch(runtime, bench.ref)
    command = [sys.executable, "-S", "-s", *entrypoint[1:], *arguments]
    subprocess.run(command, env={**os.environ, "TMPDIR": str(tmp_path)}, check=True)
    assert bench.canary.exists()
