"""Names in the room that there is for them: what tells a name from the others is kept."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count

from bench.present.format import printable

MOST = 28  # columns: what fits beside a plot


def width(text: str) -> int:
    """Columns that `text` takes on a terminal: a Chinese character two, a combining accent none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(each) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def cut(text: str, most: int = MOST) -> str:
    """`text` in at most `most` columns, the middle left out."""
    if width(text) <= most:
        return text
    keep = (most - 1) // 2
    return f"{_start(text, most - 1 - keep)}…{_start(text[::-1], keep)[::-1]}"


def short_names(names: Iterable[str], *, most: int = MOST) -> dict[str, str]:
    """Each of `names` in at most `most` columns, no two of them alike.

    The middle of a long name is left out. Where that makes two the same, each shows the place where it first differs
    from the one that is most like it, else it gets a number.
    """
    found = {name: cut(printable(name), most) for name in names}
    alike = sorted(_alike(found))
    for place, name in enumerate(alike):
        neighbours = (
            alike[max(0, place - 1) : place] + alike[place + 1 : place + 2]
        )  # none shares more of its beginning
        ways = [_around(printable(name), printable(other), most) for other in neighbours]
        found[name] = max(ways, key=lambda way: way[0])[1]
    for name in _alike(found):
        taken = set(found.values())
        numbered = (cut(printable(name), most - len(mark)) + mark for mark in map(" ({})".format, count(1)))
        found[name] = next(text for text in numbered if text not in taken)
    return found


def short_list(names: Sequence[str], *, most: int = MOST) -> list[str]:
    """The short name of each of `names`, in their order."""
    short = short_names(names, most=most)
    return [short[name] for name in names]


def _alike(found: dict[str, str]) -> list[str]:
    """The names whose short ones are not theirs alone."""
    often = Counter(found.values())
    return [name for name, text in found.items() if often[text] > 1]


def _around(name: str, other: str, most: int) -> tuple[int, str]:
    """Where `name` first differs from `other`, and its beginning with the word that differs."""
    pairs = enumerate(zip(name, other, strict=False))
    at = start = next((place for place, (a, b) in pairs if a != b), min(len(name), len(other)))
    while start and width(name[start - 1 : at]) <= most // 3 and re.match(r"[\w.=-]", name[start - 1]):
        start -= 1
    called, word = (re.split(r"\W", text, maxsplit=1)[0] for text in (name, name[at:]))
    head = called if width(called) <= most // 2 else _start(name, most // 3)
    before = re.search(r"\w+ $", name[:start])
    if before and width(head + name[before.start() : at] + word) <= most - 2:  # `block 1` says more than `1`
        start = before.start()
    if width(name[:at]) <= most * 3 // 4 or start <= len(head):
        return at, f"{_start(name, most - 1)}…"
    rest = name[start:]
    return at, head + "…" + (rest if width(head + rest) < most else f"{_start(rest, most - 2 - width(head))}…")


def _start(text: str, most: int) -> str:
    """As much of the beginning of `text` as `most` columns hold."""
    if text.isascii():
        return text[:most]
    end = next((end for end in range(1, len(text) + 1) if width(text[:end]) > most), len(text) + 1)
    return text[: end - 1]
