from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from types import CodeType

import pytest

from sm_remote.capture.runtime_zip import build_runtime_zip

pytestmark = pytest.mark.slow  # starts interpreters

DIGEST = """
import hashlib, sys
{preparation}
from sm_remote.capture.runtime_zip import build_runtime_zip
print(hashlib.sha256(build_runtime_zip()).hexdigest())
"""


@pytest.mark.parametrize("preparation", ["", "import cloudpickle, json, asyncio", "sys.dont_write_bytecode = True"])
def test_every_process_makes_the_same_bytes(preparation):
    environment = {**os.environ, "PYTHONHASHSEED": str(len(preparation))}
    code = DIGEST.format(preparation=preparation)
    out = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert out.stdout.strip() == hashlib.sha256(build_runtime_zip()).hexdigest()


def test_no_code_has_constants_whose_order_is_another_in_each_process():
    """As the frozenset that ``each in {"a", "b", "c"}`` makes has; Python 3.11 and later sort them."""
    archive = zipfile.ZipFile(io.BytesIO(build_runtime_zip()))
    sources = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    found = [
        (name, constant)
        for name, source in sources.items()
        for constant in list_constants(compile(source, name, "exec"))
        if isinstance(constant, frozenset)
    ]
    assert found == []


def list_constants(code: CodeType) -> Iterator[object]:
    for each in code.co_consts:
        yield each
        if isinstance(each, CodeType):
            yield from list_constants(each)


def test_it_holds_what_a_job_needs_and_no_path_of_this_machine():
    content = build_runtime_zip()
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert {name.split("/")[0] for name in names} == {"sm_remote", "cloudpickle"}
    assert {name.split("/")[1] for name in names if name.startswith("sm_remote/") and name.count("/") > 1} == {
        "wire",
        "checkpoints",
        "runtime",
    }
    assert {name.removesuffix("c") for name in names if name.endswith("c")} == {n for n in names if n.endswith("py")}
    assert os.getcwd().encode() not in content
    assert sys.prefix.encode() not in content


def test_its_modules_are_loaded_from_compiled_code(tmp_path):
    """Source that would fail shows that it is not looked at."""
    path = tmp_path / "runtime.zip"
    with zipfile.ZipFile(io.BytesIO(build_runtime_zip())) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"raise SystemExit('source')" if name.endswith(".py") else source.read(name))
    code = f"import sys; sys.path.insert(0, {str(path)!r}); import sm_remote.runtime.supervise, cloudpickle"
    subprocess.run([sys.executable, "-S", "-c", code], check=True)
