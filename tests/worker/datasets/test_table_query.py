"""Tables out of SQLite: read by a query, never written, and never out of another file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import BenchError, DataError
from bench.worker.datasets import table_query
from bench.worker.datasets.table import table

pytestmark = pytest.mark.usefixtures("fresh_cache")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """12 flowers, and a table of bytes."""
    with closing(sqlite3.connect(tmp_path / "own.sqlite")) as connection:
        connection.execute("CREATE TABLE flowers (width REAL, colour TEXT, kind TEXT)")
        rows = [(row / 4, "red" if row % 2 else "blue", "abc"[row % 3]) for row in range(12)]
        connection.executemany("INSERT INTO flowers VALUES (?, ?, ?)", rows)
        connection.execute("CREATE TABLE pictures AS SELECT x'00ff' AS width, 'a' AS kind")
        connection.commit()
    return tmp_path / "own.sqlite"


def read(path: Path, query: str | None = "SELECT * FROM flowers", **settings: Any) -> Any:
    return table(path.parent, path=path, target="kind", query=query, **settings)


def test_a_query_gives_the_rows(path: Path) -> None:
    before = path.read_bytes()
    splits = read(path)
    assert splits.train_inputs[:3].tolist() == [[0, 1, 0], [0.25, 0, 1], [0.5, 1, 0]]
    assert splits.class_names == ("a", "b", "c")
    fewer = read(path, "SELECT width * 2 AS twice, kind FROM flowers WHERE colour = 'red' ORDER BY width DESC")
    assert fewer.train_inputs[:, 0].tolist() == [5.5, 4.5, 3.5, 2.5, 1.5, 0.5]
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir() if file.name.startswith("own")) == ["own.sqlite"]


def test_an_odd_name_of_a_folder_is_no_part_of_the_address(path: Path) -> None:
    folder = path.parent / "a?mode=rwc#b%20 c"
    folder.mkdir()
    path.rename(folder / path.name)
    assert len(read(folder / path.name).train_inputs) == 12


BAD = {
    None: r"found no query; needs a SELECT, as of the table 'flowers'",
    "SELECT * FROM flower": r"query: no such table: flower",
    "SELEKT": r"query: near",
    "SELECT * FROM flowers; DROP TABLE flowers": r"query: You can only execute one statement",
    "DROP TABLE flowers": r"not authorized",
    "DELETE FROM flowers": r"not authorized",
    "ATTACH DATABASE 'other.sqlite' AS other": r"not authorized",
    "PRAGMA journal_mode = WAL": r"not authorized",
    "SELECT * FROM pictures": r"row 1: column 'width': found bytes; needs a number or a text",
    "SELECT width, width, kind FROM flowers": r"found two columns called 'width'",
    "SELECT width, NULL AS x, kind FROM flowers": r"row 1: column 'x' is empty",
    "SELECT * FROM flowers WHERE width > 99": r"found no row",
    "SELECT 9e999 AS x, kind FROM flowers": r"row 1: column 'x': found 'inf'",
    "-- nothing": r"found nothing that gives rows",
}


@pytest.mark.parametrize("query", BAD)
def test_what_no_query_should_do_is_refused_in_one_line(path: Path, query: str | None) -> None:
    before = path.read_bytes()
    with pytest.raises(DataError, match=BAD[query]) as caught:
        read(path, query)
    assert "\n" not in str(caught.value)
    assert str(path.parent) not in str(caught.value)
    assert path.read_bytes() == before


def test_a_query_without_an_end_is_stopped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_query, "MOST_SECONDS", 0.0)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) AS kind FROM n"
    with pytest.raises(DataError, match="query: interrupted"):
        read(path, endless)


def test_changes_that_lie_beside_the_file_are_not_read_without_being_known(path: Path) -> None:
    path.with_name("own.sqlite-wal").write_bytes(b"changes")
    with pytest.raises(DataError, match="own.sqlite: found changes in own.sqlite-wal; close the program"):
        read(path)


def test_damaged_bytes_never_raise_anything_else(path: Path) -> None:
    """Fuzzed: $BENCH_FUZZ_ROUNDS more rounds by hand."""
    content = path.read_bytes()
    for seed in range(int(os.environ.get("BENCH_FUZZ_ROUNDS", "60"))):
        rng = np.random.default_rng(seed)
        damaged = bytearray(content[: rng.integers(1, len(content) + 1)] if rng.random() < 0.2 else content)
        for place in rng.integers(0, len(damaged), rng.integers(1, 9)):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        with suppress(BenchError):  # anything else is a bug
            read(path)
