from __future__ import annotations

import io
import json
import logging
import platform
import re
import sys
import tarfile
import threading
import zipfile

import numpy as np
import pytest

from sm_remote.capture.bytecode import bytecode_name
from sm_remote.capture.call import TargetPython, capture_call
from sm_remote.capture.distributions import _read_index
from sm_remote.errors import CaptureError, ConfigError
from sm_remote.wire import manifest as roles
from sm_remote.wire.launch import read_manifest_digest
from sm_remote.wire.layout import CHANNEL, LAYER_CHANNEL, blob_key
from sm_remote.wire.manifest import Manifest
from sm_remote.wire.payload import load_value
from tests.cells import run_cell
from tests.stored_blobs import fetch_blob

RUNTIME = b"PK stand-in for the runtime"


@pytest.fixture
def capture(store, home, here):
    def call(func, *args, dependencies="auto", python=here, **kwargs):
        return capture_call(
            func, args, kwargs, store=store, home=home, dependencies=dependencies, python=python, runtime=RUNTIME
        )

    return call


def divide(x, y):
    return x / y


def key_of(store, uri: str) -> str:
    return uri.removeprefix(f"{store.root_uri}/")


def test_a_call_is_stored_as_a_manifest_and_the_objects_it_names(capture, store):
    captured = capture(pow, 2, 3)
    manifest = Manifest.from_json(fetch_blob(store, captured.manifest_ref).read_bytes())
    assert manifest == captured.manifest
    assert (manifest.function_name, manifest.call, manifest.layer_key) == ("pow", "plain", None)
    assert manifest.python == ".".join(platform.python_version_tuple()[:2])
    assert load_value(fetch_blob(store, manifest.one(roles.FUNCTION))) is pow
    assert load_value(fetch_blob(store, manifest.one(roles.ARGUMENTS))) == ((2, 3), {})
    assert fetch_blob(store, manifest.one(roles.RUNTIME)).read_bytes() == RUNTIME
    assert read_manifest_digest(captured.arguments) == captured.manifest_ref.digest


def test_the_channel_lists_every_object_and_the_manifest_as_sagemaker_reads_it(capture, store):
    captured = capture(pow, 2, 3)
    (channel,) = captured.channels
    assert (channel.name, channel.s3_data_type) == (CHANNEL, "ManifestFile")
    prefix, *names = json.loads(store.get(key_of(store, channel.s3_uri)))
    assert prefix == {"prefix": f"{store.root_uri}/blobs/"}
    assert set(names) == {each.ref.digest for each in captured.manifest.objects} | {captured.manifest_ref.digest}
    assert all(store.head(blob_key(name)) for name in names)


@pytest.mark.slow
def test_a_second_identical_call_writes_nothing(capture):
    data = np.arange(1 << 18, dtype=np.float64)
    first = capture(np.sum, data)
    second = capture(np.sum, data)
    assert first.uploaded_bytes > data.nbytes
    assert second.uploaded_bytes == 0
    assert second.manifest_ref == first.manifest_ref


@pytest.mark.slow
def test_the_same_array_in_another_call_is_not_stored_again(capture):
    data = np.arange(1 << 18, dtype=np.float64)
    capture(np.sum, data)
    assert capture(np.max, data).uploaded_bytes < 50_000


def test_however_arguments_are_spelt_equal_calls_are_equal(capture):
    cell = run_cell("def train(a, b=2): ...")
    assert capture(cell["train"], 1, b=3).manifest_ref == capture(cell["train"], b=3, a=1).manifest_ref


def test_nothing_is_stored_when_something_cannot_travel(capture, store):
    with pytest.raises(CaptureError):
        capture(divide, np.zeros(1 << 20), threading.Lock())
    with pytest.raises(TypeError):
        capture(divide, 1)
    assert list(store.list("")) == []


def test_another_minor_version_is_refused_before_anything_is_stored(capture, store):
    with pytest.raises(ConfigError, match=r"3\.2\.1") as caught:
        capture(pow, 2, 3, python=TargetPython(version="3.2.1", same_as_host=False))
    assert platform.python_version() in str(caught.value)
    assert list(store.list("")) == []


def test_modules_of_the_working_tree_travel_as_source(capture, store, write_tree):
    write_tree(
        {"pkg/__init__.py": "", "pkg/a.py": "from . import b\ndef f(): return b.X", "pkg/b.py": "X = 1", "c.py": ""}
    )
    import io
    import zipfile

    from pkg.a import f

    captured = capture(f)
    with zipfile.ZipFile(io.BytesIO(fetch_blob(store, captured.manifest.one(roles.SOURCE)).read_bytes())) as archive:
        assert archive.namelist() == ["pkg/__init__.py", "pkg/a.py", "pkg/b.py"]


