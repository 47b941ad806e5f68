from __future__ import annotations

import io
import sys
from types import FunctionType, ModuleType

import cloudpickle
import numpy as np
import pytest

from sm_remote.capture.pickling import Notes, is_importable, pickle_noting
from sm_remote.wire.payload import load_value, scan_globals
from tests.cells import run_cell


@pytest.fixture
def notes_of():
    def find(value: object) -> Notes:
        notes = Notes()
        pickle_noting(value, io.BytesIO(), notes, owner="the arguments")
        return notes

    return find


@pytest.fixture
def round_trip(tmp_path):
    def trip(value: object) -> object:
        with (tmp_path / "payload").open("wb") as file:
            pickle_noting(value, file, Notes(), owner="")
        return load_value(tmp_path / "payload")

    return trip


def third_party(modules: dict[str, str]) -> dict[str, str]:
    own = {"cloudpickle", "sm_remote", *sys.stdlib_module_names}
    return {name: why for name, why in modules.items() if name.partition(".")[0] not in own}


def test_modules_that_a_cells_function_uses_are_noted_with_the_variable(notes_of):
    cell = run_cell("import numpy as np\nimport pandas\ndef train(): return np.ones(3)")
    assert third_party(notes_of(cell["train"]).modules) == {"numpy": "variable 'np' used by train()"}


def test_imports_in_a_body_and_in_functions_that_it_calls_are_noted(notes_of):
    cell = run_cell("def helper():\n import pandas\ndef train():\n from sklearn import svm\n return helper()")
    modules = third_party(notes_of(cell["train"]).modules)
    assert modules["sklearn"] == modules["sklearn.svm"] == "imported in train()"
    assert modules["pandas"] == "imported in helper()"


def test_names_imported_from_modules_are_noted(notes_of):
    cell = run_cell("from numpy.linalg import norm\nfrom numpy import add\ndef train(): return norm, add")
    assert {name.partition(".")[0] for name in third_party(notes_of(cell["train"]).modules)} == {"numpy"}


def test_arguments_bring_the_modules_of_their_types(notes_of):
    frame = pytest.importorskip("pandas").DataFrame({"a": [1]})
    modules = third_party(notes_of([frame, np.add, np.float64(1)]).modules)
    assert {name.partition(".")[0] for name in modules} == {"pandas", "numpy"}
    assert "in the arguments" in next(iter(modules.values()))


def test_functions_of_the_working_tree_go_by_reference(notes_of, write_tree):
    write_tree(
        {"mine/__init__.py": "", "mine/work.py": "import threading\nLOCK = threading.Lock()\ndef f(): return LOCK"}
    )
    from mine.work import f

    notes = notes_of(f)
    assert notes.modules == {"mine.work": "f() in the arguments"}
    assert notes.functions == []


def test_a_decorated_function_of_the_working_tree_goes_by_reference_too(write_tree, tmp_path):
    write_tree(
        {
            "decorated.py": "import threading\nfrom sm_remote.runtime.api import remote\nLOCK = threading.Lock()\n"
            "@remote\ndef train(): return LOCK is not None\n"
        }
    )
    import decorated

    raw = decorated.train.__wrapped__
    notes = Notes()
    with (tmp_path / "p").open("wb") as file:
        pickle_noting(raw, file, notes, owner="train()")
    assert load_value(tmp_path / "p") is raw
    assert "decorated" in notes.modules
    assert notes.functions == []


def test_functions_that_exist_in_memory_alone_go_by_value(monkeypatch, tmp_path):
    module = ModuleType("made_up")
    exec("FACTOR = 3\nclass Point: ...\ndef scale(x): return FACTOR * x\n", vars(module))
    monkeypatch.setitem(sys.modules, "made_up", module)
    module.scale.__module__ = module.Point.__module__ = "made_up"
    with (tmp_path / "p").open("wb") as file:
        pickle_noting([module.scale, module.Point], file, Notes(), owner="")
    monkeypatch.delitem(sys.modules, "made_up")
    scale, point = load_value(tmp_path / "p")
    assert scale(2) == 6
    assert point.__name__ == "Point"


