"""What the README tells people to type works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def join_python_blocks(document: Path) -> str:
    """All Python blocks of a document as one program; each line keeps its number."""
    program: list[str] = []
    inside = False
    for line in document.read_text().splitlines():
        if line.startswith("```"):
            inside = line == "```python"
            line = ""
        program.append(line if inside else "")
    return "\n".join(program) + "\n"


@pytest.mark.service
def test_the_code_of_the_readme_runs_as_a_program(engine: str, tmp_path: Path) -> None:
    program = tmp_path / "readme.py"
    program.write_text(join_python_blocks(ROOT / "README.md"))
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert said[0].startswith("sm_remote:")
    assert "throwing 1,000,000 darts" in said
    assert re.search(r"^3\.1[34]\d*$", done.stdout, re.MULTILINE)
    assert re.search(r"^estimate-pi-\S+ InProgress$", done.stdout, re.MULTILINE)
    assert said[-1] == "division by zero"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    for link in links:
        path, _, anchor = link.partition("#")
        if ":" in path:
            continue
        target = document.parent / path if path else document
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}, link
