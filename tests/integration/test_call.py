"""A decorated function runs as a training job, on each engine, and its value or its own exception comes back."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import os
import re
import subprocess
import sys
import textwrap
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

import sm_remote
from sm_remote import RemoteExecutor, attach, list_jobs, remote
from sm_remote.errors import (
    CaptureError,
    ConfigError,
    CorruptBlob,
    JobFailed,
    JobNotFound,
    JobStopped,
    ModuleMissing,
    OutOfMemory,
    TimedOut,
)
from sm_remote.home import Home
from tests.cells import run_cell

pytestmark = pytest.mark.service


def define(source: str, **names: Any) -> dict[str, Any]:
    return run_cell(source, {"__name__": "__main__", "remote": remote, **names})


def test_the_value_comes_back_and_the_log_streams(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    cell = define(
        """
        @remote(instance_type="ml.m5.large")
        def divide(x, y):
            print(f"dividing {x} by {y}")
            return x / y
        """
    )
    assert cell["divide"](3, 2) == 1.5
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("sm_remote:")
    assert engine in lines[0].lower()
    assert "dividing 3 by 2" in lines
    assert not [line for line in lines if "outcome" in line]


def test_the_users_exception_comes_back_as_itself_with_the_remote_line(
    engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And once: it is told by whoever catches it or shows it, no more by what the log says."""
    cell = define(
        """
        @remote
        def divide(x, y):
            return x / y
        """
    )
    with pytest.raises(ZeroDivisionError) as caught:
        cell["divide"](2, 0)
    text = "".join(traceback.format_exception(caught.value))
    assert "return x / y" in text
    assert "in divide" in text
    assert "Traceback" not in capsys.readouterr().out
    name = re.search(r"Raised in training job (\S+)\.", "\n".join(caught.value.__notes__))
    assert name is not None
    logged = list(attach(name[1]).logs())
    assert logged[-1] == "ZeroDivisionError: division by zero"
    assert not [line for line in logged if line.startswith("sm_remote display")]


def test_an_own_exception_class_keeps_its_type_and_its_cause(engine: str) -> None:
    cell = define(
        """
        class Spoiled(Exception):
            def __init__(self, grams, reason):
                super().__init__(grams, reason)
                self.grams = grams

        @remote
        def cook():
            try:
                {}["salt"]
            except KeyError as error:
                raise Spoiled(12, "no salt") from error
        """
    )
    with pytest.raises(cell["Spoiled"]) as caught:
        cell["cook"]()
    assert caught.value.grams == 12
    assert isinstance(caught.value.__cause__, KeyError)
    assert '{}["salt"]' in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit(0)", "SystemExit"),
        ("sys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("os._exit(0)", "exit code 0"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("return threading.Lock()", "lock"),
        ("e = ValueError('held'); e.lock = threading.Lock(); raise e", "held"),
    ],
)
def test_an_end_without_a_value_fails_with_its_true_reason(body: str, reason: str) -> None:
    cell = define(
        f"""
        import os, signal, sys, threading

        @remote(stream_logs=False)
        def end():
            {body}
        """
    )
    job = cell["end"].submit()
    error = job.exception(timeout=120)
    assert isinstance(error, JobFailed)
    assert reason.lower() in str(error).lower()
    assert job.status == "Failed"
    assert str(job.status) == "Failed"
    assert reason.lower() in (job.failure_reason or "").lower()


def test_an_errno_is_no_exit_code() -> None:
    cell = define(
        """
        @remote(stream_logs=False)
        def fail():
            raise OSError(256, "out of cheese")
        """
    )
    job = cell["fail"].submit()
    error = job.exception(timeout=120)
    assert type(error) is OSError
    assert error.errno == 256
    assert job.status == "Failed"


def test_an_ended_job_is_described_with_the_record_of_its_outcome(engine: str) -> None:
    cell = define("@remote(stream_logs=False)\ndef invert(x):\n    return 1 / x")
    for argument in (1, 0):
        job = cell["invert"].submit(argument)
        concurrent.futures.wait([job], timeout=120)
        marker = job._look().outcome_marker
        assert marker is not None
        assert marker.startswith("sm_remote outcome ")
        assert marker not in list(job.logs())


