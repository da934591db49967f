"""The rows of a query to a SQLite file, which is opened to read only and may not name another file."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.errors import DataError

ENDINGS = (".sqlite", ".sqlite3", ".db")
MOST_SECONDS = 60.0
STEPS = 100_000  # of SQLite's machine between two looks at the clock


def rows(path: Path, query: str | None, *, most_cells: int) -> tuple[list[str], Sequence[Sequence[object]]]:
    """Names of the columns, and the rows, of most_cells values in all at most.

    Raises DataError where the query or the file is not one.
    """
    import sqlite3
    from contextlib import closing

    _check_settled(path)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            _confine(connection)
            if query is None:
                raise DataError(
                    f"{path.name}: found no query; needs a SELECT, as of the table {_first_table(connection)!r}"
                )
            cursor = connection.execute(query)
            if cursor.description is None:
                raise DataError(f"{path.name}: query: found nothing that gives rows; needs a SELECT")
            found = cursor.fetchmany(most_cells // max(1, len(cursor.description)) + 1)
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise DataError(f"{path.name}: query: {error}") from None
    names = [column[0] for column in cursor.description]
    if len(found) * len(names) > most_cells:
        raise DataError(f"{path.name}: query: found more rows than fit half of the memory; select fewer")
    for number, row in enumerate(found, 1):
        if blob := next((name for name, value in zip(names, row, strict=True) if isinstance(value, bytes)), None):
            raise DataError(f"{path.name}: row {number:,}: column {blob!r}: found bytes; needs a number or a text")
    return names, found


def _check_settled(path: Path) -> None:
    """What lies beside the file is not in its digest, by which a trial knows its data."""
    for ending in ("-wal", "-journal"):
        beside = path.with_name(path.name + ending)
        if beside.is_file() and beside.stat().st_size:
            raise DataError(f"{path.name}: found changes in {beside.name}; close the program that writes it")


def _confine(connection: Any) -> None:
    """Only reading, and only for so long: no file is attached, nothing is written, no setting changed."""
    import sqlite3

    allowed = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}

    def allow(action: int, *about: object) -> int:
        return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY

    end = time.monotonic() + MOST_SECONDS
    connection.set_authorizer(allow)
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)


def _first_table(connection: Any) -> str:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchone()
    return str(found[0]) if found else "NAME"
