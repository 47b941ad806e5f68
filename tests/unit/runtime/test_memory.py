from __future__ import annotations

from pathlib import Path

import pytest

from sm_remote.runtime.memory import ControlGroup, read_process_peak_bytes
from sm_remote.runtime.supervise import explain_death

VERSION_1 = {
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "memory.limit_in_bytes": "1073741824\n",
    "memory.max_usage_in_bytes": "1073700000\n",
}
VERSION_2 = {
    "memory.events": "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n",
    "memory.max": "1073741824\n",
    "memory.peak": "1073700000\n",
}


def write_group(directory: Path, files: dict[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)


@pytest.mark.parametrize(
    ("place", "membership", "files"),
    [
        ("memory/docker/abc", "11:cpu:/x\n4:memory:/docker/abc\n", VERSION_1),
        ("memory", "4:memory,hugetlb:/docker/not-seen-inside\n", VERSION_1),
        ("system.slice/job", "0::/system.slice/job\n", VERSION_2),
        (".", "0::/\n", VERSION_2),
        (".", None, VERSION_2),
    ],
)
def test_both_versions_of_control_groups_are_read_inside_and_outside_of_containers(tmp_path, place, membership, files):
    write_group(tmp_path / "cgroup" / place, files)
    if membership is not None:
        (tmp_path / "membership").write_text(membership)
    group = ControlGroup(str(tmp_path / "cgroup"), str(tmp_path / "membership"))
    assert group.count_oom_kills() == 2
    assert group.describe_use() == "(limit 1073741824 bytes, peak 1073700000 bytes)"


@pytest.mark.parametrize("files", [{"memory.max": "max\n"}, {"memory/memory.limit_in_bytes": "9223372036854771712\n"}])
def test_no_limit_is_no_limit(tmp_path, files):
    (tmp_path / "memory").mkdir()
    write_group(tmp_path, files)
    group = ControlGroup(str(tmp_path), str(tmp_path / "none"))
    assert group.read_limit_bytes() is None
    assert group.describe_use() == ""


def test_a_kill_for_memory_says_limit_and_peak():
    text = explain_death(-9, memory_use="(limit 1 bytes, peak 2 bytes)")
    assert text == "OutOfMemory: the job needs more memory than it has. (limit 1 bytes, peak 2 bytes)"


def test_a_signal_without_a_name_is_numbered():
    assert "killed by signal 40" in explain_death(-40, memory_use=None)


def test_the_own_peak_is_known():
    assert read_process_peak_bytes() > 1 << 20