def test_closing_stdout_does_not_lose_the_result(engine: str) -> None:
    cell = define(
        """
        import os, sys

        @remote(stream_logs=False)
        def close():
            sys.stdout.close()
            os.close(1)
            return 7
        """
    )
    assert cell["close"]() == 7


def test_a_memory_error_and_a_kill_for_memory_are_told_apart_from_other_failures(engine: str) -> None:
    cell = define(
        """
        @remote(stream_logs=False)
        def ask():
            raise MemoryError("too much")
        """
    )
    with pytest.raises(OutOfMemory) as caught:
        cell["ask"]()
    assert isinstance(caught.value, MemoryError)
    assert isinstance(caught.value, JobFailed)


@pytest.mark.docker
@pytest.mark.slow
def test_a_container_killed_for_memory_raises_out_of_memory() -> None:
    cell = define(
        """
        @remote(stream_logs=False, engine="docker", instance_type="ml.t3.medium")
        def hoard():
            held = []
            while True:
                held.append(bytearray(64 << 20))
        """
    )
    with pytest.raises(OutOfMemory) as caught:
        cell["hoard"]()
    assert caught.value.facts["limit_bytes"] == 4 << 30


def test_a_missing_module_is_named_with_the_way_to_ship_it() -> None:
    cell = define(
        """
        @remote(stream_logs=False)
        def load():
            return __import__("no_such_module_anywhere")
        """
    )
    with pytest.raises(ModuleMissing, match="no_such_module_anywhere") as caught:
        cell["load"]()
    assert isinstance(caught.value, ModuleNotFoundError)
    assert "dependencies" in str(caught.value)


def test_what_cannot_travel_is_named_before_anything_starts() -> None:
    cell = define(
        """
        import threading

        settings = {"depth": 3, "locks": [threading.Lock()]}

        @remote
        def use(frame):
            return settings, frame
        """
    )
    before = len(list_jobs())
    with pytest.raises(CaptureError, match="settings"):
        cell["use"](1)
    with pytest.raises(CaptureError, match="frame"):
        define("@remote\ndef use(frame): return frame")["use"]({"a": threading_lock()})
    assert len(list_jobs()) == before


def threading_lock() -> Any:
    import threading

    return threading.Lock()


def test_wrong_arguments_fail_here_and_at_once() -> None:
    cell = define(
        """
        @remote
        def f(a, /, b, *, c=1, **more):
            return a, b, c, more
        """
    )
    before = len(list_jobs())
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'b'"):
        cell["f"](1)
    assert len(list_jobs()) == before
    assert cell["f"](1, b=2, c=3, d=4) == (1, 2, 3, {"d": 4})


def test_lambdas_builtins_partials_methods_and_callable_objects_run(engine: str) -> None:
    cell = define(
        """
        class Adder:
            def __init__(self, base):
                self.base = base
            def __call__(self, x):
                return self.base + x
            def add(self, x):
                return self.base + x
        """
    )
    with RemoteExecutor(stream_logs=False) as executor:
        jobs = [
            executor.submit(pow, 2, 3),
            executor.submit(lambda x: x + 1, 1),
            executor.submit(functools.partial(int, base=2), "101"),
            executor.submit(cell["Adder"](10), 5),
            executor.submit(cell["Adder"](20).add, 5),
        ]
        assert [job.result(timeout=120) for job in jobs] == [8, 2, 5, 15, 25]
    assert jobs[0].name.startswith("pow-")


def test_recursion_and_one_decorated_function_calling_another_run_in_place() -> None:
    cell = define(
        """
        @remote(stream_logs=False)
        def factorial(n):
            return 1 if n == 0 else n * factorial(n - 1)

        @remote(stream_logs=False)
        def twice(n):
            return 2 * factorial(n)
        """
    )
    before = len(list_jobs(limit=None))
    assert cell["twice"](5) == 240
    assert len(list_jobs(limit=None)) == before + 1


def test_a_coroutine_function_is_awaited_here_and_run_there() -> None:
    cell = define(
        """
        import asyncio

        @remote(stream_logs=False)
        async def slow_sum(a, b):
            await asyncio.sleep(0.01)
            return a + b
        """
    )

    async def main() -> Any:
        return await cell["slow_sum"](1, 2), await cell["slow_sum"].submit(3, 4)

    assert asyncio.run(main()) == (3, 7)


