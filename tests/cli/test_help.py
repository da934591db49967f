"""What the help says: plain sentences that fit a terminal of 80 columns, and what the documents show of it exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bench.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its words ("inspect dataset"), in the order of the help."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        yield name, command
        for below, each in getattr(command, "commands", {}).items():
            yield f"{name} {below}", each


COMMANDS = dict(commands())


def test_the_help_lists_every_command_with_a_whole_sentence(command: Callable[..., Any]) -> None:
    listed = command("--help").out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == [name for name in COMMANDS if " " not in name]
    assert not [line for line in listed if not re.search(r"[a-z]\.$", line) or len(line) > 80 or ".." in line]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_fits_80_columns_and_shows_examples(name: str, command: Callable[..., Any]) -> None:
    done = command(*name.split(), "--help")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert f"  {COMMANDS[name].help.splitlines()[0]}" in lines
    shown = [line for line in lines if line.startswith(f"    python -m bench {name} ")]
    assert shown or hasattr(COMMANDS[name], "commands") or name == "doctor"
    undescribed = [each.name for each in COMMANDS[name].params if not getattr(each, "help", "")]
    assert not undescribed


@pytest.mark.parametrize("option", ["--results", "--data-root", "--plugin", "--only", "--shard", "--json"])
def test_an_option_of_several_commands_is_described_in_the_same_words(option: str) -> None:
    params = [each for name, command in COMMANDS.items() for each in command.params if name != "doctor"]
    told = [each.help for each in params if option in each.opts]
    assert len(told) > 1
    assert len(set(told)) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_a_page_shows_with_a_command_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    wrong = []
    for words in re.findall(r"bench ((?:[a-z-]+ )(?:[^\n`|#]*))", text):
        name = next(
            (each for each in sorted(COMMANDS, key=len, reverse=True) if f"{words} ".startswith(f"{each} ")), ""
        )
        options = {option for each in COMMANDS[name].params for option in each.opts} if name else set()
        wrong += [
            (name, option) for option in re.findall(r"(?<= )--[a-z][a-z-]*", words) if name and option not in options
        ]
    assert not wrong


def test_the_documents_name_every_command_and_readme_too() -> None:
    readme, pages = (
        PAGES[0].read_text(encoding="utf-8"),
        "".join(page.read_text(encoding="utf-8") for page in PAGES[1:]),
    )
    assert not [name for name in COMMANDS if f"bench {name}" not in readme]
    assert not [name for name in COMMANDS if f"bench {name}" not in pages]
