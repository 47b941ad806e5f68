"""Captures a call and runs its job with the real runtime, without service or engine: `run` in any process.

The job is a bare interpreter (no site-packages, no environment of this one) with /opt/ml somewhere else.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sm_remote.capture.call import CapturedCall, TargetPython, capture_call
from sm_remote.capture.interpreter import describe_interpreter
from sm_remote.capture.runtime_zip import build_runtime_zip
from sm_remote.home import LOCAL_BUCKET, find_home
from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.wire.layout import CHANNEL, LAYER_CHANNEL, LAYERS, OUTCOME, blob_key
from sm_remote.wire.outcome import load_outcome, read_header


def run(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The value of a call that was captured here and run as a job."""
    return load_value(*capture(func, *args, **kwargs))


def capture(
    func: Callable[..., Any], *args: Any, dependencies: Any = "auto", **kwargs: Any
) -> tuple[Any, CapturedCall]:
    """Captures a call into the embedded store of this process's home."""
    home = find_home()
    store = EmbeddedStore(home.store, bucket=LOCAL_BUCKET, prefix="bench")
    python = TargetPython(version=describe_interpreter().version, same_as_host=True)
    captured = capture_call(
        func,
        args,
        kwargs,
        store=store,
        home=home,
        dependencies=dependencies,
        python=python,
        runtime=build_runtime_zip(),
    )
    return store, captured


def load_value(store: EmbeddedStore, captured: CapturedCall) -> Any:
    """Runs a captured call and gives its value; the job's own words on failure."""
    root = Path(tempfile.mkdtemp(prefix="bench-", dir=find_home().data))
    channel = root / "input" / "data" / CHANNEL
    channel.mkdir(parents=True)
    for name in ("config", "../model", "../output/data"):
        (root / "input" / name).mkdir(parents=True)
    for ref in [captured.manifest_ref, *(each.ref for each in captured.manifest.objects)]:
        target = channel / ref.digest
        if not target.exists():
            os.link(store.local_path(blob_key(ref.digest)), target)
    if captured.manifest.layer_key is not None:
        layer = store.local_path(f"{LAYERS}/{captured.manifest.layer_key}")
        (channel.parent / LAYER_CHANNEL).symlink_to(layer)
    interpreter = describe_interpreter().executable
    answer = subprocess.run(
        [interpreter, "-S", "-s", *captured.entrypoint[1:], *captured.arguments],
        env={"SM_REMOTE_ML_ROOT": str(root), "PATH": os.defpath, "TMPDIR": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = root / "output" / "data" / OUTCOME
    if not outcome.exists() or read_header(outcome).kind != "value":
        failure = root / "output" / "failure"
        said = failure.read_text() if failure.exists() else ""
        raise AssertionError(f"exit {answer.returncode}: {said}\n{answer.stdout}\n{answer.stderr}")
    return load_outcome(outcome)
