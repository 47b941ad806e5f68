"""Every page of the documentation can be found from the README, and no link leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = sorted([README, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


def drop_code(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def list_links(page: Path) -> Iterator[tuple[Path, str]]:
    """The files that a page of ours links to or shows, each with its anchor."""
    for markdown, html in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", drop_code(page)):
        name, _, anchor = (markdown or html).partition("#")
        if "://" not in name:
            yield (page.parent / name).resolve() if name else page, anchor


def list_anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", drop_code(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    for target, anchor in list_links(page):
        assert target.exists(), target
        assert not anchor or anchor in list_anchors(target), f"{target.name}#{anchor}"


def test_each_page_is_reached_from_the_readme() -> None:
    reached, waiting = {README}, [README]
    while waiting:
        found = {target for target, _ in list_links(waiting.pop()) if target.suffix == ".md"} - reached
        reached |= found
        waiting += found
    assert {page.name for page in PAGES if page.parent.name == "docs"} <= {page.name for page in reached}