def test_a_generator_function_is_refused_at_decoration() -> None:
    with pytest.raises(TypeError, match="generator"):
        define("@remote\ndef f():\n    yield 1")


def test_a_class_of_the_notebook_comes_back_as_the_same_class() -> None:
    cell = define(
        """
        class Point:
            def __init__(self, x): self.x = x

        @remote(stream_logs=False)
        def move(p): return Point(p.x + 1)
        """
    )
    moved = cell["move"](cell["Point"](1))
    assert type(moved) is cell["Point"]
    assert moved.x == 2


def test_installed_packages_travel_as_a_layer(engine: str) -> None:
    cell = define(
        """
        import pandas as pd

        @remote(stream_logs=False)
        def fit(frame):
            from sklearn.linear_model import LinearRegression
            model = LinearRegression().fit(frame[["x"]], frame["y"])
            return round(float(model.coef_[0]), 3), frame.assign(z=1)
        """
    )
    import pandas as pd

    slope, frame = cell["fit"](pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]}))
    assert slope == 2.0
    assert list(frame["z"]) == [1, 1, 1]


def test_map_keeps_order_limits_jobs_and_reports_the_first_failure(capsys: pytest.CaptureFixture[str]) -> None:
    cell = define(
        """
        @remote(stream_logs=False)
        def invert(x): return 1 / x
        """
    )
    assert cell["invert"].map([1, 2, 4], max_parallel_jobs=2) == [1.0, 0.5, 0.25]
    with pytest.raises(ZeroDivisionError) as caught:
        cell["invert"].map([1, 0, 2, 3, 4, 5], max_parallel_jobs=1)
    note = " ".join(caught.value.__notes__)
    assert "Item 1" in note
    assert "1 of 2" in note
    mixed = cell["invert"].map([1, 0], return_exceptions=True)
    assert mixed[0] == 1.0
    assert isinstance(mixed[1], ZeroDivisionError)


def test_an_executors_waiting_job_has_its_name_and_can_be_withdrawn() -> None:
    cell = define("import time\ndef nap(s):\n    time.sleep(s)\n    return s")
    executor = RemoteExecutor(max_parallel_jobs=1, stream_logs=False)
    first = executor.submit(cell["nap"], 1.5)
    second = executor.submit(cell["nap"], 0)
    third = executor.submit(cell["nap"], 0.1)
    assert (str(second.status), str(second.secondary_status)) == ("InProgress", "Pending")
    assert second.name.startswith("nap-")
    assert second.cancel()
    assert second.cancelled()
    _, pending = concurrent.futures.wait([first, third], timeout=120)
    assert not pending
    assert [first.result(), third.result()] == [1.5, 0.1]
    assert not first.cancelled()
    assert first.cancel() is False
    executor.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(pow, 1, 1)


def test_a_stopped_job_raises_job_stopped_and_stop_is_idempotent(engine: str) -> None:
    cell = define("import time\n@remote(stream_logs=False)\ndef nap(s):\n    time.sleep(s)")
    job = cell["nap"].submit(60)
    wait_for(lambda: job.secondary_status == "Training")
    began = time.monotonic()
    job.stop()
    assert time.monotonic() - began < 30  # not as long as the function naps
    job.stop()
    assert isinstance(job.exception(timeout=120), JobStopped)
    job.stop()
    assert str(job.status) == "Stopped"
    assert not job.cancelled()


def test_a_job_over_its_limit_raises_timed_out() -> None:
    cell = define("import time\n@remote(stream_logs=False, max_runtime_in_seconds=1)\ndef nap(s):\n    time.sleep(s)")
    job = cell["nap"].submit(60)
    error = job.exception(timeout=120)
    assert isinstance(error, TimedOut)
    assert not isinstance(error, TimeoutError)
    assert str(job.secondary_status) == "MaxRuntimeExceeded"


def test_a_caller_that_waits_too_long_gets_a_timeout_and_the_job_goes_on() -> None:
    cell = define("import time\n@remote(stream_logs=False)\ndef nap(s):\n    time.sleep(s)\n    return s")
    job = cell["nap"].submit(1.5)
    with pytest.raises(TimeoutError, match=job.name):
        job.result(timeout=0.2)
    assert job.result(timeout=120) == 1.5


