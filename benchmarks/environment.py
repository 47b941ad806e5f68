"""What a job's packages cost: locking them, having them again, having them for the first time, importing them.

Locking: a call that reaches every package that is installed here. Having them for the first time: against plain
``uv pip install`` of the same requirements into a directory, uv's own cache being warm for both, and empty for both. uv
does not compile bytecode unless told, and neither does a call: a layer is compiled beside its first job. Imports: in a
bare interpreter with a job's layer, against this environment's own interpreter, and in the first job, while its layer
is being compiled, against what uv has installed.
"""

from __future__ import annotations

import itertools
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measure import describe_machine, show_figure, show_ratio, show_times, take_turns

from sm_remote.capture import distributions
from sm_remote.capture.alterations import forget_findings
from sm_remote.capture.bytecode import BYTECODE, compile_now
from sm_remote.capture.call import capture_call
from sm_remote.capture.interpreter import TargetPython, describe_interpreter
from sm_remote.capture.pip_settings import read_pip_settings
from sm_remote.capture.runtime_zip import build_runtime_zip
from sm_remote.capture.uv_program import build_uv_environment, find_uv
from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.wire.layout import LAYERS

ROUNDS = 9
COLD_ROUNDS = 7
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
    def install(*options: str) -> None:
        target = root / f"plain{next(_numbers)}"
        command = [find_uv(), "pip", "install", "--quiet", "--target", str(target), "--python", sys.executable]
        environ = build_uv_environment(os.environ, read_pip_settings())
        subprocess.run([*command, *options, *NEW], check=True, env=environ)
        put_aside(target)

    def ours() -> None:
        home = root / f"ours{next(_numbers)}"
        capture(nothing, home, NEW)
        put_aside(home)  # which also ends the process that compiles it

    candidates = {
        "uv pip install": install,
        "uv pip install --compile-bytecode": lambda: install("--compile-bytecode"),
        "sm_remote, first job": ours,
    }
    times = take_turns(candidates, rounds=COLD_ROUNDS)
    show_times(f"A set that is not installed here ({', '.join(NEW)}), uv's cache warm", times)
    plain, compiled, own = times.values()
    show_ratio("first job / uv pip install, uv's cache warm", own, plain, goal=1.2)
    show_ratio("first job / uv pip install --compile-bytecode", own, compiled, goal=1.2)
    del candidates["uv pip install --compile-bytecode"]
    times = take_turns({name: _with_empty_cache(root, run) for name, run in candidates.items()}, rounds=COLD_ROUNDS)
    show_times("The same, uv's cache empty: everything is downloaded", times)
    plain, own = times.values()
    show_ratio("first job / uv pip install, uv's cache empty", own, plain, goal=1.2)


def _with_empty_cache(root: Path, run: Callable[[], None]) -> Callable[[], None]:
    def run_cold() -> None:
        cache = root / f"uv-cache{next(_numbers)}"
        os.environ["UV_CACHE_DIR"] = str(cache)
        try:
            run()
        finally:
            del os.environ["UV_CACHE_DIR"]
            put_aside(cache)

    return run_cold


def put_aside(path: Path) -> None:
    """Has a directory gone for everybody at once; removing its files would be measured too."""
    path.rename(path.with_name(f"gone-{path.name}"))


def measure_imports(root: Path) -> None:
    """Imports in a bare interpreter, from a layer whose bytecode is complete and from one that was just made."""
    key = capture(nothing, root, ["pandas", "scikit-learn"])
    layer = EmbeddedStore(root / "store", bucket=LOCAL_BUCKET, prefix="bench").local_path(f"{LAYERS}/{key}")
    compile_now(layer, root / "cache" / BYTECODE)
    times = take_turns(
        {
            "on the host": lambda: subprocess.run([sys.executable, "-c", f"import {IMPORTED}"], check=True),
            "from a layer": lambda: run_bare(layer, IMPORTED),
        },
        rounds=COLD_ROUNDS,
    )
    show_times(f"import {IMPORTED}, from the second job on", times)
    show_ratio("layer / host", times["from a layer"], times["on the host"], goal=1.1)
    measure_first_imports(root)


def measure_first_imports(root: Path) -> None:
    """What the first job pays: its imports from a set that nothing has compiled, in the moment in which it is there."""
    environ = build_uv_environment(os.environ, read_pip_settings())

    def install_plain() -> tuple[Path, Path]:
        plain = root / f"plain{next(_numbers)}"
        command = [find_uv(), "pip", "install", "--quiet", "--target", str(plain), "--python", sys.executable, *NEW]
        subprocess.run(command, check=True, env=environ)
        return plain, plain

    def make_layer() -> tuple[Path, Path]:
        home = root / f"ours{next(_numbers)}"
        key = capture(nothing, home, NEW)
        return EmbeddedStore(home / "store", bucket=LOCAL_BUCKET, prefix="bench").local_path(f"{LAYERS}/{key}"), home

    candidates = {"after uv pip install": install_plain, "from a layer, being compiled": make_layer}
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(COLD_ROUNDS):
        for name, prepare in candidates.items():
            place, whole = prepare()
            began = time.perf_counter()
            run_bare(place, "sympy, networkx, sqlalchemy")
            times[name].append(time.perf_counter() - began)
            put_aside(whole)
    show_times("import sympy, networkx, sqlalchemy, in the first job", times)
    plain_times, own = times.values()
    show_ratio("first job's imports: layer / uv pip install", own, plain_times, goal=1.2)


def run_bare(place: Path, modules: str) -> None:
    """Imports modules from a directory that a job could not write either."""
    code = f"import sys; sys.path.append({str(place)!r}); import {modules}"
    subprocess.run([describe_interpreter().executable, "-S", "-s", "-B", "-c", code], check=True)


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="sm_remote-bench-", ignore_cleanup_errors=True) as directory:
        for measure in (measure_lock, measure_again, measure_cold, measure_imports):
            measure(Path(directory, measure.__name__))
