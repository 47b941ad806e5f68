from __future__ import annotations

import io
import random
import stat
import zipfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sm_remote.capture.archive import pack, source_files
from sm_remote.capture.modules import Located, Origin, locate

NAMES = st.text("abcdefghij_/ é", min_size=1).filter(lambda name: not name.startswith("/") and "//" not in name)


@given(st.dictionaries(NAMES, st.binary(max_size=200), max_size=8), st.randoms())
def test_archive_bytes_do_not_depend_on_the_order_of_files(files: dict[str, bytes], random: random.Random):
    shuffled = list(files.items())
    random.shuffle(shuffled)
    assert pack(files) == pack(dict(shuffled))


def test_archives_hold_regular_files_under_the_modules_names(write_tree):
    root = write_tree({"pkg/__init__.py": "A = 1", "pkg/sub/leaf.py": "B = 2", "single.py": "C = 3"})
    modules = [locate(name) for name in ("single", "pkg", "pkg.sub", "pkg.sub.leaf")]
    files = source_files(modules)
    assert files == {
        "single.py": root / "single.py",
        "pkg/__init__.py": root / "pkg/__init__.py",
        "pkg/sub/leaf.py": root / "pkg/sub/leaf.py",
    }
    with zipfile.ZipFile(io.BytesIO(pack(files))) as archive:
        assert archive.namelist() == sorted(files)
        assert archive.read("pkg/sub/leaf.py") == b"B = 2"
        assert all(stat.S_ISREG(entry.external_attr >> 16) for entry in archive.infolist())


def test_times_of_files_do_not_matter(write_tree):
    import os

    root = write_tree({"m.py": "x = 1"})
    first = pack({"m.py": root / "m.py"})
    os.utime(root / "m.py", (0, 2_000_000_000))
    assert pack({"m.py": root / "m.py"}) == first


def test_compiled_modules_keep_what_follows_their_name():
    module = Located(name="pkg.fast", origin=Origin.LOCAL, file=Path("/src/pkg/fast.cpython-311-x86_64-linux-gnu.so"))
    assert list(source_files([module])) == ["pkg/fast.cpython-311-x86_64-linux-gnu.so"]
