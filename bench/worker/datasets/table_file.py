"""A table out of a CSV, TSV, Parquet, Feather or SQLite file, every value as its text: what it means is decided in
`table_columns`."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.base import files
from bench.errors import DataError, Unavailable
from bench.worker.datasets import table_query

SEPARATORS = {".csv": ",", ".tsv": "\t"}
COLUMNAR = (".parquet", ".feather")
ENDINGS = (*SEPARATORS, *COLUMNAR, *table_query.ENDINGS)
MOST_COLUMNS = 10_000
CELL_BYTES = 64  # that a value takes at least as a text of Python
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})  # in small letters


@dataclass(frozen=True)
class Columns:
    """values: column → the text of each row; empty where a value is missing. lines: where a person finds each row."""

    label: str
    values: dict[str, list[str]]
    lines: Sequence[int]
    noun: str = "row"

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """`own.csv: line 7`, of a row counted from 0."""
        return f"{self.label}: {self.noun} {self.lines[row]:,}"


def read(path: Path, *, query: str | None = None) -> Columns:
    """Raises Unavailable where pyarrow is needed and absent, DataError, in one line, where it is no table."""
    suffix = path.suffix.lower()
    if suffix not in ENDINGS:
        raise DataError(f"{path.name}: found the ending {suffix!r}; needs one of {', '.join(ENDINGS)}")
    if query is not None and suffix not in table_query.ENDINGS:
        raise DataError(f"{path.name}: found a query; only a file of SQLite has one ({', '.join(table_query.ENDINGS)})")
    try:
        if suffix in table_query.ENDINGS:
            names, rows = table_query.rows(path, query, most_cells=_most_cells())
            found = _of_rows(path, names, rows)
        else:
            content = files.read(path, most_bytes=_most_bytes())
            found = _columnar(path, content) if suffix in COLUMNAR else _lines(path, content, SEPARATORS[suffix])
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {files.why(error)}") from error
    if not len(found):
        raise DataError(f"{path.name}: found no row below the names of the columns")
    return found


def _most_cells() -> int:
    """That fit half of the memory."""
    return psutil.virtual_memory().available // (2 * CELL_BYTES)


def _most_bytes() -> int:
    """Of a file: its values take some ten times as much as texts of Python."""
    return psutil.virtual_memory().available // 16


def _check_cells(label: str, rows: int, columns: int) -> None:
    if rows * columns > _most_cells():
        raise DataError(f"{label}: found {rows:,} rows of {columns:,} columns; needs to fit half of the memory")


def _lines(path: Path, content: bytes, separator: str) -> Columns:
    reader = csv.reader(io.StringIO(_decoded(path, content), newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    before = 0
    try:
        names = _names(path, next(reader, []))
        _check_separator(path, names)
        for row in reader:
            before, line = reader.line_num, before + 1 if before else 2
            if not row:
                continue
            if len(row) != len(names):
                raise DataError(
                    f"{path.name}: line {line:,}: found {len(row):,} values; needs {len(names):,}, one a column"
                )
            rows.append(row)
            lines.append(line)
    except csv.Error as error:
        raise DataError(f"{path.name}: line {reader.line_num:,}: {error}") from None
    columns = [[_text(row[place]) for row in rows] for place in range(len(names))]
    return Columns(path.name, dict(zip(names, columns, strict=True)), lines, "line")


def _decoded(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"{path.name}: line {line:,}: found a byte that is not UTF-8; save the file as UTF-8") from None
    if "\0" in text:
        raise DataError(f"{path.name}: found a byte 0: it is no text, or UTF-16; save the file as UTF-8")
    return text


def _check_separator(path: Path, names: Sequence[str]) -> None:
    found = next((sign for sign in (";", "\t", ",") if len(names) == 1 and sign in names[0]), None)
    if found:
        raise DataError(
            f"{path.name}: line 1: found one column called {names[0]!r}; save it with commas between the values (.csv) "
            "or tabs (.tsv)"
        )


def _text(value: str) -> str:
    value = value.strip()
    return "" if value.lower() in MISSING else value


def _names(path: Path, found: Iterable[str]) -> list[str]:
    names = [name.strip() for name in found]
    if not any(names):
        raise DataError(f"{path.name}: found nothing in the first line; needs the names of the columns")
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{path.name}: found {len(names):,} columns; needs {MOST_COLUMNS:,} at most")
    if "" in names:
        raise DataError(f"{path.name}: found no name for column {names.index('') + 1}; needs a name for each")
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DataError(f"{path.name}: found two columns called {twice!r}; needs a name for each")
    return names


def _columnar(path: Path, content: bytes) -> Columns:
    try:
        import pyarrow
        from pyarrow import feather, parquet
    except ImportError:
        raise Unavailable(
            f"{path.name}: pyarrow is not installed: python -m pip install 'bench-models[parquet]', or save it as .csv"
        ) from None
    try:
        source: Any = pyarrow.BufferReader(content)
        if path.suffix.lower() == ".parquet":
            file = parquet.ParquetFile(source)
            _check_cells(path.name, file.metadata.num_rows, file.metadata.num_columns)
            table = file.read()
        else:
            table = feather.read_table(source)
        table.validate(full=True)  # else a damaged offset would be followed out of the memory
        names = _names(path, table.column_names)
        _check_cells(path.name, table.num_rows, len(names))
        columns = [[_of(value) for value in table.column(place).to_pylist()] for place in range(len(names))]
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        why = str(error).partition("\n")[0][:200]
        raise DataError(f"{path.name}: found no table that pyarrow can read ({why})") from None
    return Columns(path.name, dict(zip(names, columns, strict=True)), range(1, table.num_rows + 1))


def _of_rows(path: Path, found: Sequence[str], rows: Sequence[Sequence[object]]) -> Columns:
    names = _names(path, found)
    columns = [[_of(row[place]) for row in rows] for place in range(len(names))]
    return Columns(path.name, dict(zip(names, columns, strict=True)), range(1, len(rows) + 1))


def _of(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return _text(str(value))
