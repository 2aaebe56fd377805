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


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 700
