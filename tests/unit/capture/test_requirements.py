from __future__ import annotations

import pytest

from sm_remote.capture.requirements import Requirements, read_dependencies
from sm_remote.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "read"), [("auto", "auto"), ("auto_capture", "auto"), (None, None), ("", None), ([], None), ([" "], None)]
)
def test_the_words_of_the_setting(given, read):
    assert read_dependencies(given) == read


def test_a_list_is_its_lines_in_any_order():
    one, two = read_dependencies(["a==1", "b"]), read_dependencies(("b", "a==1"))
    assert isinstance(one, Requirements)
    assert one.lines == ("a==1", "b")
    assert isinstance(two, Requirements)
    assert one.text == two.text


def test_a_file_is_read_with_those_it_includes(tmp_path):
    (tmp_path / "r.txt").write_text("# comment\npandas>=2  # why\n-r more.txt\n-c limits.txt\n--index-url x\n")
    (tmp_path / "more.txt").write_text("numpy\n-r r.txt\n")
    (tmp_path / "limits.txt").write_text("scipy<2\n")
    read = read_dependencies(tmp_path / "r.txt")
    assert isinstance(read, Requirements)
    assert read.lines == ("pandas>=2", "numpy", "scipy<2")
    assert read.file == tmp_path / "r.txt"
    (tmp_path / "limits.txt").write_text("scipy<3\n")
    again = read_dependencies(str(tmp_path / "r.txt"))
    assert isinstance(again, Requirements)
    assert again.text != read.text


@pytest.mark.parametrize("given", [3, [1], "no such file.txt", "environment.yml", b"auto"])
def test_anything_else_is_refused(given):
    with pytest.raises(ConfigError) as caught:
        read_dependencies(given)
    assert caught.value.fix
