from __future__ import annotations

from textwrap import dedent

import pytest

from sm_remote.capture.dependencies import read_dependencies
from sm_remote.capture.requirements import Requirements
from sm_remote.capture.script_metadata import read_cell_metadata
from sm_remote.errors import ConfigError


def read(given) -> Requirements:
    found = read_dependencies(given)
    assert isinstance(found, Requirements)
    return found


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("auto", "auto"), ("auto_capture", "auto"), (None, None), ("", None), ([], None), ([" "], None)],
)
def test_the_words_of_the_setting(given, wanted):
    assert read_dependencies(given) == wanted


def test_a_list_is_its_lines_and_its_options():
    assert read(["a==1", " b ", "--index-url https://i/simple"]).lines == ("a==1", "b")
    assert read(("b", "--index-url https://i/simple")).options == ("--index-url https://i/simple",)


def test_a_file_is_read_with_those_it_includes(tmp_path):
    (tmp_path / "r.txt").write_text(
        "# comment\npandas>=2  # why\n-r more.txt\n-c limits.txt\n--index-url x\nlong==1 \\\n  --hash=sha256:0\n"
    )
    (tmp_path / "more.txt").write_text("numpy\n-r r.txt\n-e git+https://host/o/tool.git@v1#egg=tool\n")
    (tmp_path / "limits.txt").write_text("scipy<2\n")
    found = read(tmp_path / "r.txt")
    assert found.lines == (
        *("pandas>=2", "numpy", "tool @ git+https://host/o/tool.git@v1"),
        "long==1    --hash=sha256:0",
    )
    assert found.options == (f"--constraint {tmp_path / 'limits.txt'}", "--index-url x")


def test_paths_in_a_file_are_meant_from_where_the_file_is(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "r.txt").write_text(
        "-e ../mine[x]\n./w-1-py3-none-any.whl ; python_version > '3'\nname @ file:///a\n-f wheels\n"
    )
    found = read(tmp_path / "sub" / "r.txt")
    assert found.lines == (
        f"{tmp_path}/mine[x]",
        f"{tmp_path}/sub/w-1-py3-none-any.whl; python_version > '3'",
        "name @ file:///a",
    )
    assert found.options == (f"--find-links {tmp_path}/sub/wheels",)


def test_people_are_shown_requirements_without_credentials():
    found = read(["tool @ git+https://token@host/o/tool"])
    assert found.shown == ("tool @ git+https://***@host/o/tool",)


@pytest.mark.parametrize("given", [3, [1], "no such file.txt", "environment.yml", "Pipfile", b"auto", "none.py"])
def test_anything_else_is_refused(given):
    with pytest.raises(ConfigError) as caught:
        read_dependencies(given)
    assert caught.value.fix


def test_a_project_says_its_dependencies_with_their_sources(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        dedent("""
            [project]
            name = "mine"
            version = "1"
            requires-python = ">=3.9"
            dependencies = ["pandas>=2", "Tool_A[x]; python_version > '3'", "lib", "odd"]
            [tool.uv.sources]
            tool-a = { git = "https://host/o/tool", tag = "v2", subdirectory = "py" }
            lib = { path = "../lib", editable = true }
            odd = { index = "mine" }
            [[tool.uv.index]]
            name = "mine"
            url = "https://mine/simple"
        """)
    )
    found = read(tmp_path / "pyproject.toml")
    assert found.lines == (
        "pandas>=2",
        'Tool_A[x] @ git+https://host/o/tool@v2#subdirectory=py ; python_version > "3"',
        f"lib @ {(tmp_path.parent / 'lib').as_uri()}",
        "odd",
    )
    assert found.options == ("--extra-index-url https://mine/simple",)
    assert found.requires_python == ">=3.9"
    assert read(tmp_path).lines == found.lines