def test_a_job_knows_its_phases_log_and_description(engine: str) -> None:
    cell = define("@remote(stream_logs=False)\ndef talk():\n    print('one')\n    print('two', end='')\n    return 1")
    job = cell["talk"].submit()
    assert job.result(timeout=120) == 1
    lines = list(job.logs())
    assert lines[-2:] == ["one", "two"]
    assert list(job.logs(follow=True)) == lines
    names = [phase.name for phase in job.timeline()]
    assert names[0] == "Starting"
    assert names[-1] == "Completed"
    assert "Training" in names
    assert job.describe()["TrainingJobName"] == job.name
    assert job.arn.endswith(job.name.lower())
    assert job.model_uri is None


def test_models_and_output_are_saved_where_sagemaker_expects_them(engine: str, tmp_path: Path) -> None:
    cell = define(
        """
        import os
        from pathlib import Path

        @remote(stream_logs=False, hyperparameters={"epochs": 3})
        def save():
            Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text("weights")
            Path(os.environ["SM_OUTPUT_DATA_DIR"], "plots").mkdir()
            Path(os.environ["SM_OUTPUT_DATA_DIR"], "plots", "a.txt").write_text("plot")
            return os.environ["SM_HPS"], os.environ["SM_NUM_GPUS"]
        """
    )
    job = cell["save"].submit()
    hyperparameters, gpus = job.result(timeout=120)
    assert '"epochs"' in hyperparameters
    assert gpus == "0"
    assert job.model_uri == f"s3://sm-remote-local/sm_remote/jobs/{job.name}/output/model"
    assert (job.download_model(tmp_path / "m") / "model.txt").read_text() == "weights"
    assert (job.download_output(tmp_path / "o") / "plots" / "a.txt").read_text() == "plot"
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["plots"]


def test_a_second_call_with_the_same_data_uploads_nothing() -> None:
    import numpy as np

    cell = define("@remote(stream_logs=False)\ndef total(a):\n    return float(a.sum())")
    array = np.arange(2_000_000, dtype=float)
    assert cell["total"](array) == array.sum()
    store = Path(os.environ["SM_REMOTE_HOME"]) / "store" / "sm-remote-local" / "sm_remote" / "blobs"
    before = {path.name for path in store.iterdir()}
    assert cell["total"](array) == array.sum()
    assert {path.name for path in store.iterdir()} == before


def test_a_blob_that_was_altered_is_refused_and_stored_anew_by_the_next_call(home: Home) -> None:
    size = remote(stream_logs=False)(len)
    text = "z" * 1_000_000
    assert size(text) == 1_000_000
    blob = next(path for path in home.store.rglob("blobs/*") if b"z" * 1000 in path.read_bytes())
    altered = blob.read_bytes().replace(b"z" * 9, b"y" * 9, 1)
    blob.chmod(0o600)
    blob.write_bytes(altered)
    with pytest.raises(CorruptBlob):
        size(text)
    assert size(text) == 1_000_000


