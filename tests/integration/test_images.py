"""Images that are built by the Docker engine, and jobs that run in them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from sm_remote import Image, remote
from sm_remote.errors import ConfigError, ImageBuildFailed
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.environments.built_images import call_through, ensure_image, require_discovery
from sm_remote.jobs.environments.image_choice import choose_image
from sm_remote.jobs.environments.image_push import push_through
from sm_remote.service.engines.docker.connection import connect_docker
from sm_remote.settings import resolve_settings
from tests.cells import run_cell
from tests.fakes.ecr import FakeEcr
from tests.fakes.registry import PASSWORD, USERNAME, serve_registry

pytestmark = pytest.mark.service

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def define(source: str, **names: Any) -> dict[str, Any]:
    return run_cell(source, {"__name__": "__main__", "remote": remote, **names})


@pytest.mark.docker
def test_a_job_runs_in_an_image_with_files_variables_commands_and_packages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"of {uuid.uuid4()}"  # so that the image is new, whatever an earlier run has left
    (tmp_path / "data.txt").write_text(text)
    image = (
        Image.python(MINOR)
        .pip("cloudpickle==3.0.0")
        .env(MARK='a "b" $HOME')
        .copy(tmp_path, "/opt/tool")
        .run("echo made > /opt/made")
    )
    cell = define(
        """
        @remote(image_uri=image, dependencies=None, stream_logs=False)
        def look():
            import importlib.metadata, os
            uv = [name for _, _, names in os.walk("/") for name in names if name == "uv"]
            texts = [open(name).read() for name in ("/opt/tool/data.txt", "/opt/made")]
            return os.environ["MARK"], texts, importlib.metadata.version("cloudpickle"), uv
        """,
        image=image,
    )
    with caplog.at_level(logging.INFO, "sm_remote"):
        assert cell["look"]() == ('a "b" $HOME', [text, "made\n"], "3.0.0", [])
    assert any(line.startswith("Step 1/") for line in caplog.messages)
    caplog.clear()
    with caplog.at_level(logging.INFO, "sm_remote"):
        cell["look"]()
    assert not [line for line in caplog.messages if line.startswith(("Step", "Building"))]


@pytest.mark.docker
def test_what_an_image_names_wins_over_what_would_travel_and_both_together_are_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    import six

    image = Image.python(MINOR).pip("six==1.15.0")
    cell = define(
        """
        import six
        @remote(image_uri=image, stream_logs=False)
        def look():
            return six.__version__
        """,
        image=image,
    )
    with caplog.at_level(logging.WARNING, "sm_remote"):
        assert cell["look"]() == "1.15.0"
    assert f"six: the job uses the image's 1.15.0 instead of {six.__version__}" in caplog.text
    assert "Image.pip('six==1.15.0')" in caplog.text
    with pytest.raises(ConfigError, match=r"dependencies asks for six>=1\.16"):
        cell["look"].options(dependencies=["six>=1.16"])()


@pytest.mark.docker
@pytest.mark.parametrize("uri", ["no such image", "127.0.0.1:9/nothing:1"])
def test_an_image_that_cannot_be_had_is_a_wrong_setting_and_not_the_services_fault(uri: str) -> None:
    cell = define("@remote(stream_logs=False)\ndef look():\n    pass\n")
    with pytest.raises(ConfigError, match="is not on this machine and cannot be pulled; nothing was sent") as caught:
        cell["look"].options(image_uri=uri)()
    assert caught.value.why
    assert "image_uri" in str(caught.value.fix)


@pytest.mark.docker
def test_an_image_that_was_removed_is_built_again_for_the_job_that_needs_it() -> None:
    image = Image.python(MINOR).env(NUMBER=os.getpid())
    cell = define(
        """
        @remote(image_uri=image, dependencies=None, stream_logs=False)
        def number():
            import os
            return int(os.environ["NUMBER"])
        """,
        image=image,
    )
    assert cell["number"]() == os.getpid()
    docker = connect_docker(os.environ)
    try:
        for item in docker.images(name="sm-remote-local/image"):
            if "NUMBER" in item["Labels"].get("sm_remote.image.description", ""):
                docker.remove_image(item["RepoTags"][0], force=True)
    finally:
        docker.close()
    assert cell["number"]() == os.getpid()


@pytest.mark.docker
def test_a_dockerfile_is_built_with_its_context(tmp_path: Path) -> None:
    from sm_remote.capture.interpreter import describe_interpreter, local_image_uri

    base = local_image_uri(describe_interpreter())
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nCOPY a.txt /opt/a.txt\n")
    (tmp_path / "a.txt").write_text(str(tmp_path))
    (tmp_path / ".dockerignore").write_text("*\n!a.txt\n")
    cell = define(
        """
        @remote(image_uri=image, dependencies=None, stream_logs=False)
        def read():
            return open("/opt/a.txt").read()
        """,
        image=Image.from_dockerfile(tmp_path / "Dockerfile").env(A="1"),
    )
    assert cell["read"]() == str(tmp_path)


@pytest.mark.docker
def test_a_failed_step_is_shown_with_the_tail_of_its_log() -> None:
    cell = define(
        """
        @remote(image_uri=image, dependencies=None)
        def never():
            return 1
        """,
        image=Image.python(MINOR).run("echo before; echo why >&2; exit 3"),
    )
    with pytest.raises(ImageBuildFailed, match="could not be built") as caught:
        cell["never"].submit()
    assert caught.value.facts["step"] == "RUN /bin/sh -c echo before; echo why >&2; exit 3"
    assert sorted(caught.value.facts["log"]) == ["before", "why"]
    assert "non-zero code: 3" in caught.value.why
    assert "Correct that step" in caught.value.fix


@pytest.mark.docker
def test_packages_that_nobody_has_fail_with_the_installers_own_words() -> None:
    image = Image.python(MINOR).pip("no-such-package-of-sm-remote==1.2.3")
    cell = define("f = remote(image_uri=image, dependencies=None)(lambda: 1)", image=image)
    with pytest.raises(ImageBuildFailed) as caught:
        cell["f"].submit()
    assert "no-such-package-of-sm-remote" in caught.value.why


@pytest.mark.docker
def test_a_base_that_cannot_be_pulled_is_named() -> None:
    image = Image.from_uri("127.0.0.1:9/no/such:image").env(A="1")
    cell = define("f = remote(image_uri=image, dependencies=None)(lambda: 1)", image=image)
    with pytest.raises(ImageBuildFailed) as caught:
        cell["f"].submit()
    assert "127.0.0.1:9" in caught.value.why


@pytest.mark.docker
def test_packages_without_a_network_fail_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_REMOTE_HOME", str(tmp_path))  # a service of its own, which reads the proxy at its start
    monkeypatch.setenv("SM_REMOTE_SERVICE_IDLE_S", "5")
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    image = Image.python(MINOR).pip("numpy").env(NUMBER=os.getpid())
    cell = define("f = remote(image_uri=image, dependencies=None)(lambda: 1)", image=image)
    with pytest.raises(ImageBuildFailed) as caught:
        cell["f"].submit()
    assert "could not reach where its packages come from" in caught.value.fix
    assert "RUN python3" in caught.value.facts["step"]


@pytest.mark.docker
def test_an_image_is_pushed_with_credentials_that_are_written_nowhere() -> None:
    connection = connect_with(resolve_settings({}))
    discovery = require_discovery(connection.training_jobs.session.discovery)
    recipe = ensure_image(Image.python(MINOR).env(PUSHED="1"), connection.home, discovery)
    push = push_through(call_through(discovery))
    with serve_registry() as registry:
        target = f"{registry.address}/sm-remote:{recipe.key}"
        push(recipe.uri, target, {"username": USERNAME, "password": PASSWORD})
        assert list(registry.manifests) == [f"sm-remote:{recipe.key}"]
        assert len(registry.blobs) >= 2
    docker = connect_docker(os.environ)
    try:
        names = [tag for item in docker.images() for tag in item["RepoTags"] or ()]
    finally:
        docker.close()
    assert recipe.uri in names
    assert target not in names


@pytest.mark.docker
def test_for_sagemaker_an_image_is_built_here_and_pushed_where_it_is_missing() -> None:
    image = Image.python(MINOR).env(PUSHED="2")
    settings = resolve_settings(
        {"target": "sagemaker", "region": "eu-west-1", "instance_type": "ml.m5.large", "image_uri": image}
    )
    connection = connect_with(settings)
    with serve_registry() as registry:
        ecr = FakeEcr()
        ecr.registry = registry.address
        session = connection.training_jobs.session
        session._clients["ecr"] = ecr
        session.__dict__["account"] = "000000000000"
        uri, python = choose_image(settings, connection)
        assert choose_image(settings, connection)[0] == uri
        assert list(registry.manifests) == [uri.removeprefix(f"{registry.address}/")]
    assert uri.startswith(f"{registry.address}/sm-remote:")
    assert python.minor == MINOR
    assert not python.same_as_host
    assert ecr.calls.count("GetAuthorizationToken") == 1


@pytest.mark.docker
def test_the_command_line_builds_lists_and_prunes(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        command = [sys.executable, "-c", "from sm_remote.cli import main; main()", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    (tmp_path / "images.py").write_text(
        f"from sm_remote import Image\nmine = Image.python({MINOR!r}).env(PLACE={str(tmp_path)!r})\n"
    )
    built = json.loads(run("image", "build", "images.py:mine", "--json"))
    assert built["image"] == f"sm-remote-local/image:{built['key']}"
    assert run("image", "build", "images.py:mine") == built["image"] + "\n"
    listed = {one["image"]: one for one in json.loads(run("image", "list", "--json"))}
    assert listed[built["image"]]["description"] == built["description"]
    run("image", "prune", "--older-than", "1")
    assert built["image"] in run("image", "list", "--json")


@pytest.mark.docker
@pytest.mark.slow
def test_debian_packages_are_there_without_a_registry() -> None:
    cell = define(
        """
        @remote(image_uri=image, dependencies=None, stream_logs=False)
        def write(text):
            import subprocess
            return subprocess.run(["figlet", text], capture_output=True, text=True, check=True).stdout
        """,
        image=Image.python(MINOR).apt("figlet"),
    )
    assert "_" in cell["write"]("ok")


def test_processes_have_no_images_and_the_error_says_what_to_do() -> None:
    cell = define("f = remote(image_uri=image, dependencies=None)(lambda: 1)", image=Image.python(MINOR).env(A="1"))
    with pytest.raises(ImageBuildFailed, match="could not be built") as caught:
        cell["f"].submit()
    assert "jobs run as processes here" in caught.value.why
    assert "Docker" in caught.value.fix


def test_the_command_line_tells_that_processes_have_no_images() -> None:
    command = [sys.executable, "-c", "from sm_remote.cli import main; main()", "image", "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There are no images here")
    assert "Docker" in done.stderr


def test_a_function_may_refer_to_an_image() -> None:
    cell = define(
        """
        @remote(dependencies=None, stream_logs=False)
        def inner():
            return 1

        @remote(dependencies=None, stream_logs=False)
        def outer():
            return inner.options(image_uri=image.pip("numpy"))()
        """,
        image=Image.python(MINOR).apt("git").copy("/etc/hostname", "/opt/x"),
    )
    assert cell["outer"]() == 1


def test_another_python_is_refused_before_anything_is_built() -> None:
    cell = define("f = remote(image_uri=image)(lambda: 1)", image=Image.python("3.5").apt("ffmpeg"))
    with pytest.raises(ConfigError, match=r"has Python 3\.5; this process is Python"):
        cell["f"].submit()


def test_a_file_that_is_not_there_is_named_before_anything_is_sent() -> None:
    cell = define("f = remote(image_uri=image)(lambda: 1)", image=Image.python(MINOR).copy("/no/such/file", "/opt/x"))
    with pytest.raises(ConfigError, match="/no/such/file"):
        cell["f"].submit()
