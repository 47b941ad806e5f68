"""Each test has an empty home and an empty project, and leaves no notebook settings behind."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from sm_remote.settings import ResolvedSettings, resolve_settings, set_notebook_settings


@dataclass(frozen=True)
class Place:
    """A user's home and a project, with what is written into them."""

    home: Path
    project: Path

    def write_user_file(self, text: str) -> Path:
        path = self.home / ".config" / "sm_remote" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def write_project_file(self, text: str) -> Path:
        path = self.project / "pyproject.toml"
        path.write_text(text)
        return path

    def resolve(self, arguments=None, *, environ=None, cwd=None, notebook=None) -> ResolvedSettings:
        environ = {"HOME": str(self.home), **(environ or {})}
        return resolve_settings(arguments, environ=environ, cwd=cwd or self.project, notebook=notebook)


@pytest.fixture
def place(tmp_path):
    found = Place(home=tmp_path / "home of s'one", project=tmp_path / "project ü")
    found.home.mkdir()
    found.project.mkdir()
    (found.project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    yield found
    set_notebook_settings({})
