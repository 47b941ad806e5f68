from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from sm_remote.capture.alterations import forget_findings
from sm_remote.capture.bytecode import bytecode_name, compile_now
from sm_remote.capture.choice import Pin, choose
from sm_remote.capture.distributions import Distribution, read_index
from sm_remote.capture.fitting import find_platform
from sm_remote.capture.interpreter import TargetPython
from sm_remote.capture.layer import link_distributions, publish_layer, retire_altered_layer
from sm_remote.capture.layer_archive import write_layer_archive
from sm_remote.errors import CaptureError

pytestmark = pytest.mark.slow  # starts interpreters and uv

HERE = find_platform(TargetPython(version="3.11", same_as_host=True), store_is_local=True)


def installed(*names: str) -> list[Distribution]:
    index = read_index()
    return [index.by_name[name] for name in names]


def layer_key(distributions) -> str:
    pins = [Pin(name=one.key, version=one.version) for one in distributions]
    choice = choose(pins, index=read_index(), target=HERE, python="3.11", in_image={})
    return choice.lock.layer_key


def ensure_layer(distributions, layers: Path) -> tuple[str, Path]:
    key = layer_key(distributions)
    return key, publish_layer(layers / key, lambda folder: link_distributions(distributions, folder))


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def package(install):
    install("pkg-a", "3.2", files={"pkg_a/__init__.py": "VALUE = 41\n", "pkg_a/data/x.txt": "x", "pkg_a.libs/l.so": ""})
    return install("pkg-b", files={"pkg_b.py": "import pkg_a\nVALUE = pkg_a.VALUE + 1\n"})


def test_a_layer_holds_the_installed_files_as_links_with_metadata(package, tmp_path):
    _, layer = ensure_layer(installed("pkg-a", "pkg-b"), tmp_path / "layers")
    assert {"pkg_a/__init__.py", "pkg_a/data/x.txt", "pkg_a.libs/l.so", "pkg_b.py"} <= tree(layer)
    assert {"pkg_a-3.2.dist-info/METADATA", "pkg_a-3.2.dist-info/RECORD"} <= tree(layer)
    assert (layer / "pkg_b.py").samefile(package / "pkg_b.py")
    assert not (package / "__pycache__").exists()


def test_a_layer_alone_makes_its_packages_importable(package, tmp_path):
    _, layer = ensure_layer(installed("pkg-a", "pkg-b"), tmp_path / "layers")
    compile_now(layer, tmp_path / "cache")
    code = (
        f"import sys; sys.path.append({str(layer)!r}); import pkg_b; from importlib.metadata import version;"
        "print(pkg_b.VALUE, version('pkg-a'), pkg_b.__cached__)"
    )
    answer = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["42", "3.2", str(layer / bytecode_name("pkg_b.py"))]


def test_the_second_use_changes_nothing(package, tmp_path):
    first = ensure_layer(installed("pkg-a"), tmp_path / "layers")
    before = first[1].stat().st_mtime_ns
    assert ensure_layer(installed("pkg-a"), tmp_path / "layers") == first
    assert first[1].stat().st_mtime_ns == before
    assert [path.name for path in (tmp_path / "layers").iterdir()] == [first[0]]


def test_existing_bytecode_is_linked(package, tmp_path):
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(package)], check=True)
    _, layer = ensure_layer(installed("pkg-b"), tmp_path / "layers")
    name = bytecode_name("pkg_b.py")
    assert (layer / name).samefile(package / name)


def test_the_key_tells_versions_and_contents_apart_and_not_order(package, install):
    a, b = installed("pkg-a", "pkg-b")
    assert layer_key([a, b]) == layer_key([b, a])
    assert layer_key([a]) != layer_key([b])
    before = layer_key([b])
    os.utime(install("pkg-b", files={"pkg_b.py": "other"}))
    assert layer_key(installed("pkg-b")) != before


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second file system")
def test_files_are_copied_where_links_are_not_possible(package, tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        if os.stat(elsewhere).st_dev == package.stat().st_dev:
            pytest.skip("/dev/shm is on the same file system")
        _, layer = ensure_layer(installed("pkg-a"), Path(elsewhere, "layers"))
        assert (layer / "pkg_a/data/x.txt").read_text() == "x"
        compile_now(layer, tmp_path / "cache")
        assert bytecode_name("pkg_a/__init__.py") in tree(layer)


def test_an_incomplete_installation_is_named(package, tmp_path):
    (package / "pkg_b.py").unlink()
    with pytest.raises(CaptureError, match=r"pkg-b==1\.0 is incomplete: pkg_b\.py"):
        ensure_layer(installed("pkg-b"), tmp_path / "layers")
    assert list((tmp_path / "layers").iterdir()) == []


def test_a_layer_whose_files_were_altered_through_their_links_is_made_again(package, tmp_path):
    _, layer = ensure_layer(installed("pkg-b"), tmp_path / "layers")
    retire_altered_layer(layer, installed("pkg-b"))
    assert layer.is_dir()
    with (package / "pkg_b.py").open("a") as file:
        file.write("# an edit in place reaches every link\n")
    forget_findings()
    retire_altered_layer(layer, installed("pkg-b"))
    assert not layer.exists()


def test_two_distributions_may_bring_the_same_file(install, tmp_path):
    install("ns-one", files={"ns/__init__.py": "", "ns/one.py": ""})
    install("ns-two", files={"ns/__init__.py": "", "ns/two.py": ""})
    _, layer = ensure_layer(installed("ns-one", "ns-two"), tmp_path / "layers")
    assert {"ns/__init__.py", "ns/one.py", "ns/two.py"} <= tree(layer)


def test_of_two_writers_one_wins_and_both_are_content(tmp_path):
    barrier = threading.Barrier(2)

    def fill(folder: Path) -> None:
        (folder / "file").touch()
        barrier.wait(120)

    threads = [threading.Thread(target=publish_layer, args=(tmp_path / "layers" / "k", fill)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in (tmp_path / "layers").iterdir()] == ["k"]


def test_leftovers_of_a_killed_writer_are_removed_after_a_day(tmp_path):
    old, new = tmp_path / ".incoming-old", tmp_path / ".incoming-new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, 0))
    publish_layer(tmp_path / "k", lambda folder: None)
    assert not old.exists()
    assert new.exists()


def test_an_archive_of_a_layer_has_the_same_bytes_whenever_its_files_were_made(package, tmp_path):
    archives = []
    for number in range(2):
        os.utime(package / "pkg_b.py", (1_000_000 * number, 1_000_000 * number))
        subprocess.run([sys.executable, "-m", "compileall", "-q", "-f", str(package)], check=True)
        _, layer = ensure_layer(installed("pkg-b"), tmp_path / f"layers{number}")
        archives.append(write_layer_archive(layer, tmp_path / f"{number}.tar").read_bytes())
    assert archives[0] == archives[1]


def test_an_unpacked_archive_imports_its_bytecode(package, tmp_path):
    _, layer = ensure_layer(installed("pkg-a", "pkg-b"), tmp_path / "layers")
    compile_now(layer, tmp_path / "cache")
    archive = write_layer_archive(layer, tmp_path / "a.tar")
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(tmp_path / "out")], check=True)
    code = f"import sys; sys.path.append({str(tmp_path / 'out')!r}); import pkg_b; print(pkg_b.VALUE)"
    answer = subprocess.run([sys.executable, "-I", "-S", "-v", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "42"
    assert f"matches {tmp_path / 'out' / 'pkg_b.py'}" in answer.stderr
