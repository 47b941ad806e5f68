from __future__ import annotations

from pathlib import Path

import pytest

from sm_remote.service.engines.engine import ContainerSpec, EngineError, Mount
from sm_remote.service.engines.process.sandbox import plan_plain, plan_sandbox


def make_spec(
    tmp_path: Path, *mounts: Mount, gpus: tuple[int, ...] = (), network: bool = False, **environment: str
) -> ContainerSpec:
    return ContainerSpec(
        name="smr-a-a1-algo-1",
        image="",
        entrypoint=(),
        arguments=(),
        environment=environment,
        mounts=mounts,
        cpus=1,
        memory_bytes=None,
        gpus=gpus,
        network=network,
        scratch=tmp_path,
    )


def make_mount(tmp_path: Path, name: str, target: str, *, read_only: bool = False) -> Mount:
    (tmp_path / name).mkdir(parents=True, exist_ok=True)
    return Mount(source=tmp_path / name, target=target, read_only=read_only)


def test_plain_mounts_appear_as_links_also_inside_each_other(tmp_path):
    outer = make_mount(tmp_path, "job/input", "/opt/ml/input")
    inner = make_mount(tmp_path, "job/input/data", "/opt/ml/input/data", read_only=True)
    layer = make_mount(tmp_path, "layer", "/opt/ml/input/data/layer", read_only=True)
    (inner.source / "layer").mkdir()
    plan = plan_plain(make_spec(tmp_path, outer, inner, layer), ["true"], tmp_path / "s")
    root = Path(plan.environment["SM_REMOTE_ML_ROOT"])
    (layer.source / "file").write_text("x")
    assert (root / "input" / "data" / "layer" / "file").read_text() == "x"
    assert (root / "input").samefile(outer.source)


def test_plain_mounts_can_be_planned_again_after_a_crash(tmp_path):
    mount = make_mount(tmp_path, "model", "/opt/ml/model")
    for _ in range(2):
        plan = plan_plain(make_spec(tmp_path, mount), ["true"], tmp_path / "s")
    assert (Path(plan.environment["SM_REMOTE_ML_ROOT"]) / "model").samefile(mount.source)


def test_a_plain_mount_outside_opt_ml_is_refused_by_name(tmp_path):
    with pytest.raises(EngineError, match="/elsewhere"):
        plan_plain(make_spec(tmp_path, make_mount(tmp_path, "m", "/elsewhere")), ["true"], tmp_path / "s")


def test_a_sandbox_mounts_in_order_and_shares_the_network_only_when_asked(tmp_path):
    mounts = (
        make_mount(tmp_path, "a", "/opt/ml/input"),
        make_mount(tmp_path, "b", "/opt/ml/input/data", read_only=True),
    )
    options = {"bubblewrap": "/usr/bin/bwrap", "visible": [Path("/opt/python")], "gpus": []}
    command = plan_sandbox(make_spec(tmp_path, *mounts), ["python", "x"], **options).command
    text = " ".join(command)
    assert text.index(f"--bind {tmp_path}/a /opt/ml/input") < text.index(f"--ro-bind {tmp_path}/b /opt/ml/input/data")
    assert "--ro-bind /opt/python /opt/python" in text
    assert command[-3:] == ("--", "python", "x")
    assert "--unshare-all" in command
    assert "--share-net" not in command
    assert "--share-net" in plan_sandbox(make_spec(tmp_path, network=True), ["x"], **options).command


@pytest.mark.parametrize(("gpus", "visible"), [((), ""), ((0,), "0"), ((1, 3), "1,3")])
def test_a_process_sees_as_many_gpus_as_it_is_given(tmp_path, gpus, visible):
    plan = plan_plain(make_spec(tmp_path, gpus=gpus), ["true"], tmp_path / "s")
    assert plan.environment["CUDA_VISIBLE_DEVICES"] == visible


def test_the_jobs_environment_outranks_ours_but_not_the_place_of_its_files(tmp_path):
    plan = plan_plain(make_spec(tmp_path, HOME="/h", LANG="de_DE"), ["true"], tmp_path / "s")
    assert (plan.environment["HOME"], plan.environment["LANG"]) == ("/h", "de_DE")
    plan = plan_plain(make_spec(tmp_path, SM_REMOTE_ML_ROOT="/h"), ["true"], tmp_path / "s")
    assert plan.environment["SM_REMOTE_ML_ROOT"] == str(tmp_path / "s" / "ml")
