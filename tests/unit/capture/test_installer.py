from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sm_remote.capture.alterations import forget_findings
from sm_remote.capture.call import TargetPython
from sm_remote.capture.dependencies import read_dependencies
from sm_remote.capture.environment import find_environment
from sm_remote.capture.fitting import find_platform
from sm_remote.capture.installed_set import choose_installed
from sm_remote.capture.installer import LOCK_FILE
from sm_remote.capture.lock import Lock, Source
from sm_remote.capture.modules import locate
from sm_remote.capture.named_set import choose_named
from sm_remote.capture.packages import Packages, make_layer
from sm_remote.capture.requirements import Requirements
from sm_remote.errors import CaptureError, ConfigError, DependencyInstallFailed

pytestmark = pytest.mark.slow  # starts interpreters and uv

MINOR = ".".join(platform.python_version_tuple()[:2])
pytestmark = pytest.mark.slow  # uv runs for nearly each of them


@pytest.fixture(autouse=True)
def only_these_indexes(monkeypatch, tmp_path):
    """No index but the folder of wheels that a test fills; uv's own cache is left alone."""
    forget_findings()
    (tmp_path / "wheels").mkdir()
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))


@pytest.fixture
def publish(tmp_path):
    """Puts a wheel where uv finds it."""

    def make(name="tiny", version="1.0", *, requires=(), tag="py3-none-any", files=None, python=""):
        path = tmp_path / "wheels" / f"{name.replace('-', '_')}-{version}-{tag}.whl"
        info = f"{name.replace('-', '_')}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
        metadata += f"Requires-Python: {python}\n" if python else ""
        contents = dict(files or {f"{name.replace('-', '_')}.py": f"VALUE = {version!r}\n"})
        contents[f"{info}/METADATA"] = metadata
        contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n"
        contents[f"{info}/entry_points.txt"] = f"[console_scripts]\n{name} = {name}:main\n"
        with zipfile.ZipFile(path, "w") as wheel:
            for key, text in contents.items():
                wheel.writestr(key, text)
            rows = "".join(f"{key},,\n" for key in [*contents, f"{info}/RECORD"])
            wheel.writestr(f"{info}/RECORD", rows)
        return path

    return make


@pytest.fixture
def have(home, tmp_path):
    """Makes the layer for ``dependencies=`` and gives it with its lock."""

    def make(dependencies, limit_s=120.0, **facts) -> tuple[Lock, Path | None, tuple[str, ...]]:
        python = TargetPython(version=platform.python_version(), **{"same_as_host": False, **facts})
        target = find_platform(python, store_is_local=True)
        wanted = dependencies if isinstance(dependencies, Requirements) else read_dependencies(dependencies)
        assert isinstance(wanted, Requirements)
        choice = choose_named(wanted, python=python, target=target, cache=home.cache, limit_s=limit_s)
        made, in_job, layer = make_layer(choice, tmp_path / "layers", home, python, target, limit_s)
        return made.lock, layer, in_job

    return make


@pytest.fixture
def have_auto(home, tmp_path):
    """Makes the layer of what installed modules need and gives it with its lock."""

    def make(*modules: str, **facts) -> tuple[Lock, Path | None]:
        python = TargetPython(version=platform.python_version(), **{"same_as_host": True, **facts})
        target = find_platform(python, store_is_local=True)
        environment = find_environment({name: locate(name) for name in modules}, {})
        choice = choose_installed(environment, python=python, target=target, cache=home.cache / "wheels", limit_s=120)
        made, _, layer = make_layer(choice, tmp_path / "layers", home, python, target, 120)
        return made.lock, layer

    return make


def sources(lock: Lock) -> dict[str, tuple[str, Source]]:
    return {one.name: (one.version, one.source) for one in lock.packages}


def test_what_is_asked_for_is_resolved_installed_and_locked_once(have, publish, monkeypatch):
    publish("tiny", "1.0", requires=("leaf>=2",))
    publish("leaf", "2.5")
    lock, layer, in_job = have(["tiny"])
    assert sources(lock) == {"tiny": ("1.0", Source.INDEX), "leaf": ("2.5", Source.INDEX)}
    assert layer is not None
    assert (layer / "tiny.py").read_text() == "VALUE = '1.0'\n"
    assert not list(layer.rglob("*.pyc")), "compiling it is nothing that the first job waits for"
    assert not (layer / "bin").exists()
    assert [path.name for path in layer.glob(".*")] == []
    assert Lock.from_json((layer / LOCK_FILE).read_bytes()) == lock
    assert in_job == ()
    publish("tiny", "3.0")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "uv", None)  # the second time there is nothing that uv would be needed for
    assert have(["tiny"]) == (lock, layer, ())


