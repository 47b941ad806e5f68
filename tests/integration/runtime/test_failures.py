"""Whatever a function does, a job without a value is a failed job, and says why."""

from __future__ import annotations

import sys
import traceback

import pytest


class TwoArguments(Exception):
    """Unpickling it calls it with one argument, which fails, unless somebody takes care."""

    def __init__(self, code, detail):
        super().__init__(f"{code}: {detail}")
        self.code = code


class Unpicklable(Exception):
    def __reduce__(self):
        raise TypeError("no way out")


class Unloadable(Exception):
    def __reduce__(self):
        return int, ("no number",)


class Broken(Exception):
    def __str__(self):
        raise RuntimeError


def raise_it(kind, *args):
    raise kind(*args)


def run_code(code):
    exec(code, {})


def test_an_exception_comes_back_as_itself_with_frames_lines_and_causes(tree):
    def outer():
        try:
            try:
                inner()
            except ZeroDivisionError as error:
                raise KeyError("no key") from error
        except KeyError:
            raise ValueError("bad value")  # noqa: B904 - this is the context

    def inner():
        return 1 / 0

    ended = tree.run(outer)
    assert ended.exit_code == 1
    error = ended.error
    assert (type(error), error.args) == (ValueError, ("bad value",))
    assert type(error.__context__) is KeyError
    assert type(error.__context__.__cause__) is ZeroDivisionError
    header = ended.header
    assert (header.kind, header.phase, header.pickled, header.note) == ("exception", "run", True, None)
    assert [(link.type, link.relation) for link in header.chain] == [
        ("builtins.ValueError", "raised"),
        ("builtins.KeyError", "context"),
        ("builtins.ZeroDivisionError", "cause"),
    ]
    raised, _, cause = header.chain
    assert [frame.name for frame in raised.frames] == ["outer"]
    assert [frame.name for frame in cause.frames] == ["outer", "inner"]
    assert cause.frames[-1].line == "return 1 / 0"
    assert cause.frames[-1].filename == __file__
    assert "def test_an_exception_comes_back" in header.sources[__file__]
    first, second = ended.failure.split("\n")
    assert first == "ValueError: bad value"
    assert second.startswith(f"at {__file__}:")
    assert second.endswith('in outer: raise ValueError("bad value")  # noqa: B904 - this is the context')
    assert "ZeroDivisionError: division by zero" in ended.stderr
    assert "sm_remote/" not in ended.stderr


def test_lines_of_a_notebook_cell_are_shown_in_the_job_too(tree):
    text = "def f():\n    raise ValueError(7)  # the cell\n"
    namespace = {"__name__": "__main__"}
    exec(compile(text, "/tmp/ipykernel_1/2.py", "exec"), namespace)
    ended = tree.run(namespace["f"], source_texts={"/tmp/ipykernel_1/2.py": text})
    assert ended.failure.endswith("at /tmp/ipykernel_1/2.py:2 in f: raise ValueError(7)  # the cell")
    assert ended.header.sources == {"/tmp/ipykernel_1/2.py": text}


def test_a_coroutines_traceback_starts_at_the_coroutine(tree):
    async def fail():
        raise ValueError

    ended = tree.run(fail, call="async")
    assert [frame.name for frame in ended.header.chain[0].frames] == ["fail"]
    assert ended.failure.startswith("ValueError\nat ")


def test_exceptions_keep_their_arguments_and_fields(tree):
    error = tree.run(raise_it, TwoArguments, 3, "x").error
    assert type(error) is TwoArguments
    assert (error.args, error.code) == (("3: x",), 3)
    assert sys.modules[TwoArguments.__module__] is not None


def test_an_os_error_comes_back_as_itself(tree):
    error = tree.run(raise_it, OSError, 256, "odd", "/a file").error
    assert (type(error), error.errno, error.filename) == (OSError, 256, "/a file")


@pytest.mark.parametrize(("code", "text"), [(0, "SystemExit: 0"), (3, "SystemExit: 3"), ("why", "SystemExit: why")])
def test_sys_exit_is_no_success(tree, code, text):
    ended = tree.run(sys.exit, code)
    assert ended.exit_code == 1
    assert ended.failure == f"{text} (the function called sys.exit() instead of returning)"
    assert ended.header.kind == "exception"
    assert type(ended.error) is SystemExit
    assert ended.error.code == code


def test_interrupts_and_generator_exits_are_endings_like_any_other(tree):
    assert type(tree.run(raise_it, KeyboardInterrupt).error) is KeyboardInterrupt


def test_a_generator_exit_is_an_ending_too(tree):
    ended = tree.run(raise_it, GeneratorExit, "x")
    assert type(ended.error) is GeneratorExit
    assert ended.failure.startswith("GeneratorExit: x\nat ")


@pytest.mark.parametrize("code", [0, 5])
def test_os_exit_is_no_success(tree, code):
    import os

    ended = tree.run(os._exit, code)
    assert ended.exit_code == 1
    assert ended.outcome is None
    assert ended.marker is None
    assert ended.failure.startswith(f"The function's process ended with exit code {code} before the function returned")


def test_a_crash_in_native_code_names_the_signal(tree):
    def crash():
        import ctypes

        ctypes.string_at(0)

    ended = tree.run(crash)
    assert ended.exit_code == 128 + 11
    assert "killed by SIGSEGV (Segmentation fault)" in ended.failure
    assert "in crash" in ended.stderr  # faulthandler's traceback
    assert ended.outcome is None


def test_a_kill_names_the_signal(tree):
    def kill():
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    ended = tree.run(kill)
    assert ended.exit_code == 137
    assert "killed by SIGKILL" in ended.failure


