"""How long after a job's end its caller goes on, and what ``import sm_remote`` costs and loads.

The lag is taken from the function's own last instant in the job (job and caller share the clock) to the return of the
blocking call, so it holds everything between: pickling and publishing the outcome, the service noticing, the client
noticing, verifying and loading.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time

from measure import describe_machine, quantile, show_figure, state_of_its_own

from sm_remote import remote

CALLS = 40
IMPORTS = 21
UNWANTED = ("boto3", "botocore", "docker", "cloudpickle", "tornado", "IPython", "traitlets", "click", "tqdm")

_TIMED_IMPORT = """
import json, sys, time
before = set(sys.modules)
began = time.perf_counter()
{statement}
took = time.perf_counter() - began
print(json.dumps([took, sorted(set(sys.modules) - before)]))
"""


@remote(instance_type="ml.m5.large", stream_logs=False)
def work(seconds: float) -> float:
    """Works for a while; returns the moment of its end."""
    time.sleep(seconds)
    return time.time()


def measure_lag(engine: str) -> None:
    draw = random.Random(0)
    with state_of_its_own(engine):
        work(0.0), work(0.0)
        lags = []
        for _ in range(CALLS):
            ended = work(draw.uniform(0.05, 0.6))
            lags.append(time.time() - ended)
    print(f"\nLag from the function's end to the call's return, engine {engine!r}, {CALLS} calls")
    print(f"  p50 {1000 * quantile(lags, 0.5):.0f} ms, worst {1000 * max(lags):.0f} ms")
    show_figure("p95", quantile(lags, 0.95), 0.2, "s")


def time_import(statement: str) -> tuple[float, set[str]]:
    program = _TIMED_IMPORT.format(statement=statement)
    times, loaded = [], []
    for _ in range(IMPORTS):
        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        seconds, loaded = json.loads(done.stdout)
        times.append(seconds)
    return quantile(times, 0.5), set(loaded)


def measure_import() -> None:
    print(f"\nImports in a fresh interpreter, medians of {IMPORTS}")
    seconds, loaded = time_import("import sm_remote")
    show_figure("import sm_remote", seconds, 0.15, "s")
    print(f"  it loads: {', '.join(sorted(loaded))}")
    found = loaded & set(UNWANTED)
    print(f"  of {', '.join(UNWANTED)}: {', '.join(sorted(found)) or 'none'}")
    seconds, loaded = time_import("from sm_remote import remote")
    found = loaded & set(UNWANTED)
    print(f"  from sm_remote import remote: {seconds:.3f} s; of those: {', '.join(sorted(found)) or 'none'}")


if __name__ == "__main__":
    print(describe_machine())
    measure_import()
    measure_lag("process")
    measure_lag("docker")
