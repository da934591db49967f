"""A table out of a CSV, TSV, Parquet or Feather file, every value as its text: what it means is decided elsewhere."""

import csv
import io
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.base import files
from bench.errors import DataError, Unavailable

SEPARATORS = {".csv": ",", ".tsv": "\t"}
COLUMNAR = (".parquet", ".feather")
MOST_COLUMNS = 10_000
MOST_BYTES = 4 << 30
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})  # in small letters


class Columns(dict[str, list[str]]):
    """Column → the text of each row; empty text where a value is missing. `rows`: how many there are; `first`: the line
    of the file that the first of them stands in."""

    def __init__(self, columns: dict[str, list[str]], *, first: int = 1) -> None:
        super().__init__(columns)
        self.rows, self.first = len(next(iter(columns.values()), [])), first

    def place(self, row: int) -> str:
        """`line 7`: where a person finds a row, counted from 0."""
        return f"line {row + self.first}"


def read(path: Path) -> Columns:
    """Raises Unavailable where the file is not there, DataError, in one line, where it is no table."""
    suffix = path.suffix.lower()
    if suffix not in (*SEPARATORS, *COLUMNAR):
        raise DataError(
            f"{path.name}: found a file *{suffix or ' without an ending'}; needs .csv, .tsv, .parquet or .feather"
        )
    if not path.is_file():
        raise Unavailable(f"table: {path.name} is not there: put it where the suite says, or set `path` right")
    try:
        content = files.read(path.resolve(), most_bytes=MOST_BYTES)  # the suite's user named it, and may name a link
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {files.why(error)}") from error
    found = _columnar(path, content) if suffix in COLUMNAR else _lines(path, content, SEPARATORS[suffix])
    if not found.rows:
        raise DataError(f"{path.name}: found no row below the names of the columns")
    return found


def _lines(path: Path, content: bytes, separator: str) -> Columns:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"{path.name}: line {line}: found a byte that is not UTF-8; save the file as UTF-8") from None
    if "\0" in text:
        raise DataError(f"{path.name}: found a byte 0; it is no text, or UTF-16: save the file as UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = _names(path, next(reader, []))
        rows: list[list[str]] = []
        for row in reader:
            if not row:
                continue
            if len(row) != len(names):
                raise DataError(
                    f"{path.name}: line {reader.line_num}: found {len(row)} values; needs {len(names)}, one a column"
                )
            rows.append(row)
    except csv.Error as error:
        raise DataError(f"{path.name}: line {reader.line_num}: {error}") from None
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return Columns({name: list(map(_text, values)) for name, values in zip(names, columns, strict=True)}, first=2)


def _text(value: str) -> str:
    value = value.strip()
    return "" if value.lower() in MISSING else value


def _names(path: Path, names: list[str]) -> list[str]:
    names = [name.strip() for name in names]
    if not any(names):
        raise DataError(f"{path.name}: found nothing in the first line; needs the names of the columns")
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{path.name}: found {len(names):,} columns; needs {MOST_COLUMNS:,} at most")
    if "" in names:
        raise DataError(f"{path.name}: found no name for column {names.index('') + 1}; needs a name for each")
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise DataError(f"{path.name}: found two columns called {twice!r}; needs a name for each")
    return names


def _columnar(path: Path, content: bytes) -> Columns:
    try:
        pyarrow, feather, parquet = map(import_module, ("pyarrow", "pyarrow.feather", "pyarrow.parquet"))
    except ImportError:
        raise Unavailable(
            f"{path.name}: pyarrow is not installed: python -m pip install 'bench-models[parquet]', or save it as .csv"
        ) from None
    try:
        source: Any = pyarrow.BufferReader(content)
        table = feather.read_table(source) if path.suffix.lower() == ".feather" else parquet.read_table(source)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        why = str(error).splitlines()[0][:200]
        raise DataError(f"{path.name}: found no table that pyarrow can read: {why}") from None
    names = _names(path, list(table.column_names))
    return Columns(
        {name: [_of(value) for value in table.column(place).to_pylist()] for place, name in enumerate(names)}
    )


def _of(value: Any) -> str:
    return "" if value is None or value != value else _text(str(value))
