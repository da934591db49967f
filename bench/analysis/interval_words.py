"""What the 95 % interval of a mean is for, in words: every place that shows one says it with these."""

from collections import Counter
from collections.abc import Iterable

from bench.statistics.intervals import Estimate, Meaning

# `95 % interval for …`
FOR: dict[Meaning, str] = {
    "recipe": "new seeds and new test images",
    "examples": "new test images alone: of one seed, what other seeds would give is not in it",
    "split": "new seeds and new splits of the data; splits overlap, so more seeds narrow it only so far",
    "seeds_alone": "other seeds alone: which test images were right is not stored, so new images are not in it",
    "seeds": "other seeds (Student's t)",
}
# In a title, where there is no room: `± 95 % (…)`.
SHORT: dict[Meaning, str] = {
    "recipe": "new seeds, new images", "examples": "new images", "split": "new seeds, new splits",
    "seeds_alone": "seeds alone", "seeds": "t",
}  # fmt: skip
# What a difference is paired over: `over 5 seeds …`.
PAIRED: dict[Meaning, str] = {
    "recipe": " and the test images", "examples": " and the test images", "split": ", each with its own split",
    "seeds_alone": "", "seeds": "",
}  # fmt: skip


def meanings(found: Iterable[Estimate | None]) -> list[Meaning]:
    """What the intervals of `found` are for, the most frequent first; those without an interval say nothing."""
    counts = Counter(each.over for each in found if each is not None and each.low is not None)
    return [over for over, _ in counts.most_common()]


def purpose(overs: Iterable[Meaning]) -> str:
    """`95 % interval for new seeds and new test images`; of several kinds each, the most frequent first."""
    first, *others = dict.fromkeys(overs)
    rest = "".join(f"; of some for {FOR[each]}" for each in others)
    return f"95 % interval for {FOR[first]}{rest}"
