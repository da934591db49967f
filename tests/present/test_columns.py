"""A table on a terminal: 80 columns, every name whole, and nothing that a terminal would obey."""

from __future__ import annotations

from bench.present.columns import page_of, to_text, wrapped
from bench.present.tables import Column, Columns, Table, count_cell, table_of, to_csv, to_latex, to_markdown

LONG = "a model with a name that no column of eighty characters has room for"


def table(*names: str, group: str = "") -> Table:
    columns: Columns[str] = [
        (Column("group", "", place="group"), lambda name: group or name[:1]),
        (Column("name", "", numeric=False, place="terminal"), str),
        (Column("model", "model", numeric=False, place="files"), str),
        (Column("length", "length"), lambda name: count_cell(len(name))),
        (Column("comment", "comment", numeric=False), lambda name: "of some length"),
        (Column("why", "", place="above"), lambda name: "short:" if len(name) < 4 else ""),
    ]
    return table_of("names", "Names", names, columns)


def test_each_group_is_a_block_and_its_name_the_first_head() -> None:
    assert to_text(table("mlp", "linear", "moe")).splitlines() == [
        "m    length  comment",
        "  short:",
        "mlp       3  of some length",
        "  short:",
        "moe       3  of some length",
        "",
        "l       length  comment",
        "linear       6  of some length",
    ]


def test_a_name_without_room_stands_over_its_row() -> None:
    lines = to_text(table("linear", LONG, group="all")).splitlines()
    assert lines == [
        "all     length  comment",
        "linear       6  of some length",
        LONG,
        f"            {len(LONG)}  of some length",
    ]


def test_rows_that_are_left_out_are_counted() -> None:
    text = to_text(table(*["linear"] * 12), most_rows=10, more=": see the table")
    assert text.splitlines()[-1] == "… and 2 more rows: see the table"


def test_files_have_the_columns_of_files() -> None:
    found = table("mlp")
    assert to_csv(found).splitlines() == ["model,length,comment", "mlp,3,of some length"]
    assert to_markdown(found).splitlines()[0].split() == ["|", "model", "|", "length", "|", "comment", "|"]
    assert "short:" not in to_latex(found)


def test_a_terminal_obeys_nothing() -> None:
    assert "\x1b" not in to_text(table("\x1b[31m", "linear"))
    assert wrapped("one\x1b two", width=5) == ["one?", "two"]


def test_blocks_stand_apart_and_empty_ones_are_left_out() -> None:
    assert page_of(["a", [], iter(["b", "c"]), ""]) == "a\n\nb\nc\n"
