"""Where labels go so that they do not cover each other: plain geometry, in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; x to the right, y up."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def holds(self, point: Point) -> bool:
        return self.left < point[0] < self.right and self.bottom < point[1] < self.top

    def inside(self, other: "Box") -> bool:
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )


def spread(wanted: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Heights as near to `wanted` as they can be with `gap` between them, within low and high where they fit.

    Neighbours that are too close form a block, which is centred where its members wanted to be (the way labels of
    a slope chart are set: pool adjacent violators).
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    blocks: list[list[float]] = []  # [sum of wanted starts, members]: the start of a block is their mean
    for rank, index in enumerate(order):
        blocks.append([wanted[index] - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, members = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + members]
    starts = [total / members for total, members in blocks for _ in range(int(members))]
    room = high - (len(wanted) - 1) * gap
    placed = [0.0] * len(wanted)
    for rank, index in enumerate(order):
        placed[index] = max(low, min(starts[rank], room)) + rank * gap
    return placed


def beside(
    anchors: Sequence[Point],
    sizes: Sequence[Point],
    *,
    bounds: Box,
    obstacles: Sequence[Point] = (),
    distance: float = 8.0,
) -> list[Point] | None:
    """Lower left corners of labels of `sizes` (width, height), each beside its anchor, on no other label and on as few
    obstacles as can be. None where one cannot be placed at all: then a legend is needed."""
    placed: list[Box] = []
    for anchor, size in zip(anchors, sizes, strict=True):
        options = [box for box in _around(anchor, size, distance) if box.inside(bounds)]
        free = [box for box in options if not any(box.meets(other) for other in placed)]
        if not free:
            return None
        placed.append(min(free, key=lambda box: sum(box.holds(point) for point in (*obstacles, *anchors))))
    return [(box.left, box.bottom) for box in placed]


def _around(anchor: Point, size: Point, distance: float) -> list[Box]:
    """Right, left, above, below, and the corners, the nearest first."""
    (x, y), (width, height) = anchor, size
    found = []
    for step in (1.0, 2.2):
        away = step * distance
        sides = [(x + away, y - height / 2), (x - away - width, y - height / 2)]
        sides += [(x - width / 2, y + away), (x - width / 2, y - away - height)]
        sides += [(x + away * 0.7, y + away * 0.7), (x + away * 0.7, y - away * 0.7 - height)]
        sides += [(x - away * 0.7 - width, y + away * 0.7), (x - away * 0.7 - width, y - away * 0.7 - height)]
        found += [Box(left, bottom, left + width, bottom + height) for left, bottom in sides]
    return found


def thinned(places: Sequence[float], widths: Sequence[float], *, gap: float) -> list[bool]:
    """Which of the labels centred at `places` (ascending) can be shown side by side: the first, and each that clears
    the last one shown."""
    shown, end = [], float("-inf")
    for place, width in zip(places, widths, strict=True):
        fits = place - width / 2 >= end + gap
        shown.append(fits)
        end = place + width / 2 if fits else end
    return shown
