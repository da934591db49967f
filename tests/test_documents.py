"""README and docs say what is so: their tables are the published ones, their links lead somewhere, commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    listed = done.stdout.partition("Commands:")[2]
    return set(re.findall(r"^  (\w[\w-]*)", listed, re.MULTILINE))


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert commands() >= {"run", "report", "list", "fetch"}
    assert not [name for name in commands() if f"bench {name}" not in text]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_a_page_shows_exist(page: Path) -> None:
    shown = set(re.findall(r"python -m bench (\w[\w-]*)", page.read_text(encoding="utf-8")))
    assert shown <= commands()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    gone = [link for link in links if not link.startswith("http") and not (page.parent / link).exists()]
    assert not gone


def test_figures_of_the_readme_are_the_published_ones() -> None:
    """Every row of a table of results stands in a published table, to the letter."""
    published = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "results/published").glob("*/report/tables/models-*.md")
    )
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| (linear|mlp|cnn)\b", line)]
    assert len(rows) >= 9
    assert not [row for row in rows if row not in published]


def test_the_readme_sets_up_with_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("python -m pip install")]
    assert [command.partition(" && ")[2] for command in commands] == [
        "python -m bench run suites/baseline.toml",
        "python -m pytest",
    ]
