"""Values go in and come back, in a real bare interpreter."""

from __future__ import annotations

import functools

import numpy as np

from sm_remote.decorator import remote
from sm_remote.runtime.api import InJobFunction, in_job


def echo(*values):
    return values


def test_values_come_back_as_they_were_sent(tree):
    values = [None, True, 0, -1, 2**70, 1.5, "é\n\u2028", b"\0", [], {"a": [1, (2, {3})]}, Exception("x"), range(3)]
    assert list(map(repr, tree.run(echo, *values).value)) == list(map(repr, values))


def test_closures_lambdas_partials_and_defaults_travel(tree):
    offset = 3
    func = functools.partial(lambda a, b, c=4: a * b + c + offset, 2)
    assert tree.run(func, 5).value == 2 * 5 + 4 + 3


def test_a_class_of_main_comes_back_as_the_same_class(tree):
    namespace = {"__name__": "__main__"}
    exec(
        "class Point:\n    def __init__(self, x): self.x = x\ndef move(p):\n    p.x += 1\n    return [p, Point(7)]\n",
        namespace,
    )
    moved, made = tree.run(namespace["move"], namespace["Point"](1)).value
    assert type(moved) is namespace["Point"]
    assert type(made) is namespace["Point"]
    assert (moved.x, made.x) == (2, 7)


def test_a_function_calls_itself_by_its_decorated_name(tree):
    namespace = {"__name__": "__main__", "in_job": in_job}
    exec("def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nplain = fib\nfib = in_job(fib)\n", namespace)
    assert isinstance(namespace["fib"], InJobFunction)
    assert tree.run(namespace["plain"], 10).value == 55


def test_a_coroutine_function_is_run_to_its_end(tree):
    async def fetch(n):
        import asyncio

        await asyncio.sleep(0)
        return n + 1

    assert tree.run(fetch, 1, call="async").value == 2


def test_arrays_come_in_and_go_out_without_being_pickled_into_the_body(tree):
    def double(small, big):
        small += 1  # writeable
        big *= 2
        return {
            "aligned": big.ctypes.data % 64 == 0,
            "small": small,
            "big": big,
            "columns": big[:6].reshape(2, 3, order="F"),
        }

    tree.add_packages("numpy")
    big = np.arange(300_000.0)
    ended = tree.run(double, np.arange(3), big)
    value = ended.value
    assert value["aligned"]
    assert value["small"].tolist() == [1, 2, 3]
    assert np.array_equal(value["big"], big * 2)
    assert value["columns"].flags.f_contiguous
    for array in (value["small"], value["big"]):
        assert array.flags.writeable
        assert array.ctypes.data % 64 == 0
    value["big"][:] = 0
    assert ended.outcome.read_bytes().count(b"\0" * 100_000) == 0, "the file is not changed"


def test_data_frames_come_back(tree):
    import pandas as pd

    def grow(frame):
        frame["c"] = frame["a"] * 2
        return frame

    tree.add_packages("numpy", "pandas", "dateutil", "six", "pytz")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert tree.run(grow, frame).value.equals(grow(frame))


def test_modules_from_the_source_archive_are_imported_and_decorated_ones_run_in_place(tree):
    import io
    import zipfile

    def use():
        import pkg.steps

        return pkg.steps.train(4), pkg.steps.__file__

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("pkg/__init__.py", "")
        zipped.writestr(
            "pkg/steps.py",
            "from sm_remote import remote, RemoteError, attach\n"
            "@remote(instance_type='ml.m5.large')\n"
            "def train(n):\n    return n if n < 2 else n * train(n - 1)\n",
        )
    value, file = tree.run(use, source=archive.getvalue()).value
    assert value == 24
    assert file.endswith("source0/pkg/steps.py")


NEED_THE_CLIENT = {
    "f.submit(1)": "f.submit() cannot be used inside a job",
    "f.map([1])": "f.map() cannot",
    "sm_remote.attach('x')": "attach() cannot",
    "sm_remote.list_jobs()": "list_jobs() cannot",
    "sm_remote.RemoteExecutor()": "RemoteExecutor() cannot",
}


def test_what_needs_the_client_says_so_inside_a_job(tree):
    def call(codes):
        import sm_remote

        @sm_remote.remote
        def f(x):
            return x

        texts = [f(1), f.local(1)]
        for code in codes:
            try:
                eval(code)
            except sm_remote.RemoteError as error:
                texts.append(str(error))
        return texts

    first, second, *texts = tree.run(call, list(NEED_THE_CLIENT)).value
    assert (first, second) == (1, 1)
    for text, start in zip(texts, NEED_THE_CLIENT.values(), strict=True):
        assert text.startswith(start)


def test_a_decorated_function_travels_as_what_runs_in_place(tree):
    def helper(x):
        return x + 1

    wrapped = remote(helper)
    assert tree.run(lambda f: f(1), wrapped).value == 2


def test_output_comes_line_by_line_and_the_marker_has_its_own_line(tree):
    def talk():
        print("one")
        print("two", end="")

    assert tree.run(talk).lines == ["one", "two"]


def test_no_line_is_added_where_the_last_one_was_finished(tree):
    ended = tree.run(lambda: print("one"))
    assert ended.stdout.count("\n") == 2


def test_the_command_line_does_not_show_our_arguments(tree):
    def arguments():
        import sys

        return sys.argv

    assert tree.run(arguments).value == ["-c"]


def test_only_the_first_host_publishes(tree):
    tree.write_config("resourceconfig.json", {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]})
    ended = tree.run(lambda: 1)
    assert ended.exit_code == 0
    assert ended.outcome is None
    assert ended.marker is None


def test_the_environment_of_sagemaker_containers_is_there(tree):
    def look():
        import os

        return {name: value for name, value in os.environ.items() if name.startswith("SM_")}

    tree.write_config("hyperparameters.json", {"epochs": "10", "name": "adam", "batch-size": '"32"'})
    tree.write_config("inputdataconfig.json", {"train": {}, "sm_remote": {}, "sm_remote_layer": {}})
    tree.write_config("resourceconfig.json", {"current_host": "algo-1", "hosts": ["algo-1"]})
    seen = tree.run(look).value
    assert seen["SM_CHANNEL_TRAIN"] == str(tree.root / "input/data/train")
    assert seen["SM_CHANNELS"] == '["train"]'
    assert seen["SM_HPS"] == '{"batch-size":"32","epochs":10,"name":"adam"}'
    assert seen["SM_HP_BATCH-SIZE"] == "32"
    assert seen["SM_MODEL_DIR"] == str(tree.root / "model")
    assert seen["SM_NUM_GPUS"] == "0"
    assert seen["SM_CURRENT_HOST"] == "algo-1"


def test_packages_may_come_as_an_archive(tree):
    import io
    import tarfile

    def use():
        import shipped

        return shipped.__file__

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("shipped.py")
        tar.addfile(entry, io.BytesIO(b""))
    ended = tree.run(use, objects=[("layer_archive", archive.getvalue())])
    assert ended.value.endswith("packages0/shipped.py")


def test_processes_started_by_the_function_see_what_it_sees(tree):
    import io
    import zipfile

    def spread():
        import multiprocessing
        import subprocess
        import sys

        import work

        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pooled = pool.map(work.double, [1, 2])
        code = "import work, cloudpickle; print(work.double(4))"
        return pooled, subprocess.check_output([sys.executable, "-S", "-c", code], text=True)

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("work.py", "def double(x):\n    return 2 * x\n")
    assert tree.run(spread, source=archive.getvalue()).value == ([2, 4], "8\n")