def test_the_processs_registry_of_cloudpickle_is_left_as_it_was(monkeypatch):
    module = ModuleType("made_up")
    exec("def f(): ...", vars(module))
    module.f.__module__ = "made_up"
    monkeypatch.setitem(sys.modules, "made_up", module)
    pickle_noting(module.f, io.BytesIO(), Notes(), owner="")
    assert "made_up" not in cloudpickle.list_registry_pickle_by_value()
    cloudpickle.register_pickle_by_value(module)
    pickle_noting(module.f, io.BytesIO(), Notes(), owner="")
    assert "made_up" in cloudpickle.list_registry_pickle_by_value()
    cloudpickle.unregister_pickle_by_value(module)


def test_cached_functions_of_a_cell_go_by_value(round_trip):
    cell = run_cell(
        """
        import functools
        @functools.lru_cache(maxsize=7)
        def fib(n):
            return n if n < 2 else fib(n - 1) + fib(n - 2)
        def train(n):
            return fib(n)
        """
    )
    train = round_trip(cell["train"])
    assert train(20) == 6765
    assert round_trip(cell["fib"]).cache_parameters() == {"maxsize": 7, "typed": False}
    assert not is_importable(cell["fib"])


def test_closures_partials_methods_recursion_and_lambdas_travel(round_trip):
    cell = run_cell(
        """
        import functools
        class Model:
            factor = 2
            def predict(self, x): return self.factor * x
        def outer(k):
            def inner(x): return k * x
            return inner
        def count(n): return n and 1 + count(n - 1)
        things = [outer(3), functools.partial(outer(4), 5), Model().predict, count, lambda x: x + 1]
        """
    )
    closure, part, method, count, small = round_trip(cell["things"])
    assert (closure(2), part(), method(3), count(9), small(1)) == (6, 20, 6, 9, 2)


def test_large_buffers_are_collected_once_and_small_ones_are_not():
    array = np.arange(1 << 18, dtype=np.float64)
    buffers: dict[str, memoryview] = {}
    refs = pickle_noting([array, array.copy(), array[:10].copy()], io.BytesIO(), Notes(), owner="", buffers=buffers)
    assert len(refs) == len(buffers) == 1
    assert bytes(buffers[refs[0].digest]) == array.tobytes()


def test_types_are_noted_once_however_many_objects_there_are(notes_of):
    class Counting:
        asked = 0

        def __getattribute__(self, name: str) -> object:
            if name == "__module__":
                type(self).asked += 1
            return object.__getattribute__(self, name)

    notes_of([Counting() for _ in range(50)])
    assert Counting.asked <= 50


def test_objects_whose_attributes_raise_are_no_trouble(notes_of):
    class Proxy:
        @property
        def __module__(self) -> str:
            raise RuntimeError("not now")

        def __reduce__(self) -> tuple[object, ...]:
            return int, (3,)

    assert notes_of(Proxy()).functions == []


def test_sm_remote_itself_is_noted_as_nothing_to_ship(notes_of):
    from sm_remote.capture.modules import Origin, locate
    from sm_remote.runtime.api import in_job

    names = notes_of(in_job(len)).modules
    assert {locate(name).origin for name in names} <= {Origin.OWN, Origin.STANDARD_LIBRARY}


def test_what_was_noted_covers_what_the_pickle_names(tmp_path):
    cell = run_cell(
        "import numpy as np, json\nfrom traitlets import HasTraits as clone\ndef train(): return np.add, json, clone"
    )
    notes = Notes()
    with (tmp_path / "p").open("wb") as file:
        pickle_noting([cell["train"], np.add, np.dtype("f4")], file, notes, owner="")
    noted = {name.partition(".")[0] for name in notes.modules}
    named = {module.partition(".")[0] for module, _ in scan_globals(tmp_path / "p")}
    assert named - {"cloudpickle", "builtins", "types", "_operator"} <= noted


def test_decorators_of_a_cell_are_followed(notes_of):
    cell = run_cell(
        """
        import functools, numpy
        def noisy(func):
            @functools.wraps(func)
            def wrapper(*a): return numpy.ones(1), func(*a)
            return wrapper
        @noisy
        def train():
            import pandas
        """
    )
    notes = notes_of(cell["train"])
    assert {"numpy", "pandas"} <= set(third_party(notes.modules))
    assert all(isinstance(func, FunctionType) for func in notes.functions)
