"""Editors and type checkers know every setting, and no other."""

import inspect

from sm_remote import remote
from sm_remote.settings.options import RemoteOptions
from sm_remote.settings.schema import NAMES


def test_the_options_are_the_settings_in_their_order() -> None:
    assert tuple(RemoteOptions.__annotations__) == NAMES


def test_completion_in_a_notebook_offers_the_settings() -> None:
    offered = [name for name in inspect.signature(remote).parameters if name != "func"]
    assert tuple(offered) == NAMES
