"""What a job's packages cost: locking them, having them again, having them for the first time, importing them.

Locking: a call that reaches every package that is installed here. Having them for the first time: against plain
``uv pip install`` of the same requirements into a directory, uv's own cache being warm for both. uv does not compile
bytecode unless told, so it is measured in both ways: a layer carries bytecode, since many jobs start from it. Imports:
in a bare interpreter with a job's layer, against this environment's own interpreter.
"""

from __future__ import annotations

import itertools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measure import describe_machine, show_figure, show_ratio, show_times, take_turns

from sm_remote.capture import distributions
from sm_remote.capture.alterations import forget_findings
from sm_remote.capture.call import capture_call
from sm_remote.capture.interpreter import TargetPython, describe_interpreter
from sm_remote.capture.runtime_zip import build_runtime_zip
from sm_remote.capture.uv_program import build_uv_environment, find_uv, read_pip_settings
from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.wire.layout import LAYERS

ROUNDS = 9
COLD_ROUNDS = 5
NEW = ["sympy", "networkx", "beautifulsoup4", "sqlalchemy"]
IMPORTED = "pandas, sklearn.linear_model"
HERE = TargetPython(version=platform.python_version(), same_as_host=True)

_numbers = itertools.count()


def reach_everything() -> Callable[[], None]:
    """A function that imports a module of every package that is installed here; it is never run."""
    tops = (min(one.top_modules, default="") for one in distributions.read_index().by_name.values())
    names = sorted({top for top in tops if top.isidentifier() and not top.startswith("_")})
    namespace: dict[str, Callable[[], None]] = {}
    exec("def everything():\n" + "".join(f"    import {name}\n" for name in names), namespace)
    return namespace["everything"]


def capture(func: Callable[[], object], root: Path, dependencies: object = "auto") -> str:
    """Captures a call as its first in a fresh kernel would be; gives its layer's key."""
    distributions._read_index.cache_clear()
    forget_findings()
    captured = capture_call(
        func,
        (),
        {},
        store=EmbeddedStore(root / "store", bucket=LOCAL_BUCKET, prefix="bench"),
        home=Home(data=root, cache=root / "cache"),
        dependencies=dependencies,  # type: ignore[arg-type]
        python=HERE,
        runtime=build_runtime_zip(),
    )
    return captured.manifest.layer_key or ""


def nothing() -> None:
    """Needs nothing."""


def measure_lock(root: Path) -> None:
    everything = reach_everything()
    began = time.perf_counter()
    capture(everything, root)
    first = time.perf_counter() - began
    times = take_turns({"capture + lock": lambda: capture(everything, root)}, rounds=ROUNDS)
    count = len(distributions.read_index().by_name)
    show_times(f"A call that reaches all {count} packages (making the layer took {first:.1f} s, once)", times)
    show_figure("capture + lock, best", min(times["capture + lock"]), 0.3, "s")


def measure_again(root: Path) -> None:
    wanted = ["pandas", "scikit-learn"]
    capture(nothing, root, wanted)
    times = take_turns({"environment of a repeated job": lambda: capture(nothing, root, wanted)}, rounds=ROUNDS)
    show_times(f"The same set again ({', '.join(wanted)})", times)
    show_figure("environment phase, best", min(times["environment of a repeated job"]), 0.1, "s")


def measure_cold(root: Path) -> None:
    environ = build_uv_environment(os.environ, read_pip_settings())

    def install(*options: str) -> None:
        target = root / f"plain{next(_numbers)}"
        command = [find_uv(), "pip", "install", "--quiet", "--target", str(target), "--python", sys.executable]
        subprocess.run([*command, *options, *NEW], check=True, env=environ)
        shutil.rmtree(target)

    def ours() -> None:
        home = root / f"ours{next(_numbers)}"
        capture(nothing, home, NEW)
        shutil.rmtree(home)

    times = take_turns(
        {
            "uv pip install": install,
            "uv pip install --compile-bytecode": lambda: install("--compile-bytecode"),
            "sm_remote, first job": ours,
        },
        rounds=COLD_ROUNDS,
    )
    show_times(f"A set that is not installed here ({', '.join(NEW)})", times)
    plain, compiled, own = times.values()
    show_ratio("first job / uv pip install --compile-bytecode", own, compiled, goal=1.2)
    show_ratio("first job / uv pip install (which leaves compiling to each import)", own, plain, goal=1.2)


def measure_imports(root: Path) -> None:
    key = capture(nothing, root, ["pandas", "scikit-learn"])
    layer = EmbeddedStore(root / "store", bucket=LOCAL_BUCKET, prefix="bench").local_path(f"{LAYERS}/{key}")
    code = f"import sys; sys.path.append({str(layer)!r}); import {IMPORTED}"
    bare = describe_interpreter().executable
    times = take_turns(
        {
            "on the host": lambda: subprocess.run([sys.executable, "-c", f"import {IMPORTED}"], check=True),
            "from a layer": lambda: subprocess.run([bare, "-S", "-s", "-c", code], check=True),
        },
        rounds=COLD_ROUNDS,
    )
    show_times(f"import {IMPORTED}", times)
    show_ratio("layer / host", times["from a layer"], times["on the host"], goal=1.1)


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="sm_remote-bench-") as directory:
        for measure in (measure_lock, measure_again, measure_cold, measure_imports):
            measure(Path(directory, measure.__name__))