def test_attach_works_from_another_process_after_the_first_was_killed(engine: str) -> None:
    script = """
        import os, time
        from sm_remote import remote
        @remote(stream_logs=False)
        def nap(s):
            time.sleep(s)
            print("rested")
            return {"slept": s}
        job = nap.submit(1.5)
        print(job.name, flush=True)
        os.kill(os.getpid(), 9)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120, check=False
    )
    name = ended.stdout.strip()
    assert name, ended.stderr
    job = attach(name)
    assert job.result(timeout=120) == {"slept": 1.5}
    assert "rested" in list(job.logs())


def test_attach_to_an_unknown_name_offers_close_matches() -> None:
    job = define("@remote(stream_logs=False)\ndef quick(): return 1")["quick"].submit()
    job.result(timeout=120)
    with pytest.raises(JobNotFound, match=job.name):
        attach(job.name[:-1])


def test_unknown_settings_and_instance_types_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="instance_type"):
        remote(instance_typ="ml.m5.large")
    with pytest.raises(ConfigError, match=r"ml\.m5\.large"):
        define("@remote(instance_type='ml.m5.lage')\ndef f(): return 1")["f"]()


def test_a_gpu_type_is_refused_on_a_host_without_gpu() -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this host has a GPU")
    with pytest.raises(ConfigError, match=r"this machine has no NVIDIA GPU") as caught:
        define("@remote(instance_type='ml.g5.xlarge')\ndef draw_frames(): return 1")["draw_frames"]()
    assert 'instance_type="ml.m5.xlarge"' in caught.value.fix
    assert list_jobs(name_contains="draw-frames") == []


def test_options_make_another_function_and_local_runs_here(capsys: pytest.CaptureFixture[str]) -> None:
    cell = define(
        "import os\n@remote(stream_logs=False)\ndef where():\n    return os.getpid(), os.environ['SM_MODEL_DIR']"
    )
    where = cell["where"]
    pid, model_dir = where.local()
    assert pid == os.getpid()
    assert model_dir in capsys.readouterr().err
    other = where.options(environment_variables={"A": "1"})
    assert other is not where
    assert other()[1] != model_dir


def test_nothing_is_touched_at_decoration(tmp_path: Path) -> None:
    script = """
        import os, sys
        os.environ["SM_REMOTE_HOME"] = sys.argv[1]
        from sm_remote import remote
        @remote(instance_type="ml.m5.large")
        def f(): return 1
        loaded = [name for name in ("boto3", "docker", "tornado") if name in sys.modules]
        print(loaded, os.path.exists(sys.argv[1]))
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "home")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ended.stdout.strip() == "[] False"


def test_explain_lists_what_travels_without_sending_it() -> None:
    import numpy as np

    cell = define("@remote\ndef total(a):\n    return a.sum()")
    text = str(cell["total"].explain(np.zeros(300_000)))
    assert "numpy" in text
    assert "a" in text
    assert "2.4 MB" in text or "2.3 MiB" in text


def test_a_job_reads_local_data_that_is_sent_once(engine: str, tmp_path: Path) -> None:
    (tmp_path / "da ta" / "sub").mkdir(parents=True)
    (tmp_path / "da ta" / "sub" / "ü.txt").write_text("7")
    cell = define(
        """
        @remote(stream_logs=False)
        def read():
            import os
            with open(os.environ["SM_CHANNEL_TRAIN"] + "/sub/ü.txt") as file:
                return file.read()
        """
    )
    read = cell["read"].options(inputs={"train": tmp_path / "da ta"})
    first, second = read.submit(), read.submit()
    assert (first.result(timeout=120), second.result(timeout=120)) == ("7", "7")
    places = [job.describe()["InputDataConfig"][-1]["DataSource"]["S3DataSource"]["S3Uri"] for job in (first, second)]
    assert places[0] == places[1]
    with pytest.raises(ConfigError, match="'train'"):
        read.options(inputs={"train": tmp_path / "nothing"}).submit()


def test_a_module_beside_the_script_travels_and_its_decorated_functions_run_in_place(tmp_path: Path) -> None:
    package = tmp_path / "my project"
    (package / "shop" / "goods").mkdir(parents=True)
    (package / "shop" / "__init__.py").write_text("")
    (package / "shop" / "goods" / "__init__.py").write_text("from shop.goods.price import price\n")
    (package / "shop" / "goods" / "price.py").write_text(
        "from sm_remote import remote\n@remote\ndef price(x):\n    return x * 3\n"
    )
    (package / "main.py").write_text(
        "from sm_remote import remote\nfrom shop.goods import price\n"
        "@remote(stream_logs=False)\ndef bill(x):\n    return price(x) + 1\n"
        "if __name__ == '__main__':\n    print(bill(4))\n"
    )
    ended = subprocess.run(
        [sys.executable, str(package / "main.py")], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.stdout.strip().splitlines()[-1:] == ["13"], ended.stderr
    assert sorted(path.name for path in package.rglob("*") if "__pycache__" not in path.parts) == sorted(
        ["goods", "__init__.py", "__init__.py", "price.py", "main.py", "shop"]
    )


def test_public_names_are_what_the_package_lists() -> None:
    for name in sm_remote.__all__:
        assert getattr(sm_remote, name) is not None


def wait_for(condition: Any, limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)
