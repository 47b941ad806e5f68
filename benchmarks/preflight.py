"""What a preflight costs: a function that has nothing to prove, one that was proved, and a proof with warm files.

Measured without a job: capture alone, with preflight and without, in turns.
"""

from __future__ import annotations

import platform
import shutil
import statistics
import tempfile
from typing import Any

from measure import describe_machine, show_figure, show_times, take_turns

from sm_remote.capture import preflight
from sm_remote.capture.call import capture_call
from sm_remote.capture.interpreter import TargetPython
from sm_remote.capture.runtime_zip import build_runtime_zip
from sm_remote.home import LOCAL_BUCKET, Home, find_home
from sm_remote.storage.embedded import EmbeddedStore

ROUNDS = 15

_CELL = """
import pandas
import sklearn.linear_model as models

def trivial(x):
    return x

def fit(x):
    return pandas.DataFrame({"x": [x]}), models.LinearRegression()
"""


def forget(home: Home) -> None:
    """What was proved is not known any more, to this process or on this machine."""
    preflight._proved.clear()
    shutil.rmtree(home.cache / "proofs", ignore_errors=True)


def measure(home: Home) -> None:
    cell: dict[str, Any] = {"__name__": "__main__"}
    exec(_CELL, cell)
    options: dict[str, Any] = {
        "store": EmbeddedStore(home.store, bucket=LOCAL_BUCKET, prefix="sm_remote"),
        "home": home,
        "dependencies": "auto",
        "python": TargetPython(version=platform.python_version(), same_as_host=True),
        "runtime": build_runtime_zip(),
    }

    def capture(name: str, *, checked: bool) -> None:
        capture_call(cell[name], (1,), {}, preflight=checked, **options)

    def prove() -> None:
        forget(home)
        capture("fit", checked=True)

    capture("fit", checked=True)  # makes the layer
    times = take_turns(
        {
            "nothing to prove, without": lambda: capture("trivial", checked=False),
            "nothing to prove, with": lambda: capture("trivial", checked=True),
        },
        rounds=20 * ROUNDS,
    )
    show_times(f"Capture, medians of {20 * ROUNDS}", times)
    without, checked = (statistics.median(times[f"nothing to prove, {word}"]) for word in ("without", "with"))
    show_figure("nothing to prove costs", 1000 * (checked - without), 0.1, "ms")
    times = take_turns(
        {
            "proved before, without": lambda: capture("fit", checked=False),
            "proved before, with": lambda: capture("fit", checked=True),
        },
        rounds=20 * ROUNDS,
    )
    show_times("Capture of a function that needs pandas and scikit-learn", times)
    proofs = take_turns({"proof": prove}, rounds=ROUNDS)
    show_times("The same, proved anew, files warm", proofs)
    show_figure("a proof", statistics.median(proofs["proof"]), 3, "s")


if __name__ == "__main__":
    print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="sm_remote-bench-", ignore_cleanup_errors=True) as directory:
        measure(find_home({"SM_REMOTE_HOME": directory}))
