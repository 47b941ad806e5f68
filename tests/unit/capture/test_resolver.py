from __future__ import annotations

import dataclasses
import os

import pytest

from sm_remote.capture.choice import Pin
from sm_remote.capture.fitting import TargetPlatform
from sm_remote.capture.resolver import (
    Question,
    choose_torch,
    drop_below,
    explain_failure,
    find_failing_requirement,
    parse_pins,
    torch_arguments,
)
from sm_remote.capture.uv_program import UvAnswer

ELSEWHERE = TargetPlatform(system="linux", machine="aarch64", glibc=(2, 28), is_host=False)
COMPILED = """\
numpy==2.4.6
    # via
    #   pandas
    #   torch
pandas==3.1.1
    # via -r -
six @ git+https://host/six@0123456789abcdef0123456789abcdef01234567
    # via -r -
./tool-1.5-py3-none-any.whl
    # via -r -
torch==2.13.0+cpu
    # via -r -
typing-extensions==4.0
    # via torch
nested==1
    # via typing-extensions
"""


def test_what_uv_compiles_is_read_with_who_asked_for_it(tmp_path):
    answer = parse_pins(COMPILED, base=tmp_path)
    assert [pin.name for pin in answer.pins] == [
        *("numpy", "pandas", "six", "tool", "torch", "typing-extensions", "nested")
    ]
    assert answer.parents["numpy"] == {"pandas", "torch"}
    assert answer.parents["pandas"] == frozenset()
    assert answer.pins[2].url.startswith("git+https://host/six@0123")
    assert answer.pins[3] == Pin(name="tool", version="1.5", url=(tmp_path / "tool-1.5-py3-none-any.whl").as_uri())


def test_what_only_an_images_framework_needs_is_left_to_the_image(tmp_path):
    left = [pin.name for pin in drop_below(parse_pins(COMPILED, base=tmp_path), ["torch"])]
    assert left == ["numpy", "pandas", "six", "tool", "torch"]


@pytest.mark.parametrize(
    ("has_gpu", "lines", "environ", "backend"),
    [
        (False, ("torch>=2",), {}, "cpu"),
        (True, ("torch>=2",), {}, None),
        (None, ("torch>=2",), {}, None),
        (False, ("sentence-transformers",), {}, "cpu"),
        (False, ("torch>=2",), {"UV_TORCH_BACKEND": "cu128"}, None),
        (False, ("torch>=2",), {"UV_DEFAULT_INDEX": "https://mirror/simple"}, None),
        (False, ("torch>=2",), {"UV_INDEX": "https://download.pytorch.org/whl/cu128"}, None),
        (False, ("torch>=2",), {"UV_INDEX": "https://mine/simple"}, "cpu"),
    ],
)
def test_torch_comes_from_the_index_of_the_machines_kind(has_gpu, lines, environ, backend, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in [name for name in os.environ if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"]:
        monkeypatch.delenv(name)
    for target in (ELSEWHERE, dataclasses.replace(ELSEWHERE, is_host=True)):
        question = Question(lines=lines, minor="3.11", target=target, has_gpu=has_gpu)
        assert choose_torch(question, environ) == backend


def test_a_torch_that_is_installed_here_is_taken_where_it_works(monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    question = Question(lines=("torch",), minor="3.11", target=ELSEWHERE, has_gpu=False, preferred={"torch": "2.9.0"})
    assert choose_torch(question, {}) == "cpu"
    assert choose_torch(dataclasses.replace(question, target=dataclasses.replace(ELSEWHERE, is_host=True)), {}) is None


def test_the_build_that_was_chosen_is_looked_for_where_it_was_found():
    assert torch_arguments([Pin(name="torch", version="2.3.0+cpu")]) == ["--torch-backend", "cpu"]
    assert torch_arguments([Pin(name="torch", version="2.3.0"), Pin(name="other", version="1+cpu")]) == []


@pytest.mark.parametrize(
    ("output", "failing"),
    [
        ("Because there is no version of nope==9.9 and you require nope==9.9", "nope==9.9"),
        ("Failed to build `Broken-Build==1`", "broken-build>=1"),
        ("no route to host", "fine, nope==9.9, broken-build>=1"),
    ],
)
def test_the_failing_requirement_is_the_one_that_is_spoken_of(output, failing):
    assert find_failing_requirement(("fine", "nope==9.9", "broken-build>=1"), output) == failing


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("cause: Failed to fetch: `https://x/simple/six/`\n  cause: dns error", "index cannot be reached"),
        ("Failed to fetch: `https://x/simple/six/`\n  HTTP status client error (403 Forbidden)", "wants credentials"),
        ("Because six was not found in the package registry and you require six", "tell where the package is"),
        ("Because six==1 has no wheels with a matching Python ABI tag", "run another Python"),
        ('Failed to build `six`\n  File "setup.py", line 403, in credentials', "built from its source"),
        ("six>=2 and six<1 are unsatisfiable", "one set fulfils them all"),
        ("something else", "Correct the requirement"),
    ],
)
def test_the_advice_fits_what_uv_said(said, advice):
    question = Question(lines=("six",), minor="3.11", target=ELSEWHERE)
    assert advice in explain_failure(question, UvAnswer(code=1, output="", said=said)).fix
