"""What is captured in one process runs in a bare interpreter elsewhere: nothing is missing, nothing is assumed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from tests.integration.capture import job_bench

Play = Callable[..., str]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs a script of a made-up project in an interpreter of its own; `run` is there to run jobs."""
    project = tmp_path / "my project's Ünïcode dir"
    project.mkdir()

    def start(script: str, files: Mapping[str, str] | None = None, **environ: str) -> str:
        for name, text in (files or {}).items():
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        main = project / "main script.py"
        main.write_text("from job_bench import run, capture\n" + dedent(script), encoding="utf-8")
        places = [str(Path(__file__).parent), str(Path(__file__).parents[3])]
        answer = subprocess.run(
            [sys.executable, str(main)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(places), **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip()

    return start


def test_functions_of_a_script_and_all_they_use_run_elsewhere(play):
    script = """
        import functools, math
        class Point:
            def __init__(self, x): self.x = x
            def __eq__(self, other): return self.x == other.x
        @functools.lru_cache
        def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
        def outer(k):
            def inner(x, *, y=k): return k * x + y
            return inner
        async def soon(x): return x + 1
        def train(point, f):
            return Point(point.x + fib(20)), f(2), math.floor(2.5)
        value, product, floor = run(train, Point(1), outer(3))
        assert type(value) is Point and value == Point(6766) and (product, floor) == (9, 2)
        assert run(functools.partial(pow, 2), 5) == 32
        assert run(lambda x: x * 2, 21) == 42
        assert run(Point(3).__eq__, Point(3)) is True
        assert run(soon, 1) == 2
        print("all well")
    """
    assert play(script) == "all well"


def test_modules_of_the_project_run_elsewhere_from_their_source(play):
    files = {
        "lab/__init__.py": "from .data import load\n",
        "lab/data/__init__.py": "from .rows import load\n",
        "lab/data/rows.py": "import helpers\ndef load(n): return [helpers.one()] * n\n",
        "lab/decorated.py": """
            import threading
            from sm_remote import remote
            LOCK = threading.Lock()
            @remote(instance_type="ml.m5.large")
            def again(n):
                with LOCK:
                    pass
                return n and 1 + again(n - 1)
            class Model:
                @remote
                def fit(self, n): return again(n) + self.bonus
                bonus = 100
        """,
        "helpers.py": "import os\ndef one(): return os.path.basename(__file__)\n",
        "broken_on_import.py": "raise RuntimeError('must not travel')\n",
    }
    script = """
        from lab import load
        import lab.decorated
        def train(n):
            from lab.data import rows
            return load(n) + rows.load(1)
        assert run(train, 1) == ["helpers.py", "helpers.py"]
        assert run(load, 1) == ["helpers.py"]
        assert run(lab.decorated.again.__wrapped__, 3) == 3
        assert run(lambda: lab.decorated.again(2)) == 2
        assert run(lab.decorated.Model().fit.__wrapped__, 1) == 101
        print("all well")
    """
    assert play(script, files) == "all well"


def test_modules_made_in_memory_run_elsewhere(play):
    script = """
        import sys, types
        module = types.ModuleType("made_up")
        exec("FACTOR = 3\\ndef scale(x): return FACTOR * x", vars(module))
        sys.modules["made_up"] = module
        from made_up import scale
        assert run(scale, 2) == 6
        assert run(lambda: module.scale(3)) == 9
        print("all well")
    """
    assert play(script) == "all well"


def test_digests_are_the_same_in_every_process(play):
    files = {"pkg/__init__.py": "", "pkg/a.py": "from . import b, c", "pkg/b.py": "", "pkg/c.py": "import numpy"}
    script = """
        import collections, json
        import pkg.a
        LIMIT = 3
        def helper(x): return [LIMIT, collections, x]
        def train(rows, *, flag=True):
            import json as j
            return helper(rows), pkg.a, j
        print(capture(train, {"a": [1, 2], "b": "text"})[1].manifest_ref.digest)
    """
    digests = {play(script, files, PYTHONHASHSEED=seed) for seed in ("0", "1", "42")}
    assert len(digests) == 1


def test_scikit_learn_and_pandas_run_elsewhere_from_a_layer(play):
    script = """
        import pandas as pd
        from sklearn.datasets import load_digits
        def train(frame):
            import sys
            from sklearn.linear_model import LogisticRegression
            from importlib.metadata import version
            digits = load_digits()
            model = LogisticRegression(max_iter=20).fit(digits.data[:500], digits.target[:500])
            return model.score(digits.data[500:], digits.target[500:]), frame.sum().a, version("pandas")
        import warnings
        score, total, version = run(train, pd.DataFrame({"a": [1, 2, 3]}))
        assert score > 0.8 and total == 6 and version == pd.__version__
        print("all well")
    """
    assert play(script) == "all well"


def test_editable_installs_run_elsewhere_from_their_source(play, tmp_path):
    source = tmp_path / "src tree"
    (source / "editable_pkg").mkdir(parents=True)
    (source / "editable_pkg" / "__init__.py").write_text(
        "from importlib.metadata import version\n__version__ = version('editable-pkg')\nfrom .deep import f\n"
    )
    (source / "editable_pkg" / "deep.py").write_text("def f(): return 'deep'\n")
    (source / "pyproject.toml").write_text(
        "[project]\nname = 'editable-pkg'\nversion = '7.1'\n[build-system]\nrequires = ['setuptools']\n"
        "build-backend = 'setuptools.build_meta'\n"
    )
    site = tmp_path / "venv" / "lib" / "site-packages"
    info = site / "editable_pkg-7.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: editable-pkg\nVersion: 7.1\n")
    (info / "RECORD").write_text("__editable__.editable_pkg.pth,,\neditable_pkg-7.1.dist-info/METADATA,,\n")
    (info / "direct_url.json").write_text(f'{{"url": "{source.as_uri()}", "dir_info": {{"editable": true}}}}')
    (site / "__editable__.editable_pkg.pth").write_text(str(source))
    script = f"""
        import site
        site.addsitedir({str(site)!r})
        import editable_pkg
        def train(): return editable_pkg.__version__, editable_pkg.f()
        assert run(train) == ("7.1", "deep")
        assert capture(train)[1].manifest.requirements == ()
        print("all well")
    """
    assert play(script) == "all well"


def test_large_arrays_come_through_whole(home):
    import numpy as np

    data = np.arange(1 << 20, dtype=np.float64)
    assert job_bench.run(np.sum, data) == data.sum()
