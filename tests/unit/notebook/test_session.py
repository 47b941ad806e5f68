"""What `%remote` says of a line that it cannot take."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sm_remote.errors import ConfigError
from sm_remote.notebook.session import run_line

SHELL = SimpleNamespace(user_ns={})


def test_a_setting_that_is_written_as_an_assignment_is_shown_as_the_flag_that_sets_it():
    with pytest.raises(ConfigError) as caught:
        run_line("instance_type=ml.m5.xlarge", SHELL)
    assert "`%remote --instance-type ml.m5.xlarge`" in caught.value.fix


def test_a_word_that_is_no_command_is_told_those_that_are():
    with pytest.raises(ConfigError) as caught:
        run_line("list", SHELL)
    assert caught.value.fix.startswith("It knows jobs, attach")
