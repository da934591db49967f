"""Fonts for characters that the font of the plots lacks: Chinese, Japanese, Korean and other scripts."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from bench.present.format import listing, printable_lines

OWN = "DejaVu Sans"  # comes with matplotlib
NO_LETTERS = ("Last Resort", "STIXNonUnicode", "STIXSize", "cm")  # boxes for everything, or glyphs of other characters
MOST_NAMED = 8


def lacking(text: str) -> frozenset[str]:
    """The characters of `text` that the font of the plots does not have."""
    if text.isascii():
        return frozenset()
    return frozenset(each for each in text if each.isprintable() and ord(each) not in _own())


@lru_cache(maxsize=256)
def families(characters: frozenset[str]) -> tuple[str, ...]:
    """The font of the plots, then others of this machine that have `characters`, as few as it takes."""
    found, left = [OWN], set(characters)
    # Sans serif of usual weight first.
    for font in sorted(fontManager.ttflist, key=lambda each: (each.style, each.weight != 400, "Sans" not in each.name)):
        if not left:
            break
        if font.name.startswith(NO_LETTERS) or not (has := left & _characters(font.fname)):
            continue
        found.append(font.name)
        left -= has
    return tuple(found)


def dress(figure: Any) -> set[str]:
    """Give each text of `figure` fonts that have its characters; returns those that no font here has. What an SVG could
    not hold, or a viewer would obey, becomes a question mark."""
    labels = [label for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for label in axis.get_ticklabels()]
    absent: set[str] = set()
    for text in (*figure.findobj(Text), *labels):
        if not text.get_text().isprintable():
            text.set_text(printable_lines(text.get_text()))
        if characters := lacking(text.get_text()):
            fonts = families(characters)
            text.set_fontfamily(list(fonts))
            absent |= characters - set().union(*(_characters(findfont(FontProperties(family=each))) for each in fonts))
    return absent


def absent_note(characters: Iterable[str]) -> str:
    """The line on characters that no font has; empty where there are none."""
    found = sorted(set(characters))
    if not found:
        return ""
    named = [*found[:MOST_NAMED], *([f"{len(found) - MOST_NAMED} others"] if len(found) > MOST_NAMED else [])]
    return (
        f"pictures: no font on this machine has {listing(named)}, so PNG files show boxes; install one (Noto Sans CJK, "
        "for example) and render again"
    )


@lru_cache(maxsize=1)
def _own() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=OWN))).get_charmap())


@lru_cache(maxsize=1024)
def _characters(path: str) -> frozenset[str]:
    """What a font has; nothing where it cannot be drawn at any size, as pictures of emoji."""
    try:
        font = get_font(path)
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()
