from __future__ import annotations

import sys
from types import ModuleType

import pytest

from sm_remote.capture.modules import Origin, find_spec, locate, parents


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("os.path", Origin.STANDARD_LIBRARY),
        ("sys", Origin.STANDARD_LIBRARY),
        ("_json", Origin.STANDARD_LIBRARY),
        ("ensurepip", Origin.STANDARD_LIBRARY),
        ("sm_remote.errors", Origin.OWN),
        ("cloudpickle.cloudpickle", Origin.OWN),
        ("__main__", Origin.MAIN),
        ("numpy.linalg", Origin.INSTALLED),
        ("no_such_module.at_all", Origin.MISSING),
        ("numpy.no_such_module", Origin.MISSING),
    ],
)
def test_modules_are_told_apart_by_where_they_come_from(name, origin):
    assert locate(name).origin is origin


def test_modules_of_the_working_tree_are_found_without_importing_their_packages(write_tree):
    root = write_tree({"pkg/__init__.py": "raise RuntimeError", "pkg/sub/__init__.py": "", "pkg/sub/leaf.py": ""})
    found = locate("pkg.sub.leaf")
    assert (found.origin, found.file, found.is_package) == (Origin.LOCAL, root / "pkg/sub/leaf.py", False)
    assert locate("pkg.sub").is_package
    assert "pkg" not in sys.modules


def test_namespace_packages_have_folders_and_no_file(write_tree):
    write_tree({"space/inner/leaf.py": ""})
    assert locate("space.inner").file is None
    assert locate("space.inner").is_package
    assert locate("space.inner.leaf").origin is Origin.LOCAL


def test_a_module_named_like_one_of_the_standard_library_is_the_users_once_it_is_loaded(write_tree, monkeypatch):
    write_tree({"tomllib.py": "MINE = True"})
    monkeypatch.delitem(sys.modules, "tomllib", raising=False)
    import tomllib

    assert tomllib.MINE
    assert locate("tomllib").origin is Origin.LOCAL


def test_editable_installs_by_a_path_file_are_the_users_source(install, write_tree, tmp_path):
    source = write_tree({"src/mine/__init__.py": ""})
    site = install("mine", files={"__editable__.mine.pth": str(source / "src")})
    sys.path.append(str(source / "src"))
    try:
        assert locate("mine").origin is Origin.LOCAL
    finally:
        sys.path.remove(str(source / "src"))
    assert site.is_dir()


def test_editable_installs_by_a_finder_are_the_users_source(write_tree, monkeypatch):
    root = write_tree({"elsewhere/hooked/__init__.py": "", "elsewhere/hooked/leaf.py": ""})

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            from importlib.util import spec_from_file_location

            if name == "hooked":
                return spec_from_file_location(name, root / "elsewhere/hooked/__init__.py")
            return None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert locate("hooked.leaf").file == root / "elsewhere/hooked/leaf.py"
    assert locate("hooked.leaf").origin is Origin.LOCAL


def test_a_finder_that_fails_is_passed_over(monkeypatch):
    class Broken:
        @staticmethod
        def find_spec(name, path=None, target=None):
            raise RuntimeError(name)

    monkeypatch.setattr(sys, "meta_path", [Broken, *sys.meta_path])
    assert find_spec("json.tool") is not None


def test_packages_installed_into_a_folder_of_ones_own_are_installed(tmp_path, monkeypatch):
    target = tmp_path / "target"
    (target / "vendored").mkdir(parents=True)
    (target / "vendored" / "__init__.py").touch()
    (target / "vendored-1.0.dist-info").mkdir()
    (target / "vendored-1.0.dist-info" / "RECORD").write_text("vendored/__init__.py,,\n")
    (target / "beside.py").touch()
    monkeypatch.syspath_prepend(str(target))
    assert locate("vendored").origin is Origin.INSTALLED
    assert locate("beside").origin is Origin.LOCAL


def test_a_module_named_like_one_of_the_standard_library_is_the_users_before_it_is_loaded_too(write_tree):
    write_tree({"nturl2path.py": ""})
    assert "nturl2path" not in sys.modules
    assert locate("nturl2path").origin is Origin.LOCAL


def test_modules_that_their_package_makes_belong_to_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy.made_by_numpy", ModuleType("numpy.made_by_numpy"))
    assert locate("numpy.made_by_numpy").origin is Origin.INSTALLED


def test_modules_that_exist_in_memory_alone_are_dynamic(monkeypatch):
    monkeypatch.setitem(sys.modules, "made_up", ModuleType("made_up"))
    assert locate("made_up").origin is Origin.DYNAMIC


def test_parents_come_outermost_first():
    assert list(parents("a.b.c")) == ["a", "a.b", "a.b.c"]
