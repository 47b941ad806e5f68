"""Bytecode of layers: made beside their use, by a process that may be killed, that stops, and that goes on."""

from __future__ import annotations

import fcntl
import os
import py_compile
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sm_remote.capture import compile_layer
from sm_remote.capture.bytecode import (
    bytecode_name,
    compile_in_background,
    compile_now,
    count_modules,
    is_compiled,
    remove_unused,
)
from sm_remote.home import Home
from sm_remote.jobs.environments.layers import remove_unused_bytecode

pytestmark = pytest.mark.slow  # starts interpreters

MANY = 3000


def wait_until(holds: Callable[[], bool], limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def write_layer(path: Path, count: int = 3) -> Path:
    for number in range(count):
        source = path / "pkg" / f"m{number}.py"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(f"VALUE = {number}\n" + "def f(x):\n    return [x for x in range(x) if x]\n" * 20)
    return path


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    return write_layer(tmp_path / "layers" / ("a" * 32))


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A layer that takes seconds to compile."""
    return write_layer(tmp_path / "layers" / ("b" * 32), MANY)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def start(layer: Path, cache: Path) -> subprocess.Popen[bytes]:
    script = str(Path(compile_layer.__file__))
    return subprocess.Popen([sys.executable, "-I", "-S", script, str(layer), str(cache), compile_layer.BACKGROUND])


def test_a_layer_is_compiled_while_nobody_waits(layer: Path, cache: Path) -> None:
    (layer / "pkg" / "broken.py").write_text("def (:\n")
    (layer / "pkg" / "tests").mkdir()
    (layer / "pkg" / "tests" / "test_it.py").write_text("")
    compile_in_background(layer, cache)
    wait_until(lambda: is_compiled(layer))
    assert (layer / bytecode_name("pkg/m0.py")).exists()
    assert not (layer / "pkg" / "tests" / "__pycache__").exists()
    assert count_modules(layer) == (3, 4), "what does not compile stays as it is"
    wait_until(lambda: not list(cache.glob("*.lock")))
    compile_in_background(layer, cache)
    assert not list(cache.glob("*.lock")), "a layer that is compiled starts nothing"


def test_python_takes_the_bytecode_whatever_the_times_of_its_source_are(layer: Path, cache: Path) -> None:
    compile_now(layer, cache)
    os.utime(layer / "pkg" / "m1.py", (1, 1))
    code = (
        f"import sys; sys.path.append({str(layer)!r}); from pkg import m1; print(m1.VALUE, m1.f.__code__.co_filename)"
    )
    answer = subprocess.run([sys.executable, "-I", "-S", "-v", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["1", str(layer / "pkg" / "m1.py")]
    assert f"matches {layer / 'pkg' / 'm1.py'}" in answer.stderr


def test_what_one_layer_has_compiled_another_links(layer: Path, cache: Path, tmp_path: Path) -> None:
    compile_now(layer, cache)
    other = write_layer(tmp_path / "layers" / ("c" * 32))
    compile_now(other, cache)
    name = bytecode_name("pkg/m2.py")
    assert (other / name).samefile(layer / name)


def test_valid_bytecode_is_left_and_stale_bytecode_replaced(layer: Path, cache: Path) -> None:
    for name in ("m0", "m1"):
        py_compile.compile(str(layer / "pkg" / f"{name}.py"))
    valid = (layer / bytecode_name("pkg/m0.py")).stat().st_ino
    os.utime(layer / "pkg" / "m1.py", (1, 1))
    stale = (layer / bytecode_name("pkg/m1.py")).stat().st_ino
    compile_now(layer, cache)
    assert (layer / bytecode_name("pkg/m0.py")).stat().st_ino == valid
    assert (layer / bytecode_name("pkg/m1.py")).stat().st_ino != stale
    assert not list(layer.rglob("*.part"))


def test_when_it_is_killed_nothing_is_lost_and_the_next_call_goes_on(large: Path, cache: Path) -> None:
    process = start(large, cache)
    wait_until(lambda: len(list((large / "pkg").glob("__pycache__/*.pyc"))) > 20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    compiled, modules = count_modules(large)
    assert not is_compiled(large)
    assert 0 < compiled < modules == MANY
    first = (large / bytecode_name("pkg/m0.py")).stat().st_ino
    compile_now(large, cache)
    assert is_compiled(large)
    assert count_modules(large) == (MANY, MANY)
    assert (large / bytecode_name("pkg/m0.py")).stat().st_ino == first
    for path in (large / "pkg" / "__pycache__").iterdir():
        assert path.name.endswith(".pyc")


def test_only_one_process_compiles_a_layer(large: Path, cache: Path) -> None:
    process = start(large, cache)
    wait_until(lambda: (cache / f"{large.name}.lock").exists() and (large / "pkg" / "__pycache__").exists())
    assert start(large, cache).wait(120) == 0, "the second leaves at once"
    assert not is_compiled(large)
    compile_in_background(large, cache)
    process.kill()
    process.wait()


def test_it_yields_to_whatever_else_runs(large: Path, cache: Path) -> None:
    process = start(large, cache)
    wait_until(lambda: (large / "pkg" / "__pycache__").exists())
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == 19
    process.kill()
    process.wait()


def test_a_layer_that_is_removed_meanwhile_stays_removed(large: Path, cache: Path) -> None:
    process = start(large, cache)
    wait_until(lambda: (large / "pkg" / "__pycache__").exists())
    aside = large.with_name(".incoming-removed")
    large.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
    assert process.wait(120) == 0
    assert not large.exists()


def test_a_cache_that_is_removed_meanwhile_stays_removed(large: Path, cache: Path) -> None:
    process = start(large, cache)
    wait_until(lambda: (large / "pkg" / "__pycache__").exists())
    cache.rename(cache.with_name("gone"))
    large.rename(large.with_name(".incoming-removed"))
    assert process.wait(120) == 0
    assert not cache.exists()
    compile_now(large, cache.with_name("no such folder") / "cache")
    assert not cache.with_name("no such folder").exists()


def test_a_layer_that_is_made_again_meanwhile_gets_nothing_of_the_old_one(large: Path, cache: Path) -> None:
    process = start(large, cache)
    wait_until(lambda: (large / "pkg" / "__pycache__").exists())
    large.rename(large.with_name(".incoming-altered"))
    write_layer(large)
    assert process.wait(120) == 0
    assert count_modules(large) == (0, 3)
    assert not is_compiled(large)


def test_many_new_layers_are_compiled_one_after_the_other(layer: Path, cache: Path) -> None:
    cache.mkdir()
    with open(cache / ".turn", "a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        process = start(layer, cache)
        wait_until(lambda: (cache / f"{layer.name}.lock").exists())
        assert not is_compiled(layer)
    assert process.wait(120) == 0
    assert is_compiled(layer)


def test_bytecode_that_no_layer_has_any_more_goes(layer: Path, cache: Path) -> None:
    compile_now(layer, cache)
    later_s = time.time() + 60
    assert remove_unused(cache, later_s) == 0
    (layer / bytecode_name("pkg/m0.py")).unlink()
    assert remove_unused(cache, 0) == 0, "what was compiled a moment ago is about to be linked"
    assert remove_unused(cache, later_s) > 0
    assert len(list(cache.glob("*/*/*.pyc"))) == 2


def test_pruning_keeps_what_was_compiled_just_now(home: Home) -> None:
    kept = home.cache / "bytecode" / "cpython-311" / "ab" / "abc.pyc"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"x")
    now = datetime.now(timezone.utc)
    assert remove_unused_bytecode(home, older_than=timedelta(0), now=now) == 0
    assert remove_unused_bytecode(home, older_than=timedelta(0), now=now + timedelta(hours=1)) == 1
