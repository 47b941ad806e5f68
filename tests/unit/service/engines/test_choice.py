from __future__ import annotations

import pytest

from sm_remote.errors import ConfigError
from sm_remote.service.engines.choice import _read_memory, count_gpus, host_resources, open_engine
from sm_remote.service.engines.docker.cgroup import PeakMemory, find_peak_memory
from sm_remote.service.engines.docker.connection import list_addresses, name_remedy
from sm_remote.service.engines.engine import Mount
from sm_remote.service.engines.mounts import make_mount_points, open_to_everyone


def test_there_is_no_fourth_choice(home):
    with pytest.raises(ConfigError, match="'podman' is no container engine"):
        open_engine("podman", home)


def test_this_machine_has_something_for_jobs():
    cpus, memory_bytes, gpus = host_resources()
    assert cpus >= 1
    assert memory_bytes > 1 << 28
    assert gpus >= 0


@pytest.mark.parametrize("file", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_limit_on_this_container_counts_more_than_the_machines_memory(tmp_path, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("max\n")
    without = _read_memory(tmp_path)
    (tmp_path / file).write_text("1048576\n")
    assert _read_memory(tmp_path) == 1048576 < without


def test_gpus_are_counted_by_their_devices_not_by_the_drivers_own(tmp_path):
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert count_gpus(tmp_path) == 2
    assert count_gpus(tmp_path / "none") == 0


def test_docker_host_alone_is_tried_where_it_is_set():
    assert list_addresses({"DOCKER_HOST": "tcp://10.0.0.1:2375"}) == ["tcp://10.0.0.1:2375"]
    assert list_addresses({})


@pytest.mark.parametrize(
    ("failures", "command"),
    [
        ("unix:///var/run/docker.sock: permission denied", "usermod -aG docker"),
        ("unix:///var/run/docker.sock: connection refused", "systemctl start docker"),
        ("unix:///var/run/docker.sock: no such file or directory", "setup-engine.sh"),
    ],
)
def test_each_failure_comes_with_the_command_that_mends_it(failures, command):
    assert command in name_remedy(failures)


def test_a_peak_is_kept_when_the_cgroup_is_gone(tmp_path):
    (tmp_path / "peak").write_text("4096\n")
    peak = PeakMemory(tmp_path / "peak")
    (tmp_path / "peak").unlink()
    peak.sample()
    assert peak.peak_bytes == 4096


def test_a_process_id_of_another_machine_gives_no_peak(tmp_path):
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "cgroup").write_text("9:memory:/docker/another\n0::/docker/another\n")
    assert find_peak_memory(42, "0123abcd", proc=tmp_path) is None
    assert find_peak_memory(43, "0123abcd", proc=tmp_path) is None


def test_places_for_mounts_inside_mounts_are_made_and_those_that_are_there_stay(tmp_path):
    mounts = [
        Mount(source=tmp_path / "input", target="/opt/ml/input", read_only=False),
        Mount(source=tmp_path / "data", target="/opt/ml/input/data", read_only=True),
        Mount(source=tmp_path / "layer", target="/opt/ml/input/data/layer", read_only=True),
        Mount(source=tmp_path / "other", target="/opt/ml/input2", read_only=True),
    ]
    for mount in mounts:
        mount.source.mkdir()
    for _ in range(2):
        make_mount_points(mounts)
    assert (tmp_path / "input" / "data").is_dir()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["layer"]


def test_other_users_may_write_where_the_mount_may_be_written_and_read_elsewhere(tmp_path):
    for name in ("rw", "ro"):
        (tmp_path / name / "deep").mkdir(parents=True, mode=0o700)
        (tmp_path / name / "deep" / "file").write_text("x")
        (tmp_path / name / "deep" / "file").chmod(0o400)
        (tmp_path / name / "outside").symlink_to(tmp_path)
    before = tmp_path.stat().st_mode
    open_to_everyone(
        [
            Mount(source=tmp_path / "rw", target="/opt/ml/output", read_only=False),
            Mount(source=tmp_path / "ro", target="/opt/ml/input/data", read_only=True),
        ]
    )
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("rw", "rw/deep", "ro/deep", "ro/deep/file")}
    assert modes == {"rw": 0o777, "rw/deep": 0o777, "ro/deep": 0o755, "ro/deep/file": 0o444}
    assert tmp_path.stat().st_mode == before
