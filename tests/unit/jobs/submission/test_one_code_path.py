"""A job of this machine and the same job on SageMaker are one request, but for role, bucket, image and region.

`pytest -s` shows the differences for every function and cell of the examples. Packages are left out here, since they
would have to be installed. Where they lie the bucket decides, not the target (`capture.packages`): the embedded store
is mounted, as a channel of its own, and of S3 an archive is one of the function's objects.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sm_remote import TrainingInput
from sm_remote.home import LOCAL_BUCKET, find_home
from sm_remote.notebook.flags import parse_flags
from sm_remote.runtime.cell import Cell
from sm_remote.wire.namespace import Namespace
from tests.cells import run_cell
from tests.fakes.memory_s3 import REGION, MemoryS3
from tests.offline_requests import ACCOUNT, BASE, QUICK, build_request

EXAMPLES = Path(__file__).parents[4] / "examples"
LOCAL_ROOT = f"s3://{LOCAL_BUCKET}/sm_remote"
AWS_ROOT = f"s3://sagemaker-{REGION}-{ACCOUNT}/sm_remote"
ALLOWED = {"RoleArn": "role", "AlgorithmSpecification.TrainingImage": "image"}


@dataclass(frozen=True, kw_only=True)
class Example:
    """A function or a cell that an example runs as a job."""

    name: str
    arguments: Mapping[str, Any]
    call: tuple[Callable[..., Any], tuple[Any, ...]]


def list_sources() -> list[Path]:
    return sorted(
        path
        for path in EXAMPLES.rglob("*")
        if path.suffix in (".py", ".ipynb") and re.search(r"@remote\b|%%remote\b", path.read_text(encoding="utf-8"))
    )


def read_examples(path: Path) -> Iterator[Example]:
    for text in _read_cells(path):
        magic, _, body = text.partition("\n")
        if magic.startswith("%%remote"):
            flags = parse_flags(magic.removeprefix("%%remote"), {}, magic="%%remote")
            cell = Cell(body, text=text, filename="<cell>")
            yield Example(name=magic, arguments=flags.settings, call=(cell, (Namespace({}, {}),)))
        elif not magic.startswith("%%"):
            yield from _read_functions(text)


def _read_cells(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return [text]
    cells = json.loads(text)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def _read_functions(text: str) -> Iterator[Example]:
    lines = re.sub(r"^[%!](?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.MULTILINE)
    for node in ast.parse(lines).body:
        for decorator in getattr(node, "decorator_list", ()):
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if getattr(called, "id", "") != "remote":
                continue
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else ()
            yield Example(
                name=node.name,
                arguments={each.arg: _evaluate(each) for each in keywords},
                call=_build_call(ast.unparse(_without_decorators(node)), node.name),
            )


def _evaluate(keyword: ast.keyword) -> Any:
    if keyword.arg == "image_uri":  # an Image is built by a local engine, and the image may differ
        return BASE["image_uri"]
    if keyword.arg == "inputs":  # an example's own data stands for itself: how it is stored is what is compared
        names = defaultdict(lambda: pd.DataFrame({"x": [1, 2]}), TrainingInput=TrainingInput)
        return eval(ast.unparse(keyword.value), {}, names)
    return ast.literal_eval(keyword.value)


def _without_decorators(node: Any) -> Any:
    node.decorator_list = []
    return node


def _build_call(source: str, name: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    func = run_cell(source)[name]
    required = [each for each in inspect.signature(func).parameters.values() if each.default is each.empty]
    return func, tuple(each.name for each in required)


CALLS = [
    pytest.param(example, id=f"{path.name} {example.name}")
    for path in list_sources()
    for example in read_examples(path)
]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One call's requests to both targets, with what both stored."""

    local: dict[str, Any]
    aws: dict[str, Any]
    read_local: Callable[[str], bytes]
    read_aws: Callable[[str], bytes]


