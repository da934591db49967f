"""A ladder for a terminal: a rung a line, with what is known of it beside it, or below where there is no room."""

import re
from collections.abc import Iterator

from bench.analysis.ladder import Ladder
from bench.analysis.ladder_words import levels, rung, title
from bench.present.columns import WIDTH
from bench.present.columns import wrapped as wrapped_anywhere
from bench.present.format import plural, printable_line
from bench.present.names import short_list
from bench.present.names import width as width_of

MOST_RUNGS, FIRST_RUNGS = 8, 5  # of more than so many the first ones are shown
NAME_WIDTH = 20
INTERVAL = re.compile(r"(?<=[0-9]) (?=\[)|(?<=,) (?=[−0-9.]+\])")  # the spaces of `2.7 [1.1, 4.2]`
LEAST_ROOM = 30  # columns for what is known of a rung; else it stands below


def wrapped(text: str, *, width: int = WIDTH, indent: str = "") -> list[str]:
    """`text` in lines of `width` characters at most, no interval broken; `indent` stands before all but the first."""
    lines = wrapped_anywhere(INTERVAL.sub("\u00a0", text), width=width, indent=indent)
    return [line.replace("\u00a0", " ") for line in lines]


def ladder_lines(ladder: Ladder, *, width: int = WIDTH) -> Iterator[str]:
    """The title, the rungs, and how many more there are."""
    yield from wrapped(title(ladder), width=width)
    count = len(ladder.cells)
    shown = range(count if count <= MOST_RUNGS else FIRST_RUNGS)
    names = short_list([cell.model for cell in ladder.cells], most=NAME_WIDTH)
    name_width = max(width_of(names[index]) for index in shown)
    reached, places = levels(ladder), max(len(f"{ladder.places[index]}") for index in shown)
    level_width = max(len(reached[index]) for index in shown)
    for index in shown:
        name = names[index] + " " * (name_width - width_of(names[index]))
        left = f"{ladder.places[index]:>{places}}  {name}  {reached[index]:{level_width}}"
        yield from _beside(left, rung(ladder, index, names=names), width)
    if count > len(shown):
        yield f"{'…':>{places}}  and {plural(count - len(shown), 'more model')}: see the report"


def _beside(left: str, known: str, width: int) -> Iterator[str]:
    """The lines of one rung."""
    indent = width_of(left) + 3
    if width - indent < LEAST_ROOM:
        yield printable_line(left)
        yield from (f"      {line}" for line in wrapped(known, width=width - 6))
        return
    first, *rest = wrapped(known, width=width - indent) or [""]
    yield printable_line(f"{left}   {first}")
    yield from (" " * indent + line for line in rest)