@pytest.mark.parametrize(
    "text",
    [
        "[project]\nname='a'\ndynamic=['dependencies']\n",
        "[tool.poetry]\n",
        "not toml",
        "[project]\nname='a'\ndependencies=['b']\n[tool.uv.sources]\nb={workspace=true}\n",
        "[project]\nname='a'\ndependencies=['!!']\n",
    ],
)
def test_a_project_that_does_not_say_them_is_refused(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        read_dependencies(tmp_path / "pyproject.toml")


LOCK = """\
version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "mine"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "six" }]

[package.metadata]
requires-dist = [{ name = "six" }]

[[package]]
name = "six"
version = "1.16.0"
source = { registry = "https://host/simple" }
[package.sdist]
url = "https://host/six-1.16.0.tar.gz"
hash = "sha256:1e61c37477a1626458e36f7b1d82aa5c9b094fa4802892072e49de9c60c4c926"
size = 1
"""


def test_a_projects_uv_lock_is_taken_as_it_is_and_nothing_is_written_beside_it(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname='mine'\nversion='1'\nrequires-python='>=3.10'\ndependencies=['six']\n"
    )
    (tmp_path / "uv.lock").write_text(LOCK)
    for given in (tmp_path, tmp_path / "uv.lock", tmp_path / "pyproject.toml"):
        found = read(given)
        assert found.lines == ("six==1.16.0",)
        assert found.requires_python == ">=3.10"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pyproject.toml", "uv.lock"]


def test_a_broken_uv_lock_is_refused_with_what_uv_says(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname='mine'\nversion='1'\nrequires-python='>=3.10'\n")
    (tmp_path / "uv.lock").write_text("version = 1\nnonsense\n")
    with pytest.raises(ConfigError, match="uv said"):
        read_dependencies(tmp_path)


PYLOCK = """\
lock-version = "1.0"
requires-python = ">=3.10"
[[packages]]
name = "numpy"
version = "2.2.6"
marker = "python_full_version < '3.11'"
index = "https://host/simple"
[[packages]]
name = "tool"
vcs = {type = "git", url = "https://host/o/tool.git", commit-id = "0123", subdirectory = "py"}
[[packages]]
name = "mine"
directory = {path = "../mine"}
[[packages]]
name = "other"
archive = {url = "https://host/other-1.zip"}
"""


def test_a_pylock_is_read_as_its_exact_versions_and_places(tmp_path):
    for name in ("pylock.toml", "pylock.dev.toml"):
        (tmp_path / name).write_text(PYLOCK)
        found = read(tmp_path / name)
        assert found.lines == (
            "numpy==2.2.6 ; python_full_version < '3.11'",
            "tool @ git+https://host/o/tool.git@0123#subdirectory=py",
            f"mine @ {(tmp_path.parent / 'mine').as_uri()}",
            "other @ https://host/other-1.zip",
        )
        assert (found.options, found.requires_python) == ((), ">=3.10")


@pytest.mark.parametrize(
    "text",
    ["", "lock-version = '2.0'\npackages = []", "lock-version = '1.0'\n[[packages]]\nname = 'x'", "lock-version ="],
)
def test_a_pylock_that_is_not_understood_is_refused(tmp_path, text):
    (tmp_path / "pylock.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"pylock\.toml"):
        read_dependencies(tmp_path / "pylock.toml")


def test_an_environment_file_is_read_as_its_python_packages(tmp_path, caplog):
    (tmp_path / "environment.yml").write_text(
        dedent("""
            name: mine
            channels:
              - conda-forge
            dependencies:
              - python=3.11
              - numpy=2.1
              - conda-forge::pandas>=2,<4   # a comment
              - scipy=1.14.1=py311h1
              - "pytorch"
              - libblas=3.9
              - pip
              - pip:
                  - transformers==4.40
                  - -e ./mine
            prefix: /opt/conda/envs/mine
        """)
    )
    with caplog.at_level("INFO", "sm_remote"):
        found = read(tmp_path / "environment.yml")
    assert found.lines == (
        *("numpy==2.1.*", "pandas>=2,<4", "scipy==1.14.1", "torch", "transformers==4.40"),
        f"{tmp_path}/mine",
    )
    assert found.requires_python == "==3.11.*"
    assert "libblas" in caplog.text


def test_yaml_may_be_written_in_one_line(tmp_path):
    (tmp_path / "environment.yml").write_text("dependencies: [numpy=1.26, {pip: [six]}]\n")
    assert read_dependencies(tmp_path / "environment.yml").lines == ("numpy==1.26.*", "six")


@pytest.mark.parametrize(
    "text",
    [
        *("dependencies: numpy\n", "dependencies:\n  - numpy[version='>1']\n", "dependencies:\n  x: y\n", "- numpy\n"),
        *("dependencies: [numpy\n", "dependencies: [3.1]\n", "dependencies: [{pip: numpy}]\n", "dependencies: [[a]]\n"),
    ],
)
def test_yaml_that_is_not_understood_is_refused_and_never_guessed(tmp_path, text):
    (tmp_path / "environment.yml").write_text(text)
    with pytest.raises(ConfigError, match="not understood"):
        read_dependencies(tmp_path / "environment.yml")


CELL = """\
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "pandas>=2",
#   "tool",
# ]
# [tool.uv.sources]
# tool = { git = "https://host/o/tool" }
# [[tool.uv.index]]
# url = "https://mine/simple"
# ///
import pandas
"""


def test_a_cell_says_its_dependencies_in_a_comment(tmp_path):
    found = read_cell_metadata(CELL)
    assert found is not None
    assert found.lines == ("pandas>=2", "tool @ git+https://host/o/tool")
    assert found.options == ("--extra-index-url https://mine/simple",)
    assert found.requires_python == ">=3.10"
    (tmp_path / "script.py").write_text(CELL)
    assert read(tmp_path / "script.py").lines == found.lines


def test_a_cell_without_metadata_says_nothing():
    assert read_cell_metadata("import pandas\n# /// other\n# a = 1\n# ///\n") is None


@pytest.mark.parametrize(
    "cell", ["# /// script\n# nonsense\n# ///\n", "# /// script\n# dependencies = 'a'\n# ///\n", CELL + CELL]
)
def test_metadata_that_cannot_be_read_is_refused(cell):
    with pytest.raises(ConfigError):
        read_cell_metadata(cell)