def test_packages_of_the_working_tree_that_ask_for_their_version_find_it(capture, store, write_tree, install):
    root = write_tree({"mine/__init__.py": "from importlib.metadata import version\ndef f(): return version('mine')"})
    url = json.dumps({"url": root.as_uri(), "dir_info": {"editable": True}})
    install("mine", "4.2", files={}, extra_files={"direct_url.json": url})
    import mine

    captured = capture(mine.f)
    with zipfile.ZipFile(io.BytesIO(fetch_blob(store, captured.manifest.one(roles.SOURCE)).read_bytes())) as archive:
        assert b"Version: 4.2" in archive.read("mine-4.2.dist-info/METADATA")
    assert captured.manifest.layer_key is None


def test_installed_packages_travel_as_a_layer_that_is_mounted(capture, store, install):
    install("leafy", "1.2", files={"leafy.py": ""})
    cell = run_cell("def train():\n import leafy")
    captured = capture(cell["train"])
    layer = captured.channels[1]
    assert captured.manifest.requirements == ("leafy==1.2",)
    assert layer.name == LAYER_CHANNEL
    assert layer.s3_uri == f"{store.root_uri}/layers/{captured.manifest.layer_key}/"
    assert (store.local_path(f"layers/{captured.manifest.layer_key}") / "leafy.py").is_file()


def test_without_dependencies_no_package_travels(capture, install):
    install("leafy", files={"leafy.py": ""})
    cell = run_cell("def train():\n import leafy")
    captured = capture(cell["train"], dependencies=None)
    assert captured.manifest.layer_key is None
    assert len(captured.channels) == 1


def test_stores_that_cannot_be_mounted_get_the_layer_as_an_archive(home, here, install):
    from tests.unit.capture.memory_store import MemoryStore

    install("leafy", files={"leafy.py": ""})
    cell = run_cell("def train():\n import leafy")
    store = MemoryStore()
    captured = [
        capture_call(cell["train"], (), {}, store=store, home=home, dependencies="auto", python=here, runtime=RUNTIME)
        for _ in range(2)
    ]
    assert captured[0].manifest.layer_key is None
    assert captured[0].manifest.one(roles.LAYER_ARCHIVE).size_bytes > 0
    assert len(captured[0].channels) == 1
    assert captured[1].uploaded_bytes == 0
    archive = store.objects[f"blobs/{captured[0].manifest.one(roles.LAYER_ARCHIVE).digest}"]
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert bytecode_name("leafy.py") in tar.getnames(), "an archive is made once, so it waits for the bytecode"


def test_the_environment_is_a_step_that_says_what_it_made_and_how_long_it_took(capture, install, caplog):
    install("leafy", files={"leafy.py": ""})
    with caplog.at_level(logging.INFO, "sm_remote"):
        key = capture(run_cell("def train():\n import leafy")["train"]).manifest.layer_key
    (line,) = [line for line in caplog.messages if line.startswith("Environment of")]
    assert re.fullmatch(rf"Environment of train: 1 package, 1 of them in the layer {key[:12]}, in \d+\.\d\d s", line)


def test_the_source_of_cells_travels_for_tracebacks(capture, store):
    cell = run_cell("def train():\n    return 1 / 0  # here")
    texts = json.loads(fetch_blob(store, capture(cell["train"]).manifest.one(roles.SOURCE_TEXTS)).read_bytes())
    (text,) = texts.values()
    assert "# here" in text


def test_payloads_that_do_not_fit_into_memory_go_through_a_file_that_is_removed(capture, store, home):
    rows = [bytes(1000) + str(number).encode() for number in range(10_000)]
    captured = capture(len, rows)
    assert load_value(fetch_blob(store, captured.manifest.one(roles.ARGUMENTS))) == ((rows,), {})
    assert list((home.cache / "incoming").iterdir()) == []


def test_coroutine_functions_are_marked(capture):
    cell = run_cell("async def train(): ...")
    assert capture(cell["train"]).manifest.call == "async"


def test_a_trivial_call_reads_no_package_metadata(capture, install):
    install("brand-new", files={"brand_new.py": ""})
    before = _read_index.cache_info()
    cell = run_cell("import json, os\ndef train(x): return json.dumps(x)")
    assert capture(cell["train"], [1, 2]).manifest.requirements == ()
    assert _read_index.cache_info() == before


def test_the_users_modules_and_path_are_left_as_they_were(capture, write_tree):
    write_tree({"lazy.py": "raise RuntimeError('imported')"})
    cell = run_cell("def train():\n import lazy")
    before = (set(sys.modules), list(sys.path))
    capture(cell["train"])
    assert "lazy" not in sys.modules
    assert list(sys.path) == before[1]
