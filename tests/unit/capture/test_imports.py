from __future__ import annotations

import sys

import pytest

from sm_remote.capture.imports import global_names, resolve_relative, scan_code, scan_source


def test_imports_in_a_body_are_found_in_inner_functions_too():
    def func():
        import os.path as p
        from json import decoder
        from json import loads as l

        def inner():
            import csv

            return csv

        return p, decoder, l, inner

    assert set(scan_code(func.__code__, "")) == {"os.path", "json", "json.decoder", "json.loads", "csv"}


def test_relative_imports_in_a_body_are_resolved_against_the_package():
    names: dict[str, object] = {}
    exec("def func():\n from . import near\n from ..far import thing\n from .... import lost", names)
    found = set(scan_code(names["func"].__code__, "top.sub"))
    assert found == {"top.sub", "top.sub.near", "top.far", "top.far.thing"}


def test_modules_imported_by_name_are_found_where_the_name_is_a_constant():
    def func():
        import importlib

        return importlib.import_module("json.tool")

    assert "json.tool" in scan_code(func.__code__, "")


def test_global_names_include_those_of_inner_functions():
    def func():
        return [sys.path for _ in range(3)] and (lambda: pytest)

    assert {"sys", "pytest", "range"} <= global_names(func.__code__)


def test_source_is_read_without_being_run():
    source = b"""
from __future__ import annotations
import a.b, c
from d import e as f
from . import g
from .h import i
from j import *
__all__ = ["x", "y"]
if TYPE_CHECKING:
    import not_this
if typing.TYPE_CHECKING:
    import nor_this
else:
    import k
if __name__ == "__main__":
    import nor_that
try:
    import l
except ImportError:
    l = None
def lazily():
    import m
raise RuntimeError("never run")
"""
    found = scan_source(source, "pkg")
    assert set(found.names) == {
        *("__future__", "__future__.annotations", "a.b", "c", "d", "d.e", "pkg", "pkg.g", "pkg.h", "pkg.h.i", "j"),
        *("k", "l", "m"),
    }
    assert found.star_packages == ("j",)
    assert found.exports == ("x", "y")
    assert not found.is_dynamic


@pytest.mark.parametrize(
    ("source", "is_dynamic"),
    [
        (b"import importlib\nimportlib.import_module(name)", True),
        (b"for m in pkgutil.iter_modules(__path__): ...", True),
        (b"def __getattr__(name): ...", True),
        (b"importlib.import_module('json')", False),
        (b"class A:\n def __getattr__(self, name): ...", False),
    ],
)
def test_imports_that_only_running_would_tell_are_noticed(source, is_dynamic):
    assert scan_source(source, "pkg").is_dynamic is is_dynamic


def test_constant_names_given_to_import_module_are_imports():
    source = b"import_module('json.tool'); import_module('.near', __package__); __import__('csv')"
    assert set(scan_source(source, "pkg.sub").names) == {"json.tool", "pkg.sub.near", "csv"}


def test_reading_metadata_is_noticed():
    assert scan_source(b"from importlib.metadata import version", "").reads_metadata
    assert not scan_source(b"import importlib", "").reads_metadata


@pytest.mark.parametrize("source", [b"print 'python 2'", b"\x00", b"\xff\xfe"])
def test_source_that_cannot_be_parsed_asks_for_nothing(source):
    assert scan_source(source, "").names == ()


@pytest.mark.parametrize(
    ("name", "level", "package", "absolute"),
    [("x", 1, "a.b", "a.b.x"), ("", 2, "a.b", "a"), ("x", 3, "a.b", None), ("x", 1, "", None)],
)
def test_relative_names_become_absolute(name, level, package, absolute):
    assert resolve_relative(name, level, package) == absolute