def test_an_exception_that_cannot_be_pickled_comes_as_text(tree):
    ended = tree.run(raise_it, Unpicklable, "text")
    header = ended.header
    assert not header.pickled
    assert "Unpicklable cannot be pickled: TypeError: no way out" in header.note
    assert header.chain[0].text == "text"
    with pytest.raises(LookupError):
        _ = ended.error


def test_an_exception_that_cannot_be_unpickled_leaves_its_text(tree):
    ended = tree.run(raise_it, Unloadable, "text")
    assert ended.header.pickled
    assert ended.header.chain[0].text == "text"
    with pytest.raises(ValueError, match="no number"):
        _ = ended.error


def test_an_exception_without_a_text_does_no_harm(tree):
    ended = tree.run(raise_it, Broken)
    assert "its text cannot be had: RuntimeError" in ended.failure
    assert type(ended.error) is Broken


def test_a_long_text_leaves_room_for_the_place(tree):
    ended = tree.run(raise_it, ValueError, "é" * 5000)
    assert len(ended.failure) <= 1024
    assert ended.failure.startswith("ValueError: ééé")
    assert "in raise_it: raise kind(*args)" in ended.failure
    assert len(ended.header.chain[0].text) == 5000


def test_a_result_that_cannot_be_pickled_is_named(tree):
    def make():
        import threading

        return {"data": [1, {"model": threading.Lock()}]}

    ended = tree.run(make)
    assert ended.exit_code == 1
    assert ended.header.phase == "result"
    error = ended.error
    assert type(error).__name__ == "JobFailed"
    assert "result['data'][1]['model'] is a _thread.lock, which cannot be pickled" in str(error)
    assert ended.failure.startswith(
        "sm_remote.errors.JobFailed: The result of make cannot be sent back: result['data']"
    )


def test_a_memory_error_is_reported_although_memory_is_short(tree):
    def grow():
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))
        return bytes(300 << 20)

    ended = tree.run(grow)
    assert ended.exit_code == 1
    assert type(ended.error) is MemoryError
    assert ended.failure.startswith("MemoryError\nat ")


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.close(1)",
        "import os; os.close(0); os.close(1); os.close(2); print('lost', end='')",
        "import sys; sys.stdout.close(); sys.stderr.close()",
        "import sys; sys.stdout = sys.stderr = None",
    ],
)
def test_closed_streams_cost_nothing_but_their_output(tree, code):
    ended = tree.run(run_code, code)
    assert ended.value is None
    assert ended.marker is not None


def test_a_thread_that_goes_on_does_not_hold_up_the_job(tree):
    def leave():
        import threading
        import time

        threading.Thread(target=time.sleep, args=(60,), daemon=False).start()
        return 1

    assert tree.run(leave).value == 1


def test_exit_handlers_still_run(tree):
    def register():
        import atexit

        atexit.register(print, "flushed")

    ended = tree.run(register)
    assert ended.lines == ["flushed"]


def test_a_fork_that_comes_back_does_not_report_twice(tree):
    def fork():
        import os

        child = os.fork()
        if child:
            os.waitpid(child, 0)
        return child

    assert tree.run(fork).value > 0


def test_a_module_that_is_missing_is_named(tree):
    ended = tree.run(run_code, "import not_there.at_all")
    assert ended.header.missing_module == "not_there"
    assert type(ended.error) is ModuleNotFoundError


def test_a_module_that_is_missing_for_loading_is_named_too(tree):
    ended = tree.run(pytest.raises)
    assert ended.header.missing_module == "_pytest"
    assert ended.header.phase == "load"
    assert ended.failure == "ModuleNotFoundError: No module named '_pytest'"


def test_the_functions_own_failure_text_is_kept(tree):
    def fail():
        import os
        import pathlib

        pathlib.Path(os.environ["SM_OUTPUT_DIR"], "failure").write_text("disk of unobtainium")
        raise ValueError

    assert tree.run(fail).failure == "disk of unobtainium"


def test_deep_recursion_is_reported_in_a_bearable_length(tree):
    def dive():
        dive()

    ended = tree.run(dive)
    assert type(ended.error) is RecursionError
    assert len(ended.header.chain[0].frames) <= 200


def test_the_printed_traceback_is_pythons_own_between_marks(tree):
    def fail():
        raise ValueError("x")

    ended = tree.run(fail)
    try:
        fail()
    except ValueError:
        here = traceback.format_exc().splitlines()
    raised, *told, end = ended.stderr.splitlines()
    assert told[0] == here[0]
    assert told[-3:] == here[-3:]
    assert raised.startswith("sm_remote display ")
    assert raised.endswith('["raised",0,""]')
    assert end.endswith('["told",0,""]')


def test_a_result_that_the_disk_has_no_room_for_is_said_to_be_unwritten(tree):
    def fill():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        return bytes(1_000_000)

    ended = tree.run(fill)
    assert ended.exit_code == 1
    assert ended.failure.startswith("sm_remote.errors.JobFailed: The result of fill could not be written.\nOSError: ")
    assert type(ended.error).__name__ == "JobFailed"


def test_a_source_line_of_any_length_is_cut(tree):
    text = f"def f():\n    raise ValueError('{'x' * 200_000}')\n"
    namespace = {"__name__": "__main__"}
    exec(compile(text, "cell", "exec"), namespace)
    ended = tree.run(namespace["f"], source_texts={"cell": text})
    assert ended.exit_code == 1
    assert len(ended.failure) <= 1024
    assert len(ended.header.chain[0].frames[0].line) == 1000
