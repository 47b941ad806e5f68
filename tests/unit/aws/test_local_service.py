"""What can be wrong before there is a service to ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_remote.aws.local_service import ServiceOptions, ensure_service
from sm_remote.errors import StorageError
from sm_remote.home import Home


def test_a_home_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StorageError, match=r"state.*file.*cannot be used") as caught:
        ensure_service(Home(data=file, cache=file / "cache"), ServiceOptions())
    assert "SM_REMOTE_HOME" in caught.value.fix
