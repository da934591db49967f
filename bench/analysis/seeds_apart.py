"""What a report says of suites that vary `seed.init`, `seed.order` or `seed.split`."""

from collections.abc import Iterable

from bench.analysis.cells import Section
from bench.present.format import listing


def of_seeds_apart(sections: Iterable[Section]) -> str:
    """The sentence on axes of seeds; empty where there are none."""
    axes = dict.fromkeys(axis for section in sections for axis in section.seed_axes)
    if not axes:
        return ""
    one = len(axes) == 1
    return (
        f"{listing(list(axes))} {'varies' if one else 'vary'}: seeds are no settings to choose from, so models are "
        f"compared at the first of {'its' if one else 'their'} values. Where the spread comes from: bench explain."
    )
