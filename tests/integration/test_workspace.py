"""What a job finds around its function, and what runs before it, on each engine."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from sm_remote import CustomFileFilter, Image, remote
from sm_remote.errors import ConfigError, JobFailed, PreflightFailed
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.environments.image_choice import choose_image
from sm_remote.settings.resolution import resolve_settings
from tests.cells import run_cell

pytestmark = pytest.mark.service


def define(source: str, **names: Any) -> dict[str, Any]:
    return run_cell(source, {"__name__": "__main__", "remote": remote, **names})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "it's a prøject"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_the_working_directory_is_the_functions_own(engine: str, project: Path) -> None:
    (project / "data").mkdir()
    (project / "data" / "ünï.txt").write_text("hello")
    (project / "left.csv").write_text("1")
    (project / ".gitignore").write_text("*.csv\n")
    (project / "plugin.py").write_text("NAME = 'plugged in'\n")
    cell = define(
        """
        @remote(include_local_workdir=True)
        def look():
            import importlib, os
            module = importlib.import_module("".join(["plug", "in"]))
            open("written-in-the-job", "w").close()
            here = os.path.dirname(module.__file__) == os.getcwd()
            return open("data/ünï.txt").read(), os.path.exists("left.csv"), module.NAME, here
        """
    )
    assert cell["look"]() == ("hello", False, "plugged in", True)
    assert not (project / "written-in-the-job").exists()


def test_a_filter_says_what_stays_behind(engine: str, project: Path) -> None:
    for name in ("a.py", "b.csv", "c.txt"):
        (project / name).write_text(name)
    cell = define("def look():\n    import os\n    return sorted(os.listdir())")
    look = remote(include_local_workdir=True, custom_file_filter=CustomFileFilter(ignore_name_patterns=["*.csv"]))
    assert look(cell["look"])() == ["a.py", "c.txt"]
    look = remote(include_local_workdir=True, custom_file_filter=lambda folder, names: {"a.py"})
    assert look(cell["look"])() == ["b.csv", "c.txt"]


def test_too_large_a_directory_is_refused_before_anything_is_sent(project: Path) -> None:
    with open(project / "big.bin", "wb") as file:
        file.truncate(5 << 30)
    function = remote(include_local_workdir=True)(define("def f():\n    return 1")["f"])
    with pytest.raises(ConfigError, match=r"holds more than 500\.0 MB") as caught:
        function()
    assert "big.bin (5.4 GB)" in caught.value.why


def test_commands_run_first_in_one_shell_and_their_output_is_in_the_log(
    engine: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "given.txt").write_text("from the notebook")
    cell = define("def look():\n    return open('made.txt').read()")
    commands = [
        "made=made.txt",
        "echo starting; echo 'it''s to stderr' >&2",
        'cat given.txt > "$made"',
        "printf unfinished",
    ]
    look = remote(include_local_workdir=True, pre_execution_commands=commands)(cell["look"])
    assert look() == "from the notebook"
    lines = capsys.readouterr().out.splitlines()
    assert "sm_remote: running 4 pre-execution command(s)" in lines
    assert lines.index("starting") < lines.index("unfinished")
    assert "its to stderr" in lines


def test_a_failing_command_is_the_reason_with_its_exit_code_and_its_last_output(engine: str) -> None:
    cell = define("def f():\n    return 1")
    commands = ["echo fine", "echo before >&2; sh -c 'echo no such package; exit 7'", "echo never"]
    job = remote(pre_execution_commands=commands)(cell["f"]).submit()
    with pytest.raises(JobFailed, match="command 2 of 3 failed with exit code 7") as caught:
        job.result(timeout=120)
    assert "no such package" in caught.value.why
    assert caught.value.facts["exit_code"] == 7
    assert caught.value.facts["command"] == commands[1]
    described = job.describe()
    assert "exit code 7" in described["FailureReason"]
    assert "no such package" in described["FailureReason"]
    assert "never" not in list(job.logs())


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo $NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE"),
        ("echo 'unfinished", "exit code"),
        ("no-such-program --x", "exit code 127"),
        ("kill -KILL $$", "SIGKILL"),
        ("exit 3", "exit code 3"),
    ],
)
def test_whatever_goes_wrong_in_a_command_fails_the_job(command: str, reason: str) -> None:
    cell = define("def f():\n    return 1")
    with pytest.raises(JobFailed, match="pre-execution command 1 of 1") as caught:
        remote(pre_execution_commands=[command])(cell["f"])()
    assert reason in str(caught.value)


def test_a_script_runs_first_whatever_it_is_called(engine: str, project: Path) -> None:
    script = project / "set up's.sh"
    script.write_text('x=1\nif [ "$x" = 1 ]; then echo made > made.txt; fi\n')
    cell = define("def look():\n    return open('made.txt').read()")
    assert remote(pre_execution_script=script)(cell["look"])() == "made\n"
    script.write_text("echo about to fail\nfalse\n")
    with pytest.raises(JobFailed, match=r"pre-execution script failed with exit code 1.*set up's\.sh") as caught:
        remote(pre_execution_script=script)(cell["look"])()
    assert "about to fail" in caught.value.why


def test_what_commands_leave_running_does_not_hold_the_job(engine: str) -> None:
    cell = define("def f():\n    return 1")
    assert remote(pre_execution_commands=["sleep 300 &", "echo started"])(cell["f"])() == 1


def test_a_module_that_a_command_makes_can_be_imported(engine: str) -> None:
    cell = define("def f():\n    import made_by_command\n    return made_by_command.value")
    assert remote(pre_execution_commands=["echo 'value = 5' > made_by_command.py"])(cell["f"])() == 5


def test_commands_and_script_together_are_refused(project: Path) -> None:
    cell = define("def f():\n    return 1")
    with pytest.raises(ConfigError, match="Both"):
        remote(pre_execution_commands=["true"], pre_execution_script="x.sh")(cell["f"])()


def test_a_conda_environment_needs_an_image_that_has_it() -> None:
    cell = define("def f():\n    return 1")
    with pytest.raises(ConfigError, match="conda environment 'science'") as caught:
        remote(job_conda_env="science")(cell["f"])()
    assert "image_uri" in caught.value.fix


MAKE_ENVIRONMENT = """\
import os, sys
root = "/opt/conda/envs/science"
site = root + "/lib/python%d.%d/site-packages" % sys.version_info[:2]
os.makedirs(site + "/inside-1.5.dist-info")
os.mkdir(root + "/bin")
os.symlink(sys.executable, root + "/bin/python3")
open(root + "/pyvenv.cfg", "w").write("home = /usr/bin")
open(site + "/only_in_science.py", "w").write("value = 7")
open(site + "/inside-1.5.dist-info/METADATA", "w").write("Metadata-Version: 2.1\\nName: inside\\nVersion: 1.5\\n")
"""


@pytest.fixture
def with_conda(tmp_path: Path) -> Image:
    """An image with a conda environment that has a package which its own Python lacks."""
    (tmp_path / "make.py").write_text(MAKE_ENVIRONMENT)
    minor = ".".join(map(str, sys.version_info[:2]))
    return Image.python(minor).copy(tmp_path / "make.py", "/opt/make.py").run("python3 /opt/make.py")


@pytest.mark.docker
def test_the_function_runs_in_the_images_conda_environment(with_conda: Image) -> None:
    cell = define(
        """
        def look():
            import only_in_science
            import os

            return only_in_science.value, os.environ["CONDA_DEFAULT_ENV"]
        """
    )
    assert remote(image_uri=with_conda, job_conda_env="science")(cell["look"])() == (7, "science")
    named = with_conda.env(SAGEMAKER_JOB_CONDA_ENV="science")
    assert remote(image_uri=named)(cell["look"])() == (7, "science")
    variables = {"SAGEMAKER_JOB_CONDA_ENV": "science"}
    assert remote(image_uri=with_conda, environment_variables=variables)(cell["look"])() == (7, "science")


@pytest.mark.docker
def test_the_packages_of_the_images_conda_environment_count(with_conda: Image) -> None:
    settings = resolve_settings({"image_uri": with_conda, "job_conda_env": "science"})
    _, python = choose_image(settings, connect_with(settings))
    assert (python.installed or {})["inside"] == "1.5"
    assert "only_in_science" in (python.modules or ())
    assert not python.same_as_host
    _, bare = choose_image(resolve_settings({"image_uri": with_conda}), connect_with(settings))
    assert "inside" not in (bare.installed or {})
    assert bare.same_as_host


@pytest.mark.docker
def test_a_conda_environment_that_the_image_lacks_is_refused_before_anything_is_sent(with_conda: Image) -> None:
    cell = define("def f():\n    return 1")
    with pytest.raises(ConfigError, match="cannot be run in the image") as caught:
        remote(image_uri=with_conda, job_conda_env="art")(cell["f"])()
    assert "no conda environment 'art'" in caught.value.why
    assert "/opt/conda/envs/art" in caught.value.why


@pytest.mark.docker
def test_a_module_that_was_copied_into_an_image_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is here too, so that the function can be defined, but nothing says that it is in a package of the image."""
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "copied_by_hand.py").write_text("VALUE = 11\n")
    monkeypatch.syspath_prepend(str(site))
    minor = ".".join(map(str, sys.version_info[:2]))
    image = Image.python(minor).copy(site / "copied_by_hand.py", "/opt/mine/").env(PYTHONPATH="/opt/mine")
    cell = define("import copied_by_hand\ndef f():\n    return copied_by_hand.VALUE, copied_by_hand.__file__")
    assert remote(image_uri=image, dependencies=None)(cell["f"])() == (11, "/opt/mine/copied_by_hand.py")


