"""A checkpoint is whole or not there, whatever happens while it is saved."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sm_remote.checkpoints import writer
from sm_remote.checkpoints.checkpoint import Checkpoint, checkpoint
from sm_remote.checkpoints.layout import FILES, MANIFEST, STATE, UPLOADED, UPLOADING
from sm_remote.errors import CheckpointError
from tests.checkpoint_places import build_place


class Time:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def open_checkpoint(tmp_path, name="state", *, time=None, keep=2, best="smallest", resume=None, shared=False, **place):
    clock = time or Time()
    return Checkpoint(
        name,
        build_place(tmp_path, **place),
        keep=keep,
        best=best,
        resume=resume,
        shared=shared,
        clock=clock,
        now=clock,
    )


def list_steps(directory: Path) -> list[int]:
    from sm_remote.checkpoints.generation import list_generations

    return [each.manifest.step for each in list_generations(directory)[0]]


class Killed(BaseException):
    """What ends a run without its end being noted, as a kill does."""


@contextmanager
def killed(ckpt):
    """Opens a checkpoint, and leaves it as a kill does."""
    with suppress(Killed), ckpt as opened:
        yield opened
        raise Killed


def save_all(tmp_path, states, **options):
    """Saves some states and is killed."""
    with killed(open_checkpoint(tmp_path, **options)) as ckpt:
        for step, state in enumerate(states):
            ckpt.save(state, step=step)


def newest(directory: Path) -> Path:
    return sorted(path for path in directory.iterdir() if path.name[0].isdigit())[-1]


# -- loading --------------------------------------------------------------------------------------------------------


def test_without_one_there_is_the_default(tmp_path):
    with open_checkpoint(tmp_path) as ckpt:
        assert ckpt.load(default="start") == "start"
        assert (ckpt.step, ckpt.restored, ckpt.saves) == (None, None, 0)


def test_what_was_saved_last_is_loaded(tmp_path, capsys):
    time = Time()
    save_all(tmp_path, [{"a": 1}, {"a": 2}], time=time)
    time.now_s += 42
    with open_checkpoint(tmp_path, time=time) as ckpt:
        assert ckpt.load(default=None) == {"a": 2}
        assert ckpt.step == 1
    assert "checkpoint 'state': goes on from step 1, saved 42 s ago\n" in capsys.readouterr().err


def test_within_the_block_the_newest_saved_is_loaded(tmp_path):
    with open_checkpoint(tmp_path) as ckpt:
        ckpt.save([1])
        assert ckpt.load() == [1]


@pytest.mark.parametrize("damage", ["cut", "flip", "missing", "manifest cut", "manifest missing", "unreadable"])
def test_one_that_is_not_whole_gives_way_to_the_one_before(tmp_path, capsys, damage):
    save_all(tmp_path, ["one", "two", "three"])
    directory = newest(tmp_path / "state")
    file = directory / (MANIFEST if "manifest" in damage else STATE)
    content = file.read_bytes()
    if "missing" in damage:
        file.unlink()
    elif damage == "unreadable":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(content[:-1] if "cut" in damage else content[:80] + b"\0" + content[81:])
    with open_checkpoint(tmp_path) as ckpt:
        assert (ckpt.load(default=0), ckpt.step) == ("two", 1)
        ckpt.save("four", step=3)
        assert ckpt.load() == "four"
    assert "is not whole" in capsys.readouterr().err


def test_when_none_is_whole_there_is_the_default(tmp_path, capsys):
    save_all(tmp_path, ["one", "two"])
    for path in (tmp_path / "state").rglob(STATE):
        path.write_bytes(b"")
    with open_checkpoint(tmp_path) as ckpt:
        assert ckpt.load(default="start") == "start"
    assert capsys.readouterr().err.count("is not whole") == 2


def test_nothing_is_unpickled_before_it_is_checked(tmp_path):
    save_all(tmp_path, ["one"])
    trap = tmp_path / "trap"
    payload = newest(tmp_path / "state") / STATE
    content = payload.read_bytes()
    payload.write_bytes(content[:8] + b"cposix\nsystem\n(S'touch " + str(trap).encode() + b"'\ntR." + content[60:])
    with open_checkpoint(tmp_path) as ckpt:
        assert ckpt.load(default="start") == "start"
    assert not trap.exists()


def test_one_that_this_program_cannot_unpickle_is_said_and_not_thrown_away(tmp_path):
    class Gone:
        def __reduce__(self):
            return int, ("no number",)

    save_all(tmp_path, [Gone()])
    with pytest.raises(CheckpointError, match="cannot be loaded"), open_checkpoint(tmp_path) as ckpt:
        ckpt.load()
    assert list_steps(tmp_path / "state") == [0]


def test_the_best_can_be_loaded(tmp_path):
    with open_checkpoint(tmp_path, best="largest") as ckpt:
        for step, score in enumerate([0.1, 0.9, 0.5, float("nan"), 0.2]):
            ckpt.save(f"step {step}", step=step, metric=score)
        assert ckpt.load(best=True) == "step 1"
        assert ckpt.load() == "step 4"
    assert list_steps(tmp_path / "state") == [1, 4]


# -- runs -----------------------------------------------------------------------------------------------------------


def test_a_run_that_came_to_its_end_is_not_taken_up_by_the_next(tmp_path):
    with open_checkpoint(tmp_path) as ckpt:
        ckpt.save("end", step=9)
    with open_checkpoint(tmp_path) as ckpt:  # the same job, interrupted between its loop and its end
        assert ckpt.load(default="start") == "end"
    with open_checkpoint(tmp_path, run="train-2") as ckpt:
        assert ckpt.load(default="start") == "start"
        ckpt.save("new", step=0)
    assert list_steps(tmp_path / "state") == [0]


def test_a_run_that_failed_is_taken_up_by_the_next(tmp_path, capsys):
    with suppress(ZeroDivisionError), open_checkpoint(tmp_path) as ckpt:
        ckpt.save("half", step=4)
        _ = 1 / 0
    with open_checkpoint(tmp_path, run="train-2") as ckpt:
        assert ckpt.load(default="start") == "half"
    assert "by train-1" in capsys.readouterr().err


def test_without_resume_a_run_goes_on_from_its_own_alone_and_leaves_the_others(tmp_path):
    save_all(tmp_path, ["theirs"])
    save_all(tmp_path, ["mine"], run="train-2", resume=False)
    with open_checkpoint(tmp_path, run="train-2", resume=False) as ckpt:
        assert ckpt.load(default="start") == "mine"
        ckpt.save("more", step=1)
        ckpt.save("more", step=2)
    assert list_steps(tmp_path / "state") == [0, 1, 2]
    with open_checkpoint(tmp_path, run="train-3", resume=False) as ckpt:
        assert ckpt.load(default="start") == "start"


def test_another_functions_checkpoints_are_refused_and_stay(tmp_path):
    save_all(tmp_path, ["theirs"], function="evaluate")
    with pytest.raises(CheckpointError) as caught, open_checkpoint(tmp_path, run="train-2"):
        pass
    assert "evaluate" in str(caught.value)
    assert "resume=False" in caught.value.fix
    with open_checkpoint(tmp_path, run="train-2", resume=False) as ckpt:
        ckpt.save("mine", step=5)
    assert list_steps(tmp_path / "state") == [0, 5]


def test_a_function_of_the_same_name_from_elsewhere_takes_nothing_up_unless_it_is_told_to(tmp_path):
    save_all(tmp_path, ["theirs"], home="a.ipynb")
    elsewhere = {"run": "train-2", "home": "b.ipynb"}
    with pytest.raises(CheckpointError, match=r"train of a\.ipynb's, and this is train of b\.ipynb") as caught:
        open_checkpoint(tmp_path, **elsewhere).__enter__()
    assert "resume=True takes it up" in caught.value.fix
    with open_checkpoint(tmp_path, adopts=True, **elsewhere) as ckpt:
        assert ckpt.load() == "theirs"
        ckpt.save("mine", step=1)
        assert list_steps(tmp_path / "state") == [0, 1]


def test_a_number_is_never_used_twice(tmp_path):
    save_all(tmp_path, ["one", "two"])
    (newest(tmp_path / "state") / MANIFEST).unlink()
    save_all(tmp_path, ["three"])
    names = [path.name for path in (tmp_path / "state").iterdir() if path.name[0].isdigit()]
    assert sorted(name[:8] for name in names) == ["00000001", "00000003"]


def test_a_manifest_knows_who_opened_the_checkpoint_before(tmp_path):
    from sm_remote.checkpoints.generation import list_generations

    time = Time()
    for _ in range(3):
        save_all(tmp_path, ["a"], time=time)
        time.now_s += 10
    manifest = list_generations(tmp_path / "state")[0][-1].manifest
    assert [(each.at, each.resumed_at, each.step) for each in manifest.openings] == [
        (1000.0, None, None),
        (1010.0, 1000.0, 0),
        (1020.0, 1010.0, 0),
    ]


# -- saving ---------------------------------------------------------------------------------------------------------


def test_saving_can_be_throttled(tmp_path):
    time = Time()
    with open_checkpoint(tmp_path, time=time) as ckpt:
        assert ckpt.save(0, step=0, every_s=60)
        time.now_s += 59
        assert not ckpt.save(1, step=1, every_s=60)
        assert ckpt.save(2, step=2)
        time.now_s += 60
        assert ckpt.save(3, step=3, every_s=60)
        assert ckpt.saves == 3
    assert list_steps(tmp_path / "state") == [2, 3]


def test_what_saving_costs_is_counted_and_said(tmp_path, capsys):
    time = Time()

    class Slow:
        def __reduce__(self):
            time.now_s += 3
            return Slow, ()

    with open_checkpoint(tmp_path, time=time) as ckpt:
        ckpt.save(Slow())
        ckpt.save(Slow())
        time.now_s += 54
        assert (ckpt.saves, ckpt.saving_s) == (2, 6.0)
    assert "2 saved in 6.0 s, 10.0 % of 60 s" in capsys.readouterr().err


def test_of_a_moments_work_no_share_is_said(tmp_path, capsys):
    with open_checkpoint(tmp_path, time=Time()) as ckpt:
        ckpt.save(1)
    assert capsys.readouterr().err.endswith("1 saved in 0.0 s\n")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_full_disk_leaves_the_generation_before(tmp_path, monkeypatch, code, at):
    """The disk is full at the first, second or third file that is synced."""
    save_all(tmp_path, ["one", "two"])
    left = [at]
    fsync = os.fsync

    def run_full(descriptor: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    with open_checkpoint(tmp_path) as ckpt:
        monkeypatch.setattr(writer.os, "fsync", run_full)
        with pytest.raises(CheckpointError, match=r"the disk is full\. The generation before it stays\.") as caught:
            ckpt.save("three", step=2)
        monkeypatch.undo()
        assert "volume_size" in caught.value.fix
        assert ckpt.load() == "two"
        assert ckpt.save("four", step=3)
    assert list_steps(tmp_path / "state")[-1] == 3
    assert not [path for path in (tmp_path / "state").rglob("*") if path.name.startswith(STATE + ".")]


def test_a_file_that_grows_over_the_systems_limit_is_a_full_disk_too(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with open_checkpoint(tmp_path) as ckpt:
            ckpt.save(b"small", step=0)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
            with pytest.raises(CheckpointError, match="the disk is full"):
                ckpt.save(os.urandom(1 << 17), step=1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert ckpt.load() == b"small"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_state_that_cannot_be_pickled_leaves_the_generation_before(tmp_path):
    with open_checkpoint(tmp_path) as ckpt:
        ckpt.save("one")
        with pytest.raises(TypeError):
            ckpt.save(threading.Lock())
        assert ckpt.load() == "one"
    assert len([path for path in (tmp_path / "state").iterdir() if path.name[0].isdigit()]) == 1


def test_saving_nothing_is_refused(tmp_path):
    with open_checkpoint(tmp_path) as ckpt, pytest.raises(ValueError, match="no state"):
        ckpt.save(step=1)


def test_saving_outside_of_the_block_is_refused(tmp_path):
    ckpt = open_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="not open"):
        ckpt.save("a")


def test_two_processes_cannot_save_under_one_name(tmp_path):
    with open_checkpoint(tmp_path), pytest.raises(CheckpointError, match=f"in process {os.getpid()}") as caught:
        open_checkpoint(tmp_path).__enter__()
    assert "name of its own" in caught.value.fix
    with open_checkpoint(tmp_path), open_checkpoint(tmp_path, "other"):
        pass


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".", "a" * 101, "ä", "a\n", "x.sagemaker-ignore"])
def test_a_name_is_a_directorys(tmp_path, name):
    with pytest.raises(ValueError, match="cannot be called"):
        open_checkpoint(tmp_path, name)


@pytest.mark.parametrize("options", [{"keep": 0}, {"best": "min"}])
def test_wrong_options_are_refused(tmp_path, options):
    with pytest.raises(ValueError):
        open_checkpoint(tmp_path, **options)


def test_a_place_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be opened"):
        open_checkpoint(tmp_path / "file" / "deeper").__enter__()


# -- a framework's files --------------------------------------------------------------------------------------------


def test_what_a_framework_saves_is_published_and_found_again(tmp_path):
    with killed(open_checkpoint(tmp_path)) as ckpt:
        (ckpt.path / "checkpoint-5").mkdir()
        (ckpt.path / "checkpoint-5" / "model.bin").write_bytes(b"weights")
        (ckpt.path / "a.tmp.sagemaker-ignore").write_bytes(b"not this")
        ckpt.save(step=5)
        assert list(ckpt.path.iterdir()) == []
        (ckpt.path / "half").write_bytes(b"not saved")
    with open_checkpoint(tmp_path) as ckpt:
        assert ckpt.restored is not None
        assert sorted(path.name for path in ckpt.restored.rglob("*")) == ["checkpoint-5", "model.bin"]
        assert ckpt.load_file("checkpoint-5/model.bin", Path.read_bytes) == b"weights"
        assert ckpt.load(default="none") == "none"
        assert list(ckpt.path.iterdir()) == []
        with pytest.raises(FileNotFoundError):
            ckpt.load_file("other", Path.read_bytes)


def test_a_torn_file_of_a_framework_is_noticed(tmp_path):
    with killed(open_checkpoint(tmp_path)) as ckpt:
        for step in range(2):
            (ckpt.path / "model").write_bytes(b"weights")
            ckpt.save(step, step=step)
    (newest(tmp_path / "state") / FILES / "model").write_bytes(b"weight")
    with open_checkpoint(tmp_path) as ckpt:
        assert ckpt.load() == ckpt.step == 0


# -- S3 -------------------------------------------------------------------------------------------------------------


def mark(directory: Path, suffix: str) -> None:
    for path in [path for path in directory.rglob("*") if path.name in (STATE, MANIFEST)]:
        path.with_name(path.name + suffix).write_bytes(b"")


def test_what_has_reached_s3_stays_until_its_successor_has(tmp_path):
    time = Time()
    with open_checkpoint(tmp_path, time=time, synchronised=True) as ckpt:
        ckpt.save("0", step=0)
        mark(tmp_path / "state", UPLOADING)
        mark(tmp_path / "state", UPLOADED)
        for step in range(1, 6):
            time.now_s += 1000
            ckpt.save(str(step), step=step)
        assert list_steps(tmp_path / "state") == [0, 1, 4, 5]
        mark(tmp_path / "state", UPLOADED)
        ckpt.save("6", step=6)
    assert list_steps(tmp_path / "state") == [5, 6]


def test_without_marks_age_counts(tmp_path):
    time = Time()
    with open_checkpoint(tmp_path, time=time, synchronised=True) as ckpt:
        for step in range(200):
            ckpt.save(step, step=step)
            time.now_s += 1
            steps = list_steps(tmp_path / "state")
            assert len(steps) <= 4
            settled = [each for each in steps if each <= step - 60]
            assert step < 125 or (settled and step - settled[-1] <= 122)


def test_nothing_is_removed_while_it_is_uploaded(tmp_path):
    with open_checkpoint(tmp_path) as ckpt:
        ckpt.save(0, step=0)
        mark(tmp_path / "state", UPLOADING)
        for step in (1, 2, 3):
            ckpt.save(step, step=step)
        assert list_steps(tmp_path / "state") == [0, 2, 3]
        mark(newest(tmp_path / "state").parent, UPLOADED)
        ckpt.save(4, step=4)
    assert list_steps(tmp_path / "state") == [3, 4]


# -- ranks ----------------------------------------------------------------------------------------------------------

HOSTS = ("algo-1", "algo-2")


def test_each_host_has_generations_of_its_own_and_all_go_on_from_the_same_step(tmp_path):
    for rank in (0, 1):
        save_all(tmp_path, [f"{rank}-{step}" for step in range(3)], rank=rank, rank_names=HOSTS)
    newest(tmp_path / "state.algo-2").joinpath(STATE).unlink()
    for rank in (0, 1):
        with open_checkpoint(tmp_path, rank=rank, rank_names=HOSTS) as ckpt:
            assert ckpt.load() == f"{rank}-1"


def test_a_shared_one_is_saved_by_the_first_rank_and_loaded_by_all(tmp_path):
    with open_checkpoint(tmp_path, rank=0, rank_names=HOSTS, shared=True) as first:
        assert first.save("all", step=0)
        with open_checkpoint(tmp_path, rank=1, rank_names=HOSTS, shared=True) as second:
            assert second.load() == "all"
            assert not second.save("mine", step=1)
    assert list_steps(tmp_path / "state") == [0]


# -- the notice -----------------------------------------------------------------------------------------------------


def test_outside_of_a_job_and_a_decorated_function_it_lies_in_the_users_own_state(home):
    with checkpoint("state") as ckpt:
        ckpt.save(1)
        assert ckpt.directory.is_relative_to(home.data / "checkpoints")
        assert ckpt.directory.parent.stat().st_mode & 0o077 == 0
        assert ckpt.interrupted is False
        assert ckpt.grace_left_s is None


def test_what_was_restored_is_in_s3_already_and_makes_room_for_what_is_not(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    save_all(before, [0, 1, 2, 3], synchronised=True)
    # Another attempt: its platform restores all of it, and marks nothing.
    shutil.copytree(before, after)
    with killed(open_checkpoint(after, synchronised=True)) as ckpt:
        restored = ckpt.step
        for step in range(4, 8):
            ckpt.save(step, step=step)
        # The newest of the restored ones, until the first of this attempt's has arrived, and the two newest.
        assert list_steps(ckpt.directory) == [restored, 4, 6, 7]


def test_what_this_process_has_saved_was_not_restored(tmp_path):
    save_all(tmp_path, [0, 1], synchronised=True)
    with killed(open_checkpoint(tmp_path, synchronised=True)) as ckpt:
        for step in range(2, 6):
            ckpt.save(step, step=step)
        assert list_steps(ckpt.directory) == [0, 4, 5]
