"""Makes packages as users have them: source trees, and installed ones with their metadata."""

from __future__ import annotations

import base64
import hashlib
import importlib
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sm_remote.capture.interpreter import TargetPython
from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.storage.embedded import EmbeddedStore

WriteTree = Callable[[Mapping[str, str]], Path]
Install = Callable[..., Path]


@pytest.fixture
def weird_path(tmp_path: Path) -> Path:
    """A folder whose name nobody thinks of."""
    folder = tmp_path / "my project's Ünïcode dir"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def forget_modules(tmp_path: Path):
    """Modules that a test has written are gone after it."""
    before = set(sys.modules)
    yield
    for name in sys.modules.keys() - before:
        module = sys.modules[name]
        places = [getattr(module, "__file__", None) or "", *map(str, getattr(module, "__path__", ()))]
        if any(place.startswith(str(tmp_path)) for place in places):
            del sys.modules[name]


@pytest.fixture
def write_tree(weird_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteTree:
    """Writes files into a folder that is put on sys.path, as a notebook's own folder is."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = weird_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(str(weird_path))
        importlib.invalidate_caches()
        return weird_path

    return write


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a made-up distribution as an installer would, RECORD included."""
    site = tmp_path / "env" / "lib" / "site-packages"

    def write(
        name: str,
        version: str = "1.0",
        *,
        files: Mapping[str, str],
        requires: tuple[str, ...] = (),
        extra_files: Mapping[str, str] | None = None,
        record: bool = True,
    ) -> Path:
        info = f"{name.replace('-', '_')}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
        contents = {**files, f"{info}/METADATA": metadata}
        contents.update({f"{info}/{key}": text for key, text in (extra_files or {}).items()})
        rows = []
        for path, text in contents.items():
            target = site / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{path},sha256={digest},{len(text)}")
        if record:
            (site / info / "RECORD").write_text("\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()
        return site

    return write


@pytest.fixture
def store(home: Home) -> EmbeddedStore:
    """The embedded store of the test's own home."""
    return EmbeddedStore(home.store, bucket=LOCAL_BUCKET, prefix="sm_remote")


@pytest.fixture
def here() -> TargetPython:
    """A job that runs with this very interpreter."""
    return TargetPython(version=platform.python_version(), same_as_host=True)
