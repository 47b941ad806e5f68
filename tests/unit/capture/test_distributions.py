from __future__ import annotations

import json
import sysconfig

from sm_remote.capture.distributions import normalise, providers_of, read_index
from sm_remote.capture.modules import locate


def test_distributions_are_found_by_the_modules_they_provide(install):
    install("some-dist", "2.1", files={"some_pkg/__init__.py": "", "single_mod.py": ""})
    index = read_index()
    assert index.by_module["some_pkg"] == ("some-dist",)
    assert index.by_module["single_mod"] == ("some-dist",)
    one = index.by_name["some-dist"]
    assert (one.name, one.version, one.pin) == ("some-dist", "2.1", "some-dist==2.1")


def test_real_distributions_are_found(here):
    index = read_index()
    assert index.by_module["dateutil"] == ("python-dateutil",)
    assert index.by_name["pandas"].size_bytes > 1_000_000


def test_what_is_installed_later_is_seen(install):
    before = read_index()
    install("brand-new", files={"brand_new.py": ""})
    assert "brand-new" not in before.by_name
    assert "brand-new" in read_index().by_name
    assert read_index() is read_index()


def test_distributions_that_share_a_namespace_are_told_apart(install):
    install("space-one", files={"space/one/__init__.py": ""})
    install("space-two", files={"space/two/__init__.py": ""})
    index = read_index()
    found = locate("space.two")
    assert [one.key for one in providers_of("space.two", found.file, index)] == ["space-two"]
    assert [one.key for one in providers_of("space", None, index)] == ["space-one", "space-two"]


def test_scripts_and_data_outside_the_folder_are_left_out(install):
    site = install("tool", files={"tool.py": "", "a,b.txt": "comma"})
    record = site / "tool-1.0.dist-info" / "RECORD"
    text = record.read_text().replace("a,b.txt", '"a,b.txt"')
    record.write_text(text + "../../../bin/tool,sha256=x,10\n/etc/tool.conf,,\n")
    names = [file.name for file in read_index().by_name["tool"].files]
    assert "tool.py" in names
    assert "a,b.txt" in names
    assert not [name for name in names if name.startswith(("..", "/"))]


def test_a_distribution_without_record_is_its_top_level_folders(install):
    site = install(
        "recordless",
        files={"recordless/__init__.py": "", "recordless/d/x.txt": ""},
        record=False,
        extra_files={"top_level.txt": "recordless\n"},
    )
    one = read_index().by_name["recordless"]
    assert {file.name for file in one.files} >= {"recordless/__init__.py", "recordless/d/x.txt"}
    assert any(file.name.endswith("METADATA") for file in one.files)
    assert one.folder == site


def test_what_conda_installed_without_a_record_is_known_from_condas_own(install, tmp_path, monkeypatch):
    site = install("Conda-Made", files={"conda_made/__init__.py": "", "oddly_named.py": ""}, record=False)
    prefix = tmp_path / "env"
    (prefix / "conda-meta").mkdir()
    inside = site.relative_to(prefix).as_posix()
    files = [f"{inside}/conda_made/__init__.py", f"{inside}/oddly_named.py", "bin/conda-made", "lib/libthing.so"]
    (prefix / "conda-meta" / "conda-made-extra-9-0.json").write_text(json.dumps({"name": "conda-made-extra"}))
    record = {"name": "conda_made", "version": "1.0", "files": files}
    (prefix / "conda-meta" / "conda-made-1.0-py311_0.json").write_text(json.dumps(record))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(prefix))
    one = read_index().by_name["conda-made"]
    assert [file.name for file in one.files] == ["conda_made/__init__.py", "oddly_named.py"]
    assert one.top_modules == {"conda_made", "oddly_named"}
    assert read_index().by_module["oddly_named"] == ("conda-made",)


def test_editable_installs_name_their_source_tree(install):
    url = json.dumps({"url": "file:///home/me/my%20project", "dir_info": {"editable": True}})
    install("editable-one", files={}, extra_files={"direct_url.json": url})
    install("plain-one", files={}, extra_files={"direct_url.json": json.dumps({"url": "file:///x", "dir_info": {}})})
    index = read_index()
    assert str(index.by_name["editable-one"].editable_root) == "/home/me/my project"
    assert index.by_name["plain-one"].editable_root is None


def test_damaged_installations_are_passed_over(install, tmp_path):
    site = install("whole", files={"whole.py": ""})
    (site / "~roken-1.0.dist-info").mkdir()
    (site / "empty.dist-info").mkdir()
    assert "whole" in read_index().by_name


def test_names_are_compared_as_indexes_do():
    assert normalise("Scikit_Learn..x") == "scikit-learn-x"