@pytest.fixture(scope="module")
def build_pair(tmp_path_factory):
    home, s3 = find_home({"SM_REMOTE_HOME": str(tmp_path_factory.mktemp("targets"))}), MemoryS3()

    def build(call, arguments) -> Pair:
        here = {**arguments, "target": "local", "role": None}
        there = {**BASE, **arguments, "target": "sagemaker", "role": BASE["role"], "region": REGION}
        return Pair(
            local=build_request(here, home, s3, call=call),
            aws=build_request(there, home, s3, call=call),
            read_local=lambda uri: (home.store / uri.removeprefix("s3://")).read_bytes(),
            read_aws=lambda uri: s3.objects[uri.removeprefix("s3://")],
        )

    return build


def flatten(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of a request by their paths; channels and tags by their names."""
    if isinstance(value, Mapping):
        items = [(f"{path}.{name}".lstrip("."), item) for name, item in value.items()]
    elif isinstance(value, list):
        names = [each.get("ChannelName", each.get("Key")) if isinstance(each, dict) else None for each in value]
        items = [
            (f"{path}[{name or index}]", item) for index, (name, item) in enumerate(zip(names, value, strict=True))
        ]
    else:
        return {path: value}
    return {leaf: found for inner, item in items for leaf, found in flatten(item, inner).items()}


def list_differences(pair: Pair) -> dict[str, tuple[Any, Any]]:
    local, aws = flatten(pair.local), flatten(pair.aws)
    return {path: (local.get(path), aws.get(path)) for path in {**local, **aws} if local.get(path) != aws.get(path)}


def explain(path: str, here: Any, there: Any, pair: Pair) -> str | None:
    """Which of the four a difference is; None for any other."""
    if path in ALLOWED:
        return ALLOWED[path]
    if path == "InputDataConfig[sm_remote].DataSource.S3DataSource.S3Uri":
        # Its name is the digest of a list that begins with the bucket.
        listed, listed_there = json.loads(pair.read_local(here)), json.loads(pair.read_aws(there))
        return "bucket" if _move(listed) == listed_there else None
    return "bucket" if _move(here) == there else None


def _move(value: Any) -> Any:
    return json.loads(json.dumps(value).replace(LOCAL_ROOT, AWS_ROOT))


@pytest.mark.parametrize("example", CALLS)
def test_an_examples_requests_differ_only_in_role_bucket_image_and_region(example, build_pair):
    pair = build_pair(example.call, {**example.arguments, **QUICK})
    differences = list_differences(pair)
    print(f"\n{pair.aws['TrainingJobName']}")
    for path, (here, there) in differences.items():
        print(f"  {path}\n    local:     {here}\n    sagemaker: {there}")
    found = {path: explain(path, *both, pair) for path, both in differences.items()}
    assert [path for path, kind in found.items() if kind is None] == []
    assert set(found.values()) <= {"role", "bucket", "image", "region"}
    assert found["RoleArn"] == "role"


def test_every_example_is_looked_at():
    assert {path.name for path in list_sources()} >= {"divide.py", "quickstart.ipynb", "spot.ipynb", "cells.ipynb"}
    assert all(list(read_examples(path)) for path in list_sources())
    assert "train" in {param.values[0].name for param in CALLS}


def test_another_difference_would_be_seen(build_pair):
    pair = build_pair(CALLS[0].values[0].call, dict(QUICK))
    pair.aws["ResourceConfig"]["VolumeSizeInGB"] = 31
    pair.aws["Environment"] = {"ONLY": "there"}
    pair.aws["OutputDataConfig"]["S3OutputPath"] += "x"
    found = {path: explain(path, *both, pair) for path, both in list_differences(pair).items()}
    unexplained = {path for path, kind in found.items() if kind is None}
    assert unexplained == {"ResourceConfig.VolumeSizeInGB", "Environment.ONLY", "OutputDataConfig.S3OutputPath"}
