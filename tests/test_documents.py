"""README and docs say what is so: their tables are the published ones, their links lead somewhere, commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import NOT_IDENTITY, STATUSES, MeasureSettings, SeedSettings, TrainSettings

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
    *sorted((ROOT / "docs").glob("*.md")),
]


@cache
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_ours_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w/.-])((?:bench|tests|models)/[\w./*-]*\w(?:/|\.py|\.md)?)", text)
    assert not [name for name in named if not list(ROOT.glob(name.rstrip("/").replace("NN", "*")))]


def glossary() -> dict[str, str]:
    """Term → what it is, of every row of the glossary."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `?([^|`]+?)`? \| ([^|]+?) \|", text, re.MULTILINE)
    return {term: meaning for term, meaning in rows if term not in ("term", "status") and not term.startswith("---")}


def test_the_glossary_has_every_word_of_the_contract_and_every_status() -> None:
    words = {"suite", "trial", "cell", "result", "run", "environment", "there"}
    assert not (words | set(STATUSES) | {"missing"}) - set(glossary())


def test_every_term_of_the_glossary_is_used_in_docs_or_outputs() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "glossary.md")
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "bench").rglob("*.py"))
    used = re.sub(r"[\s_-]+", " ", (pages + code).lower())
    assert len(glossary()) > 40
    assert not [term for term in glossary() if re.sub(r"[_-]", " ", term.lower()) not in used]


def check(*pages: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "publish", "--check", *map(str, pages)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_figures_of_readme_and_docs_are_those_of_the_results() -> None:
    """Every block between markers is what the committed results give today."""
    done = check(*PAGES)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_readme_has_no_figures_outside_of_markers() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.compile(r"<!-- bench:\w+ .*?<!-- /bench -->", re.DOTALL)
    assert len(blocks.findall(text)) >= 4
    assert len(re.findall(r"^\| (?:linear|mlp|cnn)\b", text, re.MULTILINE)) >= 9
    assert not re.findall(r"^\| (?:linear|mlp|cnn)\b", blocks.sub("", text), re.MULTILINE)


def test_a_figure_of_the_readme_edited_by_hand_is_found(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| mlp"))
    figure = re.findall(r"0\.\d+ ±", row)[0]
    (tmp_path / "results").symlink_to(ROOT / "results")
    edited = tmp_path / "README.md"
    edited.write_text(text.replace(row, row.replace(figure, "0.999 ±"), 1), encoding="utf-8")
    done = check(edited)
    assert done.returncode == 1
    assert re.search(r"README\.md:\d+: bench:\w+ is stale: line \d+ has .*0\.999 ±", done.stderr)


def test_the_readme_sets_up_with_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("python -m pip install")]
    assert [command.partition(" && ")[2] for command in commands] == [
        "python -m bench run suites/baseline.toml",
        "python -m pytest -n 2 --dist worksteal",
    ]


@pytest.mark.parametrize("kind", [TrainSettings, MeasureSettings, SeedSettings])
def test_every_setting_of_a_suite_is_in_the_documents(kind: Any) -> None:
    text = (ROOT / "docs" / "new-suite.md").read_text()
    wanted = [field.name for field in fields(kind) if field.name not in NOT_IDENTITY]
    assert [name for name in wanted if f"`{name}`" not in text] == []
