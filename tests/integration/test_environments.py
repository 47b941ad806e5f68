"""What a function needs is there when it runs: as it is on this machine, in its image, or as asked for."""

from __future__ import annotations

import io
import json
import logging
import os
import site
import subprocess
import sys
import sysconfig
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from sm_remote import remote
from sm_remote.aws.local_service import find_service, stop_service
from sm_remote.capture.alterations import forget_findings
from sm_remote.capture.interpreter import describe_interpreter, local_image_uri
from sm_remote.errors import ConfigError, DependencyInstallFailed
from sm_remote.home import find_home
from sm_remote.jobs.environments.layers import list_layers
from tests.cells import run_cell

pytestmark = pytest.mark.service
FOREIGN = "sm-remote-test/environment"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks an index gets nothing."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch):
    """Lets sys.path and sys.modules be changed for one test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in ("lab", "editable_pkg"):
            del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_notebook_with_local_editable_and_installed_packages_runs_with_the_network_off(
    engine: str, no_network: None, paths: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write(
        tmp_path / "project",
        {
            "lab/__init__.py": "",
            "lab/data/__init__.py": "from .rows import load\n",
            "lab/data/rows.py": "import editable_pkg\ndef load(n): return [editable_pkg.ONE] * n\n",
        },
    )
    source = write(
        tmp_path / "src",
        {"editable_pkg/__init__.py": "ONE = 1\n", "pyproject.toml": "[project]\nname='editable-pkg'\n"},
    )
    facts = json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}})
    env = write(
        tmp_path / "env" / "site-packages",
        {
            "__editable__.editable_pkg.pth": str(source),
            "editable_pkg-7.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: editable-pkg\nVersion: 7.1\n",
            "editable_pkg-7.1.dist-info/RECORD": "__editable__.editable_pkg.pth,,\n",
            "editable_pkg-7.1.dist-info/direct_url.json": facts,
        },
    )
    site.addsitedir(str(env))
    monkeypatch.syspath_prepend(str(project))
    cell = run_cell(
        """
        import pandas as pd
        from lab.data import load

        @remote
        def total(n):
            import sys
            assert not sys.flags.dont_write_bytecode
            return int(pd.DataFrame({"x": load(n)}).x.sum()), pd.__version__, pd.__cached__
        """,
        {"__name__": "__main__", "remote": remote},
    )
    import pandas

    total, version, cached = cell["total"](5)
    assert (total, version) == (5, pandas.__version__)
    assert cached.endswith(".pyc")
    assert sorted(path.name for path in source.iterdir()) == ["editable_pkg", "pyproject.toml"]


def test_a_second_job_of_the_same_set_installs_nothing(no_network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    @remote(dependencies=["six"], stream_logs=False)
    def version() -> str:
        import six

        return str(six.__version__)

    if "six" not in {path.name.partition("-")[0] for path in Path(sysconfig.get_path("purelib")).glob("*.dist-info")}:
        pytest.skip("six is not installed here")
    first = version()
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setitem(sys.modules, "uv", None)  # type: ignore[arg-type]
    assert version() == first


_SCRIPT = """
from sm_remote import remote

@remote(dependencies=["six"], stream_logs=False)
def cached():
    import os, six
    return os.path.exists(six.__cached__)

if __name__ == "__main__":
    print(cached())
"""


def test_a_layer_is_compiled_also_when_the_script_that_needed_it_has_ended(
    tmp_path: Path, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = find_home({"SM_REMOTE_HOME": str(tmp_path / "home")})
    monkeypatch.setenv("SM_REMOTE_HOME", str(tmp_path / "home"))
    script = tmp_path / "train.py"
    script.write_text(_SCRIPT)
    try:
        subprocess.run([sys.executable, str(script)], check=True)
        deadline = time.monotonic() + 60
        while not all(layer.is_compiled for layer in list_layers(home)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(list_layers(home)) == 1
        second = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True)
        assert second.stdout.split()[-1] == "True"
    finally:
        found = find_service(home)
        if found is not None:
            stop_service(home, found[0])


def test_what_cannot_be_had_is_refused_before_anything_is_stored(no_network: None) -> None:
    @remote(dependencies=["no-such-package-of-ours>=1"])
    def never() -> None:
        raise AssertionError

    before = list_blobs()
    with pytest.raises(DependencyInstallFailed, match="no-such-package-of-ours") as caught:
        never.submit()
    assert "uv said" in str(caught.value)
    assert list_blobs() == before


def list_blobs() -> set[str]:
    return {path.name for path in find_home().store.rglob("blobs/*")}


def test_a_module_that_hides_pythons_own_is_said(
    tmp_path: Path, paths: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "project", {"chunk.py": "def split(x): return [x]\n"})
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    monkeypatch.delitem(sys.modules, "chunk", raising=False)
    if "chunk" not in sys.stdlib_module_names:
        pytest.skip("this Python has no module chunk to be hidden")
    cell = run_cell(
        """
        @remote(stream_logs=False)
        def cut():
            import chunk
            return chunk.split(3)
        """,
        {"__name__": "__main__", "remote": remote},
    )
    with caplog.at_level(logging.WARNING, "sm_remote"):
        assert cell["cut"]() == [3]
    assert "hides Python's own 'chunk'" in caplog.text


@pytest.fixture
def image_with_packages(docker_engine_required: None, homes: dict[str, Path]):
    """An image that is not ours, with two packages of its own."""
    import docker

    @remote(stream_logs=False)
    def find_site() -> str:
        import sysconfig

        return sysconfig.get_path("purelib")

    folder = find_site()
    files = {"inside/__init__.py": "WHERE = 'the image'\n"}
    files["inside-1.5.dist-info/METADATA"] = "Metadata-Version: 2.1\nName: inside\nVersion: 1.5\n"
    files["torch-2.3.1+cu121.dist-info/METADATA"] = "Metadata-Version: 2.1\nName: torch\nVersion: 2.3.1+cu121\n"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{folder.lstrip('/')}/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    client = docker.from_env()
    container = client.containers.create(local_image_uri(describe_interpreter()), "true")
    container.put_archive("/", archive.getvalue())
    image = container.commit(repository=FOREIGN, tag="packages")
    container.remove()
    yield f"{FOREIGN}:packages"
    client.images.remove(image.id, force=True)
    client.close()


@pytest.mark.docker
def test_what_an_image_has_is_used_and_a_framework_of_another_version_is_a_choice(
    image_with_packages: str, no_network: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: None
) -> None:
    @remote(image_uri=image_with_packages, dependencies=["inside>=1"], stream_logs=False)
    def where() -> Any:
        import inside

        return inside.WHERE

    assert where() == "the image"

    @remote(image_uri=image_with_packages, stream_logs=False)
    def version() -> Any:
        import pandas

        return pandas.__version__

    import pandas

    assert version() == pandas.__version__, "installed wheels fit another image, by their tags"
    forget_findings()
    installed = write(
        tmp_path / "site-packages",
        {
            "torch.py": "",
            "torch-2.4.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 2.4.0\n",
            "torch-2.4.0.dist-info/RECORD": "torch.py,,\n",
        },
    )
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    cell = run_cell(
        """
        @remote(image_uri=image, stream_logs=False)
        def train():
            import torch
        """,
        {"__name__": "__main__", "remote": remote, "image": image_with_packages},
    )
    with pytest.raises(ConfigError, match=r"has torch 2\.3\.1\+cu121; here torch 2\.4\.0 is installed"):
        cell["train"]()
