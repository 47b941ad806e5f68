"""What can be wrong before there is a service to ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_remote import __version__
from sm_remote.aws.local_service import (
    ServiceOptions,
    describe_mismatch,
    ensure_service,
    without_own_variables,
)
from sm_remote.errors import StorageError
from sm_remote.home import Home


def test_a_home_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StorageError, match=r"state.*file.*cannot be used") as caught:
        ensure_service(Home(data=file, cache=file / "cache"), ServiceOptions())
    assert "SM_REMOTE_HOME" in caught.value.fix


RUNNING = {"Version": __version__, "Engine": "docker", "ContainerCredentials": "none", "S3EndpointUrl": None}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (ServiceOptions(), None),
        (ServiceOptions(container_credentials="none", with_s3=False), None),
        (ServiceOptions(container_credentials="profile:dev"), "profile:dev"),
        (ServiceOptions(with_s3=True), "without an S3 server"),
    ],
)
def test_a_service_that_gives_containers_something_else_is_replaced(options: ServiceOptions, why: str | None) -> None:
    found = describe_mismatch(RUNNING, options)
    assert found is None if why is None else why in (found or "")


def test_a_service_that_is_started_from_its_predecessors_shell_does_not_ask_the_predecessor() -> None:
    own = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:2",
        "AWS_ACCESS_KEY_ID": "SMRL0123",
        "AWS_SECRET_ACCESS_KEY": "s",
    }
    assert without_own_variables({**own, "PATH": "/bin"}) == {"PATH": "/bin"}
    mine = {**own, "AWS_ACCESS_KEY_ID": "AKIAMINE"}
    assert without_own_variables(mine) == mine