def test_installed_versions_that_fit_are_linked_and_no_index_is_asked(have, install, monkeypatch):
    site = install("tiny", "1.2", files={"tiny.py": "VALUE = 1\n"}, requires=("leaf>=1",))
    install("leaf", "1.0", files={"leaf.py": ""})
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", "")
    lock, layer, _ = have(["tiny>=1"])
    assert sources(lock) == {"tiny": ("1.2", Source.INSTALLED), "leaf": ("1.0", Source.INSTALLED)}
    assert layer is not None
    assert (layer / "tiny.py").samefile(site / "tiny.py")


def test_a_layer_that_was_half_removed_by_hand_is_made_again(have, publish, caplog):
    publish("tiny", "1.0")
    _, layer, _ = have(["tiny"])
    for name in (LOCK_FILE, "tiny.py"):
        (layer / name).unlink()
    _, again, _ = have(["tiny"])
    assert again == layer
    assert (layer / "tiny.py").exists()
    assert "made again: files of it were removed" in caplog.text


def test_only_what_does_not_fit_is_fetched(have, install, publish):
    install("tiny", "1.2", files={"tiny.py": "VALUE = 1\n"})
    install("leaf", "1.0", files={"leaf.py": ""})
    publish("leaf", "1.0")
    publish("leaf", "2.0")
    publish("tiny", "1.2")
    publish("tiny", "1.9")
    lock, layer, _ = have(["tiny>=1", "leaf>=2"])
    assert sources(lock) == {"tiny": ("1.2", Source.INSTALLED), "leaf": ("2.0", Source.INDEX)}
    assert layer is not None
    assert (layer / "leaf.py").read_text() == "VALUE = '2.0'\n"


def test_what_the_image_has_in_a_fitting_version_is_not_installed_again(have, publish):
    publish("tiny", "1.0", requires=("leaf",))
    publish("leaf", "2.5")
    publish("leaf", "2.0")
    lock, layer, _ = have(["tiny"], installed={"leaf": "2.0"}, image="mine")
    assert sources(lock) == {"tiny": ("1.0", Source.INDEX), "leaf": ("2.0", Source.IMAGE)}
    assert layer is not None
    assert not (layer / "leaf.py").exists()


def test_an_images_framework_is_kept_with_what_it_brings(have, publish, caplog):
    publish("torch", "2.3.0", requires=("cuda-things",))
    publish("torch", "2.9.0")
    publish("cuda-things", "1.0")
    publish("tiny", "1.0", requires=("torch>=2",))
    lock, layer, _ = have(["tiny"], installed={"torch": "2.3.0+cu121"}, image="mine")
    assert sources(lock) == {"tiny": ("1.0", Source.INDEX), "torch": ("2.3.0+cu121", Source.IMAGE)}
    assert layer is not None
    assert not (layer / "cuda_things.py").exists()


def test_a_framework_that_is_named_in_another_version_is_installed(have, publish):
    publish("torch", "2.9.0")
    lock, _, _ = have(["torch==2.9.0"], installed={"torch": "2.3.0"}, image="mine")
    assert sources(lock) == {"torch": ("2.9.0", Source.INDEX)}


