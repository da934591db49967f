"""Which colour and shape a model has, in every picture and on the page."""

from collections.abc import Iterable
from dataclasses import dataclass

# Okabe & Ito (2008), without yellow, which is lost on white; the first three differ in black and white too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# As matplotlib and as the page call them. Eight shapes and seven colours have no common divisor: 56 pairs.
SHAPES = {"o": "circle", "s": "square", "^": "triangle", "D": "diamond", "v": "down", "P": "cross", "X": "x",
          "*": "star"}  # fmt: skip
MARKERS = tuple(SHAPES)


@dataclass(frozen=True, slots=True)
class Style:
    """One model's colour and shape, the same in every plot."""

    colour: str
    marker: str


def styles_of(models: Iterable[str]) -> dict[str, Style]:
    """A style for each model, by its place in `models`."""
    return {
        model: Style(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)])
        for index, model in enumerate(dict.fromkeys(models))
    }
