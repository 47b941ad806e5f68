from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from sm_remote.cli.app import app
from sm_remote.settings import ResolvedSettings, resolve_settings
from tests.fakes.cli_world import build_world


def run(tmp_path: Path, *words: str, terminal: bool = True) -> str:
    def resolve() -> ResolvedSettings:
        environ = {"SM_REMOTE_INSTANCE_TYPE": "ml.m5.xlarge", "XDG_CONFIG_HOME": str(tmp_path)}
        return resolve_settings({}, environ=environ, cwd=tmp_path)

    world = build_world(tmp_path, resolve=resolve, terminal=terminal)
    result = CliRunner().invoke(app, ["config", *words], obj=world)
    assert result.exit_code == 0
    return result.stdout


def test_every_setting_has_a_value_and_an_origin(tmp_path: Path) -> None:
    lines = run(tmp_path).splitlines()
    assert lines[0].split() == ["SETTING", "VALUE", "ORIGIN"]
    assert ["target", '"local"', "default"] in [line.split() for line in lines]
    assert ["instance_type", '"ml.m5.xlarge"', "SM_REMOTE_INSTANCE_TYPE"] in [line.split() for line in lines]
    assert ["image_uri", "-", "default"] in [line.split() for line in lines]


def test_help_texts_stand_below_their_setting(tmp_path: Path) -> None:
    shown = run(tmp_path, "-v")
    assert 'instance_type = "ml.m5.xlarge"  (SM_REMOTE_INSTANCE_TYPE)\n    The machine of a job. Several' in shown


def test_a_pipe_gets_tabs(tmp_path: Path) -> None:
    assert run(tmp_path, terminal=False).startswith('target\t"local"\tdefault\n')


def test_settings_are_json_for_programs(tmp_path: Path) -> None:
    found: dict[str, Any] = json.loads(run(tmp_path, "--json"))
    assert found["instance_type"]["value"] == "ml.m5.xlarge"
    assert found["instance_type"]["origin"] == "SM_REMOTE_INSTANCE_TYPE"
    assert found["tags"]["value"] == {}
    assert set(found["target"]) == {"value", "origin", "help"}