def test_a_source_tree_is_built_into_a_wheel_and_left_as_it_is(have, tmp_path):
    tree = tmp_path / "my tree"
    tree.mkdir()
    (tree / "pyproject.toml").write_text(
        "[project]\nname = 'tree-pkg'\nversion = '7.1'\n"
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    (tree / "backend.py").write_text(BACKEND)
    (tree / "tree_pkg.py").write_text("VALUE = 'from a tree'\n")
    before = sorted(path.name for path in tree.iterdir())
    lock, layer, _ = have([str(tree)])
    assert sources(lock) == {"tree-pkg": ("7.1", Source.WHEEL)}
    assert layer is not None
    assert (layer / "tree_pkg.py").read_text() == "VALUE = 'from a tree'\n"
    assert sorted(path.name for path in tree.iterdir()) == before
    again, _, _ = have([str(tree)])
    assert again == lock
    (tree / "tree_pkg.py").write_text("VALUE = 'changed'\n")
    changed, _, _ = have([str(tree)])
    assert changed.layer_key != lock.layer_key


def test_a_tree_that_cannot_be_built_is_named_with_what_its_build_said(have, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "pyproject.toml").write_text("[build-system]\nrequires = []\nbuild-backend = 'absent'\n")
    with pytest.raises(DependencyInstallFailed, match=r"No wheel could be built of .*broken") as caught:
        have([str(tmp_path / "broken")])
    assert "absent" in caught.value.why


BACKEND = """
import hashlib, os, zipfile
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    open("build-was-here.txt", "w").close()
    name = "tree_pkg-7.1-py3-none-any.whl"
    info = "tree_pkg-7.1.dist-info"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        text = open("tree_pkg.py").read()
        wheel.writestr("tree_pkg.py", text)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: tree-pkg\\nVersion: 7.1\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        digest = hashlib.sha256(text.encode()).hexdigest()
        rows = f"{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n"
        wheel.writestr(f"{info}/RECORD", f"tree_pkg.py,sha256={digest},{len(text)}\\n{rows}")
    return name
"""


def test_sets_that_cannot_be_are_explained_by_uv(have, publish):
    publish("tiny", "1.0", requires=("leaf<2",))
    publish("leaf", "1.0")
    publish("leaf", "2.0")
    with pytest.raises(DependencyInstallFailed, match="uv said") as caught:
        have(["tiny", "leaf>=2"])
    assert "unsatisfiable" in caught.value.why
    assert "one set fulfils them all" in caught.value.fix
    assert caught.value.facts["requirement"] in ("tiny", "leaf>=2")


def test_two_versions_of_one_package_are_explained_by_uv(have, publish):
    publish("tiny", "1.0")
    publish("tiny", "2.0")
    with pytest.raises(DependencyInstallFailed, match=r"you require tiny==1.0 and tiny==2.0"):
        have(["tiny==1.0", "tiny==2.0"])


def test_two_versions_are_refused_too_where_the_image_has_one_of_them(have, publish):
    publish("tiny", "1.0")
    publish("tiny", "2.0")
    with pytest.raises(DependencyInstallFailed, match=r"tiny==1.0 and tiny==2.0"):
        have(["tiny==1.0", "tiny==2.0"], installed={"tiny": "2.0"}, image="mine")


def test_what_the_image_fulfils_alone_asks_no_index(have):
    lock, layer, _ = have(["tiny>=1"], installed={"tiny": "2.0", "other": "1"}, image="mine")
    assert sources(lock) == {"tiny": ("2.0", Source.IMAGE)}
    assert layer is None


def test_a_package_without_a_wheel_for_this_python_says_so(have, publish):
    publish("tiny", "1.0", tag="cp38-cp38-manylinux_2_17_x86_64")
    with pytest.raises(DependencyInstallFailed, match=rf"'tiny' could not be installed for Python {MINOR}") as caught:
        have(["tiny"])
    assert "Python" in caught.value.why
    assert "No wheel is there for this Python" in caught.value.fix


def test_a_source_that_cannot_be_built_for_this_python_says_so(have, tmp_path):
    """What an old package does: no wheel for this Python, and a source that only older ones can build."""
    files = {
        "old-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: old\nVersion: 1.0\n",
        "old-1.0/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
        "old-1.0/backend.py": "def build_wheel(*a, **k):\n"
        f"    open({str(tmp_path / 'builds')!r}, 'a').write('once')\n"
        "    raise AttributeError('this Python is too new')\n",
    }
    with tarfile.open(tmp_path / "wheels" / "old-1.0.tar.gz", "w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    with pytest.raises(
        DependencyInstallFailed, match=rf"'old==1\.0' could not be installed for Python {MINOR}"
    ) as caught:
        have(["old==1.0"], same_as_host=True)
    assert "this Python is too new" in caught.value.why
    assert "No wheel is there for this Python and platform" in caught.value.fix
    assert "Failed to build" in caught.value.why.splitlines()[1]
    assert (tmp_path / "builds").read_text() == "once"


def test_a_requirement_that_cannot_be_had_is_named_with_what_uv_said(have, tmp_path):
    with pytest.raises(DependencyInstallFailed, match=r"no-such-package-of-ours==9\.9") as caught:
        have(["no-such-package-of-ours==9.9"])
    assert "uv said" in caught.value.why
    assert "tell where the package is" in caught.value.fix
    assert not list((tmp_path / "layers").glob("*"))


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing_index():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_index_that_wants_credentials_says_so_and_none_are_shown(have, refusing_index, monkeypatch, caplog):
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://me:pa55word@{refusing_index}/simple")
    with caplog.at_level("DEBUG", "sm_remote"), pytest.raises(DependencyInstallFailed) as caught:
        have(["tiny", "leaf @ http://me:pa55word@" + refusing_index + "/leaf-1.0-py3-none-any.whl"])

    assert "wants credentials" in caught.value.fix
    told = f"{caught.value} {caught.value.facts} {caplog.text}"
    assert "pa55word" not in told


def test_an_index_that_wants_credentials_says_so_also_beside_others(have, refusing_index, monkeypatch, tmp_path):
    """As with a private index that pip was told of beside the public one."""
    (tmp_path / "simple").mkdir()
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("UV_INDEX", f"http://me:pa55word@{refusing_index}/simple")
    monkeypatch.setenv("UV_INDEX_STRATEGY", "unsafe-best-match")
    with pytest.raises(DependencyInstallFailed, match="'ours-alone' could not be installed") as caught:
        have(["ours-alone"])
    assert "wants credentials" in caught.value.fix
    assert "pa55word" not in str(caught.value)


def test_credentials_are_in_no_lock(have, publish, monkeypatch):
    publish("tiny", "1.0")
    monkeypatch.setenv("UV_INDEX", "https://me:pa55word@host.invalid/simple")
    monkeypatch.setenv("UV_OFFLINE", "1")
    lock, _, _ = have(["tiny"])
    assert lock.indexes == ("https://***@host.invalid/simple",)
    assert b"pa55word" not in lock.to_json()


def alter(path: Path) -> None:
    path.write_text(path.read_text() + "# altered\n")
    forget_findings()


def test_a_package_that_was_altered_is_fetched_as_released(have_auto, install, publish, caplog):
    site = install("tiny", "1.0", files={"tiny.py": "VALUE = 1\n"})
    publish("tiny", "1.0")
    alter(site / "tiny.py")
    lock, layer = have_auto("tiny")
    assert sources(lock) == {"tiny": ("1.0", Source.INDEX)}
    assert layer is not None
    assert (layer / "tiny.py").read_text() == "VALUE = '1.0'\n"
    assert (
        "tiny==1.0 was altered after it was installed (tiny.py): the job gets tiny==1.0 as it was released"
        in caplog.text
    )


def test_a_package_that_was_altered_travels_as_it_is_where_no_index_has_it(have_auto, install, caplog, monkeypatch):
    site = install("tiny", "1.0", files={"tiny.py": "VALUE = 1\n"})
    before, _ = have_auto("tiny")
    alter(site / "tiny.py")
    lock, layer = have_auto("tiny")
    assert sources(lock) == {"tiny": ("1.0", Source.INSTALLED)}
    assert lock.layer_key != before.layer_key
    assert layer is not None
    assert "# altered" in (layer / "tiny.py").read_text()
    assert "the job gets the altered files" in caplog.text
    monkeypatch.setitem(sys.modules, "uv", None)  # the second time nothing is tried again
    monkeypatch.setenv("PATH", "")
    assert have_auto("tiny") == (lock, layer)


def test_an_installation_that_lost_a_file_is_named(have_auto, install):
    site = install("tiny", "1.0", files={"tiny.py": "VALUE = 1\n", "gone.py": ""})
    (site / "gone.py").unlink()
    forget_findings()
    with pytest.raises(CaptureError, match=r"tiny==1\.0 is incomplete: gone\.py"):
        have_auto("tiny")


def test_an_installation_that_lost_a_file_is_fetched_as_released_where_an_index_has_it(have_auto, install, publish):
    site = install("tiny", "1.0", files={"tiny.py": "VALUE = 1\n", "gone.py": ""})
    publish("tiny", "1.0")
    (site / "gone.py").unlink()
    forget_findings()
    lock, _ = have_auto("tiny")
    assert sources(lock) == {"tiny": ("1.0", Source.INDEX)}


def test_of_two_installed_versions_the_one_that_is_imported_travels_and_that_is_said(
    have_auto, install, tmp_path, monkeypatch, caplog
):
    install("tiny", "2.0", files={"tiny.py": "VALUE = 2\n"})
    other = tmp_path / "other"
    (other / "tiny-1.0.dist-info").mkdir(parents=True)
    (other / "tiny-1.0.dist-info" / "METADATA").write_text("Name: tiny\nVersion: 1.0\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(other)])
    lock, _ = have_auto("tiny")
    assert sources(lock) == {"tiny": ("2.0", Source.INSTALLED)}
    assert "tiny is installed in more than one version (2.0, 1.0): the job gets 2.0" in caplog.text


def test_two_versions_in_one_folder_are_refused(have_auto, install):
    install("tiny", "1.0", files={"tiny.py": "VALUE = 2\n"})
    install("tiny", "2.0", files={"tiny.py": "VALUE = 2\n"})
    with pytest.raises(CaptureError, match=r"tiny is installed twice"):
        have_auto("tiny")


def test_a_framework_of_another_minor_version_is_a_choice_before_anything_is_made(have_auto, install, tmp_path):
    install("torch", "2.4.0", files={"torch.py": ""})
    with pytest.raises(ConfigError, match=r"The image mine has torch 2\.3\.0; here torch 2\.4\.0"):
        have_auto("torch", installed={"torch": "2.3.0"}, image="mine", same_as_host=False)
    assert not (tmp_path / "layers").exists()


def test_an_images_framework_wins_over_the_installed_one_and_that_is_said(have_auto, install, caplog):
    install("torch", "2.3.1+cpu", files={"torch.py": ""}, requires=("only-torch",))
    install("only-torch", files={"only_torch.py": ""})
    install("tiny", files={"tiny.py": ""}, requires=("torch",))
    lock, _ = have_auto("tiny", installed={"torch": "2.3.0+cu121"}, image="mine", same_as_host=False)
    assert sources(lock) == {"tiny": ("1.0", Source.INSTALLED), "torch": ("2.3.0+cu121", Source.IMAGE)}
    assert "torch: the job uses the image's 2.3.0+cu121 instead of 2.3.1+cpu" in caplog.text


WANTS_OLD = {"asked": {"leaf": "leaf==1.0"}, "installed": {"leaf": "1.0"}, "image": "mine", "same_as_host": False}


def test_what_was_asked_for_in_the_image_wins_over_what_is_installed_and_that_is_said(have_auto, install, caplog):
    install("leaf", "2.0", files={"leaf.py": ""}, requires=("only-leaf",))
    install("only-leaf", files={"only_leaf.py": ""})
    install("tiny", files={"tiny.py": ""}, requires=("leaf>=1",))
    lock, layer = have_auto("tiny", **WANTS_OLD)
    assert sources(lock) == {"tiny": ("1.0", Source.INSTALLED), "leaf": ("1.0", Source.IMAGE)}
    assert not (layer / "leaf.py").exists()
    assert "leaf: the job uses the image's 1.0 instead of 2.0, which is installed here (Image.pip('leaf==1.0'))" in (
        caplog.text
    )


def test_a_framework_that_was_asked_for_in_the_image_is_a_choice_already(have_auto, install):
    install("torch", "2.4.0", files={"torch.py": ""})
    facts = {"asked": {"torch": "torch==2.3"}, "installed": {"torch": "2.3.0"}, "image": "mine", "same_as_host": False}
    lock, _ = have_auto("torch", **facts)
    assert sources(lock) == {"torch": ("2.3.0", Source.IMAGE)}


def test_what_travels_must_accept_what_was_asked_for_in_the_image(have_auto, install, tmp_path):
    install("leaf", "2.0", files={"leaf.py": ""})
    install("tiny", files={"tiny.py": ""}, requires=("leaf>=2",))
    with pytest.raises(ConfigError, match=r"tiny==1\.0, .* requires leaf>=2; the image has leaf 1\.0") as caught:
        have_auto("tiny", **WANTS_OLD)
    assert "Image.pip('leaf==1.0')" in caught.value.why
    assert "Choose one" in caught.value.fix
    assert not (tmp_path / "layers").exists()


def test_image_and_dependencies_that_ask_for_different_versions_are_refused(have, publish):
    publish("leaf", "2.0")
    with pytest.raises(ConfigError, match=r"dependencies asks for leaf>=2; the image has leaf 1\.0"):
        have(["leaf>=2"], **WANTS_OLD)


def test_what_is_asked_for_by_name_is_resolved_around_what_was_asked_for_in_the_image(have, publish):
    publish("leaf", "1.0")
    publish("leaf", "2.0")
    publish("tiny", "1.0", requires=("leaf",))
    publish("tiny", "2.0", requires=("leaf>=2",))
    lock, _, _ = have(["tiny"], **WANTS_OLD)
    assert sources(lock) == {"tiny": ("1.0", Source.INDEX), "leaf": ("1.0", Source.IMAGE)}
    with pytest.raises(DependencyInstallFailed, match="tiny") as caught:
        have(["tiny>=2"], **WANTS_OLD)
    assert "leaf==1.0" in caught.value.why


def test_a_required_editable_install_that_is_not_carried_as_source_becomes_a_wheel(have_auto, install, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "pyproject.toml").write_text(
        "[project]\nname = 'tree-pkg'\nversion = '7.1'\n"
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    (tree / "backend.py").write_text(BACKEND)
    (tree / "tree_pkg.py").write_text("VALUE = 1\n")
    url = json.dumps({"url": tree.as_uri(), "dir_info": {"editable": True}})
    install("tree-pkg", "7.1", files={}, extra_files={"direct_url.json": url})
    install("tiny", files={"tiny.py": "import tree_pkg\n"}, requires=("tree-pkg",))
    lock, layer = have_auto("tiny")
    assert sources(lock) == {"tiny": ("1.0", Source.INSTALLED), "tree-pkg": ("7.1", Source.WHEEL)}
    code = f"import sys; sys.path.append({str(layer)!r}); import tiny; print(tiny.tree_pkg.VALUE)"
    answer = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "1"


@pytest.fixture
def repository(tmp_path):
    """A package in a repository of git, and its commit."""
    tree = tmp_path / "repository"
    tree.mkdir()
    (tree / "pyproject.toml").write_text(
        "[project]\nname = 'tree-pkg'\nversion = '7.1'\n"
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    (tree / "backend.py").write_text(BACKEND)
    (tree / "tree_pkg.py").write_text("VALUE = 1\n")
    names = ["-c", "user.name=x", "-c", "user.email=x@x"]
    for command in (["init", "-q"], ["add", "."], [*names, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=tree, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tree, check=True, capture_output=True, text=True)
    return tree, commit.stdout.strip()


def test_a_package_of_a_repository_is_built_from_its_commit_and_stays_at_it(have, repository):
    tree, commit = repository
    lock, layer, _ = have([f"tree-pkg @ git+{tree.as_uri()}"])
    assert (layer / "tree_pkg.py").read_text() == "VALUE = 1\n"
    assert lock.find("tree-pkg").source is Source.INDEX
    assert lock.find("tree-pkg").url.endswith(f"@{commit}")
    (tree / "tree_pkg.py").write_text("VALUE = 2\n")
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qam", "two"], cwd=tree, check=True)
    assert have([f"tree-pkg @ git+{tree.as_uri()}"])[:2] == (lock, layer)


def test_what_was_installed_from_a_repository_travels_by_its_installed_files(have_auto, install, repository):
    tree, commit = repository
    facts = {"url": tree.as_uri(), "vcs_info": {"vcs": "git", "commit_id": commit}}
    install("tree-pkg", "7.1", files={"tree_pkg.py": ""}, extra_files={"direct_url.json": json.dumps(facts)})
    shutil.rmtree(tree)
    lock, _ = have_auto("tree_pkg")
    assert sources(lock) == {"tree-pkg": ("7.1", Source.INSTALLED)}


def test_what_a_mac_has_installed_is_resolved_for_linux(have_auto, install, publish, monkeypatch):
    files = {f"tiny.cpython-{MINOR.replace('.', '')}-darwin.so": ""}
    install(
        "tiny", "1.5", files=files, extra_files={"WHEEL": "Tag: cp311-cp311-macosx_11_0_arm64\n"}, requires=("leaf",)
    )
    install("leaf", "1.0", files={"leaf.py": ""}, extra_files={"WHEEL": "Tag: py3-none-any\n"})
    tag = f"cp{MINOR.replace('.', '')}-none-manylinux_2_17_x86_64"
    publish("tiny", "1.5", requires=("leaf", "only-linux; sys_platform == 'linux'"), tag=tag)
    publish("leaf", "1.0")
    publish("only-linux", "4.0")
    monkeypatch.setattr(sys, "platform", "darwin")
    lock, layer = have_auto("tiny", machine="x86_64", same_as_host=False)
    assert {one.pin for one in lock.packages} == {"tiny==1.5", "leaf==1.0", "only-linux==4.0"}
    assert lock.platform == "x86_64-manylinux_2_28"
    assert not list(layer.rglob("*darwin*"))


def test_for_another_machine_installed_versions_are_resolved_there(have_auto, install, publish):
    install("tiny", "1.5", files={"tiny.cpython-311-x86_64-linux-gnu.so": ""}, requires=("leaf",))
    install("leaf", "1.0", files={"leaf.py": ""}, extra_files={"WHEEL": "Tag: py3-none-any\n"})
    extra = ("leaf", "only-arm; platform_machine == 'aarch64'")
    publish("tiny", "1.5", requires=extra, tag=f"cp{MINOR.replace('.', '')}-none-manylinux_2_17_aarch64")
    publish("tiny", "1.9", requires=extra, tag=f"cp{MINOR.replace('.', '')}-none-manylinux_2_17_aarch64")
    publish("leaf", "1.0")
    publish("only-arm", "4.0")
    lock, _ = have_auto("tiny", machine="aarch64", same_as_host=False)
    assert sources(lock) == {
        "tiny": ("1.5", Source.INDEX),
        "leaf": ("1.0", Source.INSTALLED),
        "only-arm": ("4.0", Source.INDEX),
    }


def test_a_pure_package_that_no_index_has_goes_to_another_machine_by_its_installed_files(have_auto, install, publish):
    install("mine", "1.0", files={"mine.py": ""}, requires=("leaf",), extra_files={"WHEEL": PURE})
    install("leaf", "1.0", files={"leaf.py": ""}, extra_files={"WHEEL": PURE})
    publish("leaf", "1.0")
    lock, layer = have_auto("mine", machine="aarch64", same_as_host=False)
    assert sources(lock) == {"mine": ("1.0", Source.INSTALLED), "leaf": ("1.0", Source.INSTALLED)}
    assert layer is not None
    assert (layer / "mine.py").exists()


PURE = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def test_what_only_the_job_can_build_is_left_to_it_and_that_is_said(have, publish, tmp_path, caplog, monkeypatch):
    publish("leaf", "2.0")
    write_sdist(tmp_path / "wheels" / "native-1.0.tar.gz")
    lock, layer, in_job = have(["native", "leaf"])
    assert sources(lock) == {"leaf": ("2.0", Source.INDEX), "native": ("1.0", Source.JOB)}
    assert in_job == ("native==1.0",)
    assert layer is not None
    assert "the job builds it" in caplog.text
    monkeypatch.setitem(sys.modules, "uv", None)  # the second time nothing is tried again
    monkeypatch.setenv("PATH", "")
    assert have(["native", "leaf"]) == (lock, layer, in_job)


def test_what_only_the_job_can_build_is_refused_where_the_job_has_no_network(have, tmp_path):
    write_sdist(tmp_path / "wheels" / "native-1.0.tar.gz")
    with pytest.raises(DependencyInstallFailed, match="needs a compiler"):
        have(["native"], can_install=False)


def write_sdist(path: Path) -> None:
    """A source distribution that says its metadata, and cannot be built here."""
    files = {
        "native-1.0/PKG-INFO": "Metadata-Version: 2.2\nName: native\nVersion: 1.0\n",
        "native-1.0/pyproject.toml": "[project]\nname = 'native'\nversion = '1.0'\n"
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
        "native-1.0/backend.py": "def build_wheel(*_, **__): raise SystemExit('needs a compiler')\n",
    }
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))


def test_nothing_to_carry_is_no_layer():
    assert Packages().requirements == ()
