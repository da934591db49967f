"""Plain text in columns, for terminals."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)) -> list[str]:
    """Columns as wide as their widest text; those of `left` to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if index in left else text.rjust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def cut(text: str, most: int) -> str:
    """`text` in at most `most` characters, the middle left out."""
    keep = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - 1 - keep]}…{text[len(text) - keep :]}"
