"""Reads settings from environment variables ``SM_REMOTE_<NAME>``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.settings.schema import NAMES, environment_variable, read_text, refuse_name

PREFIX = "SM_REMOTE_"
RESERVED = frozenset({"SM_REMOTE_HOME", "SM_REMOTE_REQUIRE_ENGINE", "SM_REMOTE_ML_ROOT", "SM_REMOTE_STOP_GRACE_S"})
"""Variables that are no settings: they place state, or speak to the tests and to the service alone."""

TESTS = "SM_REMOTE_TEST_"
"""What variables begin with that tests read."""

_VARIABLES = {environment_variable(name): name for name in NAMES}


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Reads the settings in an environment; a variable that is set but empty counts as not set.

    Raises:
        ConfigError: A variable is no setting, or its text is not accepted.
    """
    found = {}
    for variable in environ:
        if not variable.startswith(PREFIX) or variable.startswith(TESTS) or variable in RESERVED:
            continue
        name = _VARIABLES.get(variable)
        if name is None:
            raise refuse_name(variable, [*_VARIABLES, *RESERVED], origin="The environment")
        text = environ[variable]
        if text:
            found[name] = read_text(name, text, origin=variable)
    return found
