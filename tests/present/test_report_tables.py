"""A cell is text, whatever it says: Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io

import pytest

from bench.present.tables import (
    Column,
    Table,
    TableCell,
    escape_latex,
    escape_markdown,
    to_csv,
    to_latex,
    to_markdown,
)


def table(name: str = "mlp", *, best: bool = False) -> Table:
    return Table(
        "models",
        "Models",
        (Column("model", "model", numeric=False), Column("acc", "accuracy", interval=True), Column("n", "n")),
        ((TableCell(name), TableCell("0.9 ± 0.1", 0.9, 0.8, 1.0, best=best), TableCell("5", 5)),),
        ("Conditions: a_b <i>",),
    )


def test_markdown_aligns_numbers_to_the_right() -> None:
    lines = to_markdown(table()).splitlines()
    assert lines[0].split() == ["|", "model", "|", "accuracy", "|", "n", "|"]
    assert [part.strip("-") for part in lines[1].strip("|").split("|")] == [":", ":", ":"]
    assert lines[1].startswith("|:")
    assert lines[1].endswith(":|")
    assert lines[4] == "Conditions: a_b &lt;i&gt;"


def test_best_is_bold() -> None:
    assert "**0.9 ± 0.1**" in to_markdown(table(best=True))
    assert r"\textbf{0.9 $\pm$ 0.1}" in to_latex(table(best=True))
    assert "**" not in to_csv(table(best=True))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a|b", "a&#124;b"),
        ("**x** `y`", r"\*\*x\*\* \`y\`"),
        ("_x", r"\_x"),
        ("learning_rate", "learning_rate"),
        ("[a](http://x)", r"[a\](http://x)"),
        ("&lt;", "&amp;lt;"),
        ("two\nlines", "two lines"),
        ("# title", r"\# title"),
        ("- item", r"\- item"),
        ("1. item", r"\1. item"),
        ("$x$", r"\$x\$"),
    ],
)
def test_markdown_shows_names_as_they_are(name: str, shown: str) -> None:
    assert escape_markdown(name) == shown
    rows = to_markdown(table(name)).splitlines()
    assert rows[2].replace("&#124;", "").count("|") == 4


def test_csv_has_numbers_and_their_interval() -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv(table())))
    assert row == {"model": "mlp", "acc": "0.9", "acc_low": "0.8", "acc_high": "1", "n": "5"}


def test_csv_leaves_empty_what_is_not_there() -> None:
    made = Table("t", "t", (Column("x", "x", interval=True),), ((TableCell("– (a)"),),))
    assert to_csv(made).splitlines()[1] == ",,"


def test_latex_sets_names_as_they_are() -> None:
    assert escape_latex(r"50% of a_b & {c} \d #1 ~^$") == (
        r"50\% of a\_b \& \{c\} \textbackslash{}d \#1 \textasciitilde{}\textasciicircum{}\$"
    )
    text = to_latex(table("x_y"))
    assert r"\begin{tabular}{lrr}" in text
    assert r"x\_y & 0.9 $\pm$ 0.1 & 5 \\" in text


def test_long_tables_are_cut_and_say_so() -> None:
    long = Table("t", "t", (Column("x", "x"),), tuple((TableCell(str(n)),) for n in range(100)))
    text = to_markdown(long, most_rows=10)
    assert "The first 10 of 100 rows" in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 12


def test_an_empty_table_is_a_head() -> None:
    assert to_markdown(Table("t", "t", (Column("x", "x"),), ())).startswith("| x")


def test_rows_fit_their_columns() -> None:
    with pytest.raises(ValueError, match="1 cells"):
        Table("t", "t", (Column("x", "x"),), ((),))
