"""The README and docs/ match the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "bench" / "README.md", *(ROOT / "docs").glob("*.md")])


def test_the_documented_settings_are_the_settings() -> None:
    settings = (ROOT / "chatsite" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', settings))
    rows = re.findall(r"^\| (`[^|]+`) \|", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert documented == read


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_path_exists(page: Path) -> None:
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    modules = re.findall(
        r"`((?:chatsite|accounts|upstreams|ledger|tools|conversations|gateway|tests|bench)/[\w/.]*)`", text
    )
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [path for path in modules if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    links = re.findall(r"\]\(([\w./-]*)#([^)\s]+)\)", page.read_text())
    assert [link for link in links if link[1] not in list_anchors(page.parent / link[0] if link[0] else page)] == []


def list_anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as Git hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 700
