from __future__ import annotations

import platform

import pytest

from sm_remote.capture.requirements import Requirements, check_python
from sm_remote.errors import ConfigError


def test_requirements_for_another_python_are_refused():
    here = platform.python_version()
    check_python(Requirements(lines=("a",), requires_python=">=3.8"), here)
    with pytest.raises(ConfigError, match=r"is for Python >=4; the job has Python 3"):
        check_python(Requirements(lines=("a",), requires_python=">=4"), here)
    with pytest.raises(ConfigError, match="cannot be read"):
        check_python(Requirements(lines=("a",), requires_python="new"), here)