def test_a_missing_module_is_told_in_seconds_instead_of_by_a_failed_job(engine: str) -> None:
    cell = define(
        """
        import pandas

        def train():
            return pandas.DataFrame({"a": [1]}).a.sum()
        """
    )
    with pytest.raises(PreflightFailed, match="'pandas'") as caught:
        remote(dependencies=None)(cell["train"])()
    assert "variable 'pandas' used by train()" in caught.value.why
    assert "dependencies" in caught.value.fix


def test_a_proved_call_runs_and_says_nothing(engine: str, caplog: pytest.LogCaptureFixture) -> None:
    cell = define("import pandas\ndef train(frame):\n    return int(frame.a.sum())")
    with caplog.at_level(logging.WARNING, logger="sm_remote"):
        assert remote(cell["train"])(sys.modules["pandas"].DataFrame({"a": [1, 2]})) == 3
    assert not [record for record in caplog.records if "Preflight" in record.getMessage()]


def test_explain_lists_the_working_directory_and_the_commands(project: Path) -> None:
    (project / "a.py").write_text("x" * 1000)
    function = remote(include_local_workdir=True, pre_execution_commands=["pip list"])(define("def f(): pass")["f"])
    shown = str(function.explain())
    assert "(1 files)" in shown
    assert "1.0 kB" in shown
    assert "pip list" in shown
