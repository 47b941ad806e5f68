from __future__ import annotations

import signal

from tests.integration.runtime.driver import terminate, wait_for


def test_a_stop_reaches_the_function_which_may_still_return(tree):
    def wait(path):
        import pathlib
        import signal
        import time

        stopped = []
        signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
        pathlib.Path(path).touch()
        while not stopped:
            time.sleep(0.005)
        return "saved"

    ready = tree.root / "ready"
    launch = tree.prepare(wait, str(ready))
    process = tree.start(launch)
    wait_for(ready.exists)
    terminate(process)
    assert tree.finish(launch, process).value == "saved"


def test_a_stop_ends_a_function_that_does_not_listen(tree):
    def wait(path):
        import pathlib
        import time

        pathlib.Path(path).touch()
        time.sleep(60)

    ready = tree.root / "ready"
    launch = tree.prepare(wait, str(ready))
    process = tree.start(launch)
    wait_for(ready.exists)
    terminate(process)
    ended = tree.finish(launch, process)
    assert ended.exit_code == 128 + signal.SIGTERM
    assert ended.failure.startswith("The function's process was killed by SIGTERM (Terminated)")


def test_an_interrupt_is_raised_in_the_function(tree):
    def wait(path):
        import pathlib
        import time

        pathlib.Path(path).touch()
        time.sleep(60)

    ready = tree.root / "ready"
    launch = tree.prepare(wait, str(ready))
    process = tree.start(launch)
    wait_for(ready.exists)
    process.send_signal(signal.SIGINT)
    assert type(tree.finish(launch, process).error) is KeyboardInterrupt
