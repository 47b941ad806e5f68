"""A function's checkpoints in a job: the package that travels has them, and an interrupted loop gives no value."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from tests.integration.runtime.driver import terminate, wait_for


def count(n, ready=None):
    import pathlib
    import time

    from sm_remote import checkpoint

    with checkpoint("state") as ckpt:
        done = ckpt.load(default=[])
        for step in range(len(done), n):
            done.append(step)
            ckpt.save(done, step=step)
            while ready and len(done) == n - 1 and not ckpt.interrupted:
                pathlib.Path(ready).touch()
                time.sleep(0.005)
            if ckpt.interrupted:
                print("left with", len(done), "and", 100 < ckpt.grace_left_s <= 120)
                break
    print("saving the model")
    return done


def test_an_interrupted_loop_saves_and_leaves_and_the_next_attempt_goes_on(tree):
    ready = tree.root / "ready"
    launch = tree.prepare(count, 6, str(ready))
    process = tree.start(launch)
    wait_for(ready.exists)
    terminate(process)
    ended = tree.finish(launch, process)
    assert ended.lines == ["left with 5 and True", "saving the model"]
    assert (ended.exit_code, ended.outcome) == (143, None)
    assert ended.failure.startswith("Interrupted: the job was told to end (SIGTERM)")

    shutil.rmtree(tree.root / "output")
    again = tree.run(count, 6)
    assert again.value == [0, 1, 2, 3, 4, 5]
    assert "checkpoint 'state': goes on from step 4" in again.stderr
    assert "1 saved in" in again.stderr


def test_a_killed_one_goes_on_from_its_last_checkpoint(tree):
    ready = tree.root / "ready"
    launch = tree.prepare(count, 4, str(ready))
    process = tree.start(launch)
    wait_for(ready.exists)
    child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    os.kill(int(child), signal.SIGKILL)
    assert tree.finish(launch, process).exit_code == 128 + signal.SIGKILL
    (tree.root / "output" / "failure").unlink()
    assert tree.run(count, 4).value == [0, 1, 2, 3]


def test_another_function_does_not_take_it_up(tree):
    def other():
        from sm_remote import checkpoint

        with checkpoint("state"):
            return "began"

    ready = tree.root / "ready"
    launch = tree.prepare(count, 2, str(ready))
    process = tree.start(launch)
    wait_for(ready.exists)
    terminate(process)
    tree.finish(launch, process)
    (tree.root / "output" / "failure").unlink()
    ended = tree.run(other)
    assert type(ended.error).__name__ == "CheckpointError"
    assert "another function's: count's" in str(ended.error)


def test_the_names_of_checkpoints_can_be_globals_of_the_function(tree):
    from sm_remote import CheckpointLocation, checkpoint

    def train(location):
        import os

        with checkpoint("a") as ckpt:
            ckpt.save(1)
            return str(ckpt.directory.parent) == os.fspath(location)

    assert tree.run(train, CheckpointLocation("s3://bucket/prefix")).value is True


def test_a_job_on_spot_capacity_without_a_checkpoint_says_so_once(tree):
    def wait(path):
        import pathlib
        import time

        while not pathlib.Path(path).exists():
            time.sleep(0.01)

    go_on = tree.root / "go-on"
    launch = tree.prepare(wait, str(go_on))
    process = tree.start(launch, SM_REMOTE_CHECKPOINT_WATCH="0.1,0.1")
    line = process.stderr.readline()
    go_on.touch()
    ended = tree.finish(launch, process)
    assert line.startswith("sm_remote: no checkpoint yet after 0 s on spot capacity")
    assert ended.exit_code == 0
    assert "no checkpoint" not in ended.stderr
