"""What is said of spreads by source: the answer first, then what to know."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from bench.explain.decompose import LITTLE, MOST, SOURCES, Explained
from bench.present.format import Scale, exponent, figure, listing, number, plural
from bench.statistics.sources import Spread

POINTS = Scale("points", decimals=3)
NAMES = {"init": "initialisation", "order": "order of the data", "split": "split of the data"}
OTHERS = {"init": "other initial weights", "order": "other orders of the data", "split": "other splits"}
MEANING = (
    "sd: how far two trainings lie apart that differ in this source alone, as a standard deviation of the test "
    "accuracy in points (hundredths), with its 95 % interval, for accuracies that scatter about normally. k trainings "
    "that differ in it leave 1/k of its square. initialisation: the first weights, and dropout; order: also "
    "augmentation; split: the test part where it is drawn, and the validation part."
)
COUNT = 10  # values of each source in the suite that is proposed
EXAMPLES = "test images: one trained model on other test sets of that size, which no training repeats."


def spread_text(spread: Spread) -> str:
    """`0.21 [0.15, 0.34]`, in points."""
    ends = spread.ends
    if ends is None:
        return figure(100 * spread.sd, POINTS) if spread.sd else "0"
    decimals = max(0, min(3, 1 - exponent(100 * spread.sd)))  # two digits of the sd
    mean, low, high = (number(100 * each, decimals=decimals) for each in (spread.sd, *ends))
    return f"{mean} [{low}, {high}]"


def answer(found: Explained) -> str:
    """Which source spreads the accuracy most, and what to repeat."""
    if not found.apart:
        return _seeds_alone(found)
    if len(found.apart) == 1:
        ((name, spread),) = found.apart.items()
        others = listing([NAMES[each] for each in SOURCES if each != name])
        return f"The {NAMES[name]} spreads it by {spread_text(spread)} points; what {others} do was not varied apart."
    first = found.ranked[0]
    if not found.apart[first].sd:
        return f"Neither of them moves it: {listing([NAMES[each] for each in found.ranked])} spread nothing here."
    if len(found.pays) > 1:
        which = listing([f"the {NAMES[each]}" for each in found.pays])
        how = "other seeds, which move all of them" if len(found.pays) == len(SOURCES) else _others(found.pays)
        lead = f"Whether it comes more from {which.replace(' and ', ' or ')} is not shown: repeat with {how}"
    else:
        part = "Most of it comes" if found.share(first) > MOST else "The largest part comes"
        lead = f"{part} from the {NAMES[first]}: repeat with {OTHERS[first]}"
    rest = [name for name in found.ranked if name not in found.pays]
    less, little = ([name for name in rest if (found.share(name) <= LITTLE) == is_little] for is_little in (0, 1))
    told = [f"{_others(names)} add {word}" for names, word in ((less, "less"), (little, "little")) if names]
    return f"{lead}. {_capital('; '.join(told))}." if told else f"{lead}."


def _others(names: Sequence[str]) -> str:
    return listing([OTHERS[name] for name in names])


def _seeds_alone(found: Explained) -> str:
    if found.together is None:
        return "One training: there is no spread."
    return f"All seeds together spread it by {spread_text(found.together)} points."


def of_test_images(found: Explained) -> str:
    """How the test images compare with what repeats would average away; empty where it is not known."""
    if found.examples is None:
        return "What the test images add is not known: which of them were right is not stored of every training."
    alone = f"{spread_text(found.examples)} points"
    if found.drawn and (split := found.apart.get("split")) is not None and split.ends is not None:
        # Drawn without replacement: a split that takes half of the images leaves less to chance than two sets do.
        drawn = found.examples.sd * math.sqrt(1 - found.share_tested)
        what = (
            "more than that: which images are trained on counts too" if split.ends[0] > drawn else "no more than that"
        )
        return f"As many other test images alone spread it by {alone}. The split, which draws them, shows {what}."
    if found.drawn:
        return f"As many other test images alone spread it by {alone}; the split draws them, so that is in it."
    known = [*found.apart.values(), *([found.together] if found.together else [])]
    if known and found.examples.sd < max(spread.sd for spread in known):
        return f"The test images spread it by {alone}, which no repeat narrows: more of them would."
    return f"The test images spread it by {alone}, more than any seed, and no repeat narrows that: more of them would."


def design(found: Explained) -> str:
    """How the sources were varied, in one sentence; what that estimates."""
    if not found.apart:
        return ""
    if found.crossed:
        return "The sources are crossed: each sd is an average over the settings of the others."
    if any(spread.blocks > 1 for spread in found.apart.values()):
        return "Each source was varied at several settings of the others: its sd is an average over these."
    return "One source was varied at a time: its sd is that at one setting of the others, and may differ elsewhere."


def remarks(found: Explained) -> Iterator[str]:
    """What limits the figures of one model."""
    split = found.apart.get("split")
    if split is not None and not split.sd and not found.drawn:
        yield "The split changes nothing here: the data set has a test part of its own, and nothing is held out."
    if any(spread.levels < 3 for spread in found.apart.values()):
        yield "Of fewer than three values of a source there is no interval."
    if any(not spread.sd for spread in found.apart.values()):
        yield "An sd of 0 has no interval: all trainings were alike."
    if not all(spread.whole for spread in found.apart.values()):
        yield "Not every combination is there, so intervals are wider than they need to be."
    for name, (seed, value) in found.odd.items():
        yield (
            f"One training does not belong to the others: accuracy {value:.3f} at seed.{name} {seed}. The sd of the "
            f"{NAMES[name]} hangs on it, and its interval counts on accuracies that scatter about normally."
        )
    if found.lost:
        counts = listing([f"{count} {status}" for status, count in found.lost.items()])
        yield f"Not in it: {counts} of {len(found.results) + sum(found.lost.values())} trainings."
    if found.left_out:
        yield f"Left out: {plural(found.left_out, 'training')} of other code, torch or threads."


def tell_apart(found: Explained, *, count: int = COUNT) -> tuple[str, list[str]]:
    """The sentence that leads to the lines of a suite which varies the sources of one model one at a time, and these.

    The split is left out where it draws nothing."""
    names = [name for name in SOURCES if name != "split" or found.splits]
    trainings = len(names) * (count - 1) + 1
    others = f"[{', '.join(map(str, range(1, count)))}]"
    lines = ["[grid]  # beside data set and model", "seed = [0]"]
    lines += [f'"seed.{name}" = {{ count = {count} }}' for name in names]
    for a, b in combinations(names, 2):
        lines += ["[[exclude]]", f'"seed.{a}" = {others}', f'"seed.{b}" = {others}']
    moved = listing([NAMES[name] for name in names])
    lead = (
        f"`seed` moves {moved} at once: which of them does it these results cannot tell. A suite with these lines can, "
        f"by {trainings} trainings of each model:"
    )
    return lead, lines


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
