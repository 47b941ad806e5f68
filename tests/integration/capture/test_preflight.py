"""A call whose job would lack a module is refused before anything is stored; what only may be wrong is a warning."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sm_remote.capture import preflight
from sm_remote.capture.bytecode import bytecode_name, is_compiled
from sm_remote.capture.call import capture_call
from sm_remote.capture.plan import plan_call
from sm_remote.capture.runtime_zip import build_runtime_zip
from sm_remote.capture.workspace import WorkspaceRequest
from sm_remote.errors import PreflightFailed
from sm_remote.home import find_home
from tests.cells import run_cell


@pytest.fixture
def home(tmp_path):
    """A state of its own for each test: what one has proved, another has not."""
    return find_home({"SM_REMOTE_HOME": str(tmp_path / "home")})


@pytest.fixture
def call(store, home, here):
    def capture(func, *args, dependencies="auto", python=here, **options):
        kwargs = options.pop("kwargs", {})
        return capture_call(
            func,
            args,
            kwargs,
            store=store,
            home=home,
            dependencies=dependencies,
            python=python,
            runtime=build_runtime_zip(),
            **{"preflight": True, **options},
        )

    return capture


@pytest.fixture
def another_process(monkeypatch):
    """What this process has proved is forgotten, as in another one on the same machine."""
    return lambda: monkeypatch.setattr(preflight, "_proved", set())


@pytest.fixture(autouse=True)
def nothing_is_proved(another_process):
    another_process()


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="sm_remote")

    def lines(level=logging.WARNING):
        return [
            record.getMessage() for record in caplog.records if record.levelno == level and "Preflight" in record.msg
        ]

    return lines


def started_an_interpreter(home) -> bool:
    return (home.cache / "preflight-home").exists()


def is_stored(store) -> bool:
    return any(store.list("blobs"))


def test_a_function_of_the_standard_library_alone_starts_no_interpreter(call, home):
    call(run_cell("import json\ndef f(x):\n    import os, math\n    return json.dumps(x), math.pi, os.sep")["f"], 1)
    call(pow, 2, 3)
    assert not started_an_interpreter(home)


def test_a_package_and_a_module_of_ones_own_are_found(call, home, install, write_tree, said):
    install("thing", files={"thing/__init__.py": "value = 1", "thing/part.py": "other = 2"})
    write_tree({"own/__init__.py": "", "own/deep.py": "import thing.part\ndef g(): return thing.part.other"})
    func = run_cell("import thing, own.deep\ndef f():\n    return thing.value + own.deep.g()")["f"]
    call(func)
    assert started_an_interpreter(home)
    assert said() == []


def test_what_was_proved_is_not_proved_again_even_by_another_process(call, home, install, another_process, said):
    install("thing", files={"thing.py": "value = 1"})
    source = "import thing\ndef f():\n    return thing.value"
    call(run_cell(source)["f"])
    assert len(said(logging.INFO)) == 1
    call(run_cell(source)["f"])
    another_process()
    call(run_cell(source)["f"])
    another_process()
    call(run_cell(source.replace("thing.value", "thing.value + 1"))["f"])
    assert len(said(logging.INFO)) == 1, "an edited function that needs nothing else is proved already"
    call(run_cell(source.replace("return", "import json.tool, thing as t\n    return"))["f"])
    install("other", files={"other.py": ""})
    call(run_cell(source.replace("return", "import other\n    return"))["f"])
    assert len(said(logging.INFO)) == 2


def test_a_global_variable_brings_a_module_that_no_package_has(call, store, install):
    install("thing", files={"thing.py": "value = 1"})
    func = run_cell("import thing as alias\ndef train():\n    return alias.value")["train"]
    with pytest.raises(PreflightFailed, match="'thing'") as caught:
        call(func, dependencies=None)
    assert "variable 'alias' used by train()" in caught.value.why
    assert "thing==1.0" in caught.value.fix
    assert set(caught.value.facts["missing"]) == {"thing"}
    assert not is_stored(store)


def test_preflight_false_sends_it_all_the_same(call, install):
    install("thing", files={"thing.py": "value = 1"})
    func = run_cell("import thing\ndef train():\n    return thing.value")["train"]
    assert call(func, dependencies=None, preflight=False).uploaded_bytes > 0


def test_every_missing_module_is_named_at_once(call, install):
    install("thing", files={"thing.py": "value = 1"})
    install("other", files={"other/__init__.py": "", "other/part.py": "def g(): pass"})
    cell = run_cell(
        "import thing\nfrom other.part import g\ndef train():\n    import none_such\n    return thing.value, g()"
    )
    with pytest.raises(PreflightFailed, match="modules ") as caught:
        call(cell["train"], dependencies=None)
    assert set(caught.value.facts["missing"]) == {"thing", "other", "none_such"}


@pytest.mark.parametrize("statement", ["import thing", "from thing import value", "import json, thing.part"])
def test_an_import_that_the_body_is_sure_to_reach_counts(call, install, statement):
    install("thing", files={"thing/__init__.py": "value = 1", "thing/part.py": ""})
    func = run_cell(f"def train(flag=True):\n    x = 1\n    {statement}\n    return x")["train"]
    with pytest.raises(PreflightFailed, match="'thing'") as caught:
        call(func, dependencies=None)
    assert "imported in train()" in caught.value.why


def test_a_module_that_is_not_even_here_is_missed_too(call):
    func = run_cell("def train():\n    import no_such_module_anywhere\n    return 1")["train"]
    with pytest.raises(PreflightFailed, match="no_such_module_anywhere") as caught:
        call(func)
    assert "Install the package here" in caught.value.fix


@pytest.mark.parametrize(
    "body",
    [
        "try:\n        import thing\n    except ImportError:\n        thing = None\n    return 1",
        "if flag:\n        import thing\n    return 1",
        "for _ in range(flag):\n        import thing\n    return 1",
        "with contextlib.suppress(ImportError):\n        import thing\n    return 1",
        "def inner():\n        import thing\n    return inner",
    ],
)
def test_an_import_that_may_never_run_is_no_certainty(call, install, said, body):
    install("thing", files={"thing.py": "value = 1"})
    func = run_cell(f"import contextlib\ndef train(flag=0):\n    {body}")["train"]
    call(func, dependencies=None)
    (warning,) = said()
    assert "'thing'" in warning
    assert "imported in" in warning


def test_an_optional_import_of_what_is_nowhere_is_no_warning(call, said):
    func = run_cell("def train():\n    try:\n        import cupy_of_mars\n    except ImportError:\n        pass")[
        "train"
    ]
    call(func)
    assert said() == []
    assert any("cupy_of_mars" in line for line in said(logging.INFO))


def test_a_coroutines_body_counts_as_well(call, install):
    install("thing", files={"thing.py": "value = 1"})
    func = run_cell("async def train():\n    import thing\n    return thing.value")["train"]
    with pytest.raises(PreflightFailed, match="'thing'"):
        call(func, dependencies=None)


def test_an_argument_is_named_whose_class_would_be_missing_and_it_is_not_loaded(call, install, tmp_path):
    trace = tmp_path / "loaded"
    code = f"class Frame:\n    def __setstate__(self, state):\n        open({str(trace)!r}, 'w')\n"
    install("frames", files={"frames.py": code})
    import frames

    frame = frames.Frame()
    frame.x = 1
    func = run_cell("def train(rows, frame):\n    return rows")["train"]
    with pytest.raises(PreflightFailed, match="'frames'") as caught:
        call(func, [1], frame, dependencies=None)
    assert "class Frame in argument 'frame'" in caught.value.why
    call(func, [1], frame)
    assert not trace.exists()


def test_a_variable_is_named_whose_class_would_be_missing(call, install):
    install("frames", files={"frames/__init__.py": "class Frame: ...\n"})
    cell = run_cell("from frames import Frame\nheld = {'rows': [Frame()]}\ndef train(): return held")
    with pytest.raises(PreflightFailed, match="'frames'") as caught:
        call(cell["train"], dependencies=None)
    assert "class Frame in variable 'held' used by train()" in caught.value.why


def test_a_module_that_was_put_into_site_packages_by_hand_belongs_to_nobody(call, install, store):
    site = install("thing", files={"thing.py": ""})
    (site / "stray.py").write_text("value = 1")
    func = run_cell("import stray\ndef train():\n    return stray.value")["train"]
    with pytest.raises(PreflightFailed, match="'stray'") as caught:
        call(func)
    assert "stray.py belongs to no installed package" in caught.value.fix


def test_what_a_package_imports_without_requiring_it_is_missed(call, install):
    install("hidden", files={"hidden.py": ""})
    install("thing", files={"thing/__init__.py": "from thing import core", "thing/core.py": "import hidden\nvalue = 1"})
    func = run_cell("import thing\ndef train():\n    return thing.core.value")["train"]
    with pytest.raises(PreflightFailed, match="'hidden'") as caught:
        call(func)
    assert "imported by thing.core" in caught.value.why


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("raise ImportError('libcuda.so.1: cannot open shared object file')", "libcuda.so.1"),
        ("raise RuntimeError('no GPU')", "no GPU"),
        ("raise OSError('libgomp')", "libgomp"),
        ("raise SystemExit(3)", "SystemExit"),
        ("import os; os._exit(3)", "ended with 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended with -11"),
    ],
)
def test_an_import_that_fails_for_another_reason_warns_and_goes_on(call, install, said, code, text, home):
    # Only the throw-away interpreter has no pytest.
    install("thing", files={"thing.py": f"import sys\nvalue = 1\nif 'pytest' not in sys.modules:\n    {code}"})
    func = run_cell("import thing\ndef train():\n    return thing.value")["train"]
    captured = call(func)
    assert captured.uploaded_bytes > 0
    (warning,) = said()
    assert text in warning
    assert not list((home.cache / "proofs").glob("*")) if (home.cache / "proofs").exists() else True


def test_what_modules_print_and_start_disturbs_nothing(call, install, said, capfd):
    code = "import sys, subprocess, atexit\nvalue = 1\nprint('{not json')\n"
    code += (
        "if 'pytest' not in sys.modules:\n    atexit.register(lambda: 1 / 0)\n    subprocess.Popen(['sleep', '120'])"
    )
    install("thing", files={"thing.py": code})
    func = run_cell("import thing\ndef train():\n    return thing.value")["train"]
    capfd.readouterr()
    started = time.monotonic()
    call(func)
    assert time.monotonic() - started < 60
    assert said() == []
    assert capfd.readouterr() == ("", "")


def test_an_import_that_takes_too_long_warns_and_goes_on(store, home, here, install, said):
    code = "import sys, time\nvalue = 1\nif 'pytest' not in sys.modules:\n    time.sleep(120)"
    install("thing", files={"thing.py": code})
    func = run_cell("import thing\ndef train():\n    return thing.value")["train"]
    with plan_call(func, (), {}, home=home, dependencies="auto", python=here) as plan:
        layer = Path(sys.modules["thing"].__file__).parent
        surroundings = preflight.Surroundings(python=here, runtime=build_runtime_zip(), layer=layer, layer_key="k")
        started = time.monotonic()
        preflight.check_call(plan, surroundings, home=home, limit_s=0.5)
    assert time.monotonic() - started < 60
    assert "longer than 0.5 s" in said()[0]


def test_commands_that_run_first_may_install_what_is_missing(call, install, said):
    install("thing", files={"thing.py": "value = 1"})
    func = run_cell("import thing\ndef train():\n    return thing.value")["train"]
    call(func, dependencies=None, workspace=WorkspaceRequest(commands=("pip install thing",)))
    assert said() == []


def test_a_path_of_ones_own_in_the_environment_leaves_nothing_certain(call, install):
    install("thing", files={"thing.py": "value = 1"})
    func = run_cell("import thing\ndef train():\n    return thing.value")["train"]
    call(func, dependencies=None, environment={"PYTHONPATH": "/opt/things"})


def test_the_jobs_environment_variables_are_there_when_modules_load(call, install, said):
    code = "import os, sys\nvalue = 1\nif 'pytest' not in sys.modules:\n    os.environ['NEEDED']"
    install("thing", files={"thing.py": code})
    func = run_cell("import thing\ndef train():\n    return thing.value")["train"]
    call(func, environment={"NEEDED": "1"})
    assert said() == []
    call(func)
    assert "NEEDED" in said()[0]


def test_the_working_directory_may_bring_a_module(call, install, tmp_path, monkeypatch):
    install("thing", files={"thing.py": "value = 1"})
    folder = tmp_path / "cwd"
    (folder / "thing").mkdir(parents=True)
    (folder / "thing" / "__init__.py").write_text("value = 2")
    monkeypatch.chdir(folder)
    func = run_cell("def train():\n    import thing\n    return thing.value")["train"]
    call(func, dependencies=None, workspace=WorkspaceRequest(include_workdir=True))


def test_a_package_of_another_version_is_said_with_both(store, home, here, install, said, tmp_path):
    site = install("frames", "2.0", files={"frames.py": "class Frame: pass"})
    import frames

    other = tmp_path / "layer"
    info = other / "frames-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frames\nVersion: 1.5\n")
    (other / "frames.py").write_text("class Table: pass")
    assert str(site) in sys.path
    cell = run_cell("def train(frame, kind=None):\n    return frame")
    with plan_call(cell["train"], (frames.Frame(),), {}, home=home, dependencies="auto", python=here) as plan:
        surroundings = preflight.Surroundings(python=here, runtime=build_runtime_zip(), layer=other, layer_key="k")
        preflight.check_call(plan, surroundings, home=home)
    assert any("frames is 2.0 here and 1.5 in the job" in line for line in said())


def test_a_name_that_the_jobs_version_lacks_is_said_and_goes_on(store, home, here, install, said, tmp_path):
    install("frames", "2.0", files={"frames.py": "def build(): pass"})
    other = tmp_path / "layer"
    other.mkdir()
    (other / "frames.py").write_text("")
    cell = run_cell("from frames import build\ndef train():\n    return build()")
    with plan_call(cell["train"], (), {}, home=home, dependencies="auto", python=here) as plan:
        surroundings = preflight.Surroundings(python=here, runtime=build_runtime_zip(), layer=other, layer_key="k")
        preflight.check_call(plan, surroundings, home=home)
    assert any("'build'" in line and "frames" in line for line in said())


def test_a_large_array_in_a_closure_is_neither_copied_nor_in_the_way(call, install, said, monkeypatch):
    install("thing", files={"thing.py": "value = 1"})
    func = run_cell(
        "import thing\ndef train():\n    return table.sum() + thing.value",
        {
            "__name__": "__main__",
            "table": np.zeros(1 << 20),
        },
    )["train"]
    call(func)
    assert said() == []


def test_what_a_proof_compiles_of_a_new_layer_its_job_need_not_compile_again(call, store, home, install, write_tree):
    """Loading the function imports what the job imports in a moment; the rest of the layer is compiled beside both."""
    source = write_tree({"mine.py": "VALUE = 1\n"})
    install("slow-dist", files={"slow_pkg/__init__.py": "import slow_pkg.core\n", "slow_pkg/core.py": "CORE = 1\n"})
    import mine
    import slow_pkg

    (home.cache / "bytecode").mkdir(parents=True)
    with open(home.cache / "bytecode" / ".turn", "a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # the process that compiles the layer waits for its turn
        captured = call(
            run_cell("def f():\n    return slow_pkg.core, mine\n", {"slow_pkg": slow_pkg, "mine": mine})["f"]
        )
        layer = store.local_path(f"layers/{captured.manifest.layer_key}")
        assert (layer / bytecode_name("slow_pkg/core.py")).exists()
        assert not is_compiled(layer)
        assert not list(layer.rglob("*.pyc.*"))
    assert not list(source.glob("__pycache__/*.pyc.*"))


def test_nothing_is_left_behind_and_no_users_file_is_written(call, home, install, write_tree):
    install("thing", files={"thing.py": "value = 1"})
    root = write_tree({"own.py": "value = 1"})
    func = run_cell("import thing, own\ndef train():\n    return thing.value + own.value")["train"]
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.py")}
    call(func)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.py")} == before
    assert not list(home.cache.glob("preflight-????????"))
    assert oct((home.cache / "proofs").stat().st_mode & 0o777) == oct(0o700)
    assert os.listdir(home.cache / "proofs")


@pytest.mark.parametrize("same_as_host", [False, True])
def test_of_another_image_only_its_list_of_packages_makes_certain(call, home, here, install, same_as_host):
    install("the-thing", files={"thing.py": "value = 1"})
    func = run_cell("def train():\n    import thing\n    return thing.value")["train"]

    def image(*names):
        installed = dict.fromkeys(names, "1.0")
        facts = {"installed": installed, "modules": frozenset(), "image": "repository/name:tag"}
        return replace(here, same_as_host=same_as_host, **facts)

    with pytest.raises(PreflightFailed, match="'thing'") as caught:
        call(func, dependencies=None, python=image("pip", "numpy"))
    assert "the image repository/name:tag" in caught.value.why
    assert "the_thing==1.0" in caught.value.fix or "the-thing==1.0" in caught.value.fix
    call(func, dependencies=None, python=image("the-thing"))
    call(func, dependencies=None, python=image("the-thing-headless"))
    assert not started_an_interpreter(home)


@pytest.mark.parametrize("same_as_host", [False, True])
@pytest.mark.parametrize("installed", [{}, {"pip": "24"}])
def test_a_module_that_was_copied_into_the_image_is_not_missed(call, here, install, said, installed, same_as_host):
    """`Image.copy` brings modules that no list of packages tells of."""
    install("the-thing", files={"thing.py": "value = 1", "other.py": "value = 2"})
    func = run_cell("import thing\ndef train():\n    return thing.value")["train"]
    image = replace(
        here, same_as_host=same_as_host, installed=installed, modules=frozenset({"thing"}), image="name:tag"
    )
    call(func, dependencies=None, python=image)
    with pytest.raises(PreflightFailed, match="'thing'"):
        call(func, dependencies=None, python=replace(image, modules=frozenset({"any"}), image="name:other"))
    if not same_as_host:
        call(func, dependencies=None, python=replace(image, modules=None, image="name:unknown"))


def test_a_module_that_is_a_global_variable_is_as_certain_as_a_class(call, here, install):
    install("the-thing", files={"thing.py": "value = 1"})
    func = run_cell("import thing\ndef train():\n    return thing.value")["train"]
    bare = replace(here, same_as_host=False, installed={"pip": "24"}, modules=frozenset(), image="name:tag")
    with pytest.raises(PreflightFailed, match="'thing'") as caught:
        call(func, dependencies=None, python=bare)
    assert "variable 'thing' used by train()" in caught.value.why


def test_of_an_image_that_nobody_has_looked_into_nothing_is_certain(call, home, here, install, said):
    install("the-thing", files={"thing.py": "value = 1"})
    func = run_cell("def train():\n    import thing\n    return thing.value")["train"]
    call(func, dependencies=None, python=replace(here, same_as_host=False))
    assert not started_an_interpreter(home)
    assert said() == []


def test_modules_that_extend_the_path_leave_nothing_certain(call, write_tree, install, said):
    install("thing", files={"thing.py": "value = 1"})
    write_tree({"own.py": "import sys\nsys.path.append('/opt/ml/input/data/code')\nimport thing\nvalue = 1"})
    func = run_cell("import own\ndef train():\n    return own.value")["train"]
    call(func, dependencies=None)
    assert any("'thing'" in line for line in said())


def test_an_interpreter_that_cannot_be_started_warns_and_goes_on(call, install, said, home):
    install("thing", files={"thing.py": "value = 1"})
    func = run_cell("import thing\ndef train():\n    return thing.value")["train"]
    home.cache.mkdir(parents=True)
    (home.cache / "preflight-home").write_text("in the way")
    call(func)
    assert "could not be made" in said()[0]
