"""Plain text in columns, for terminals."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from bench.present.format import printable_line
from bench.present.names import width as width_of
from bench.present.tables import Table, TableCell

WIDTH = 80
LEAST_NAME = 12  # characters that are left to the first column, however wide the others are
Row = tuple[TableCell, ...]


def to_text(table: Table, *, width: int = WIDTH, most_rows: int | None = None, more: str = "") -> str:
    """The rows of a table under their heads, without its notes; a block of its own for each group.

    A name that does not fit into the first column stands in a line of its own over its row. After `most_rows` it says
    how many more there are, and `more` behind it.
    """
    group = next((index for index, column in enumerate(table.columns) if column.place == "group"), None)
    blocks: dict[str, list[Row]] = {}
    for row in table.rows[:most_rows]:
        blocks.setdefault("" if group is None else row[group].text, []).append(row)
    left_out = len(table.rows) - sum(map(len, blocks.values()))
    texts = ["\n".join(_block(table, name, rows, width)) for name, rows in blocks.items()]
    return "\n\n".join([*texts, *([f"… and {left_out:,} more rows{more}"] if left_out else [])])


def _block(table: Table, name: str, rows: Sequence[Row], width: int) -> Iterator[str]:
    """The lines of one group. Its name stands over the heads, or as the first head where that is empty."""
    shown = [index for index, column in enumerate(table.columns) if column.place in ("all", "terminal")]
    above = [index for index, column in enumerate(table.columns) if column.place == "above"]
    heads = [table.columns[index].head for index in shown]
    if heads[0]:
        yield from wrapped(name, width=width)
    texts = [[heads[0] or name, *heads[1:]], *([row[index].text for index in shown] for row in rows)]
    others = sum(2 + max(map(width_of, column)) for column in list(zip(*texts, strict=True))[1:])
    room = max(LEAST_NAME, width - others)
    left = [place for place, index in enumerate(shown) if not table.columns[index].numeric]
    lines = aligned([[first if width_of(first) <= room else "", *rest] for first, *rest in texts], left=left)
    for line, (first, *_), row in zip(lines, texts, [(), *rows], strict=True):
        for index in above if row else ():
            yield from wrapped(row[index].text and f"  {row[index].text}", width=width, indent="  ")
        if width_of(first) > room:
            yield from wrapped(first, width=width)
        yield printable_line(line)


def aligned(rows: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)) -> list[str]:
    """Columns as wide as their widest text; those of `left` to the left, numbers to the right."""
    widths = [max(map(width_of, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        gaps = [" " * (width - width_of(text)) for text, width in zip(row, widths, strict=True)]
        both = enumerate(zip(row, gaps, strict=True))
        lines.append("  ".join(text + gap if index in left else gap + text for index, (text, gap) in both).rstrip())
    return lines


def wrapped(text: str, *, width: int = WIDTH, indent: str = "") -> list[str]:
    """`text` in lines of `width` characters at most; `indent` stands before all but the first."""
    if not text.isascii():  # textwrap counts characters, not columns: before a wide one stands another
        text = "".join("\0" * (width_of(each) - 1) + each for each in text.replace("\0", "?"))
        width -= "\0" in text
    lines = textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
    return [printable_line(line.replace("\0", "")) if "\0" in line else printable_line(line) for line in lines]


def page_of(blocks: Iterable[str | Iterable[str]]) -> str:
    """Blocks of lines with an empty line between them; blocks without a line are left out."""
    texts = [block if isinstance(block, str) else "\n".join(block) for block in blocks]
    return "\n\n".join(text for text in texts if text) + "\n"
