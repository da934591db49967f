"""What a gate finds: the test of each cell and metric, and why what is not decided is not."""

from dataclasses import dataclass, replace
from typing import Literal

from bench.base.metrics import ACCURACY, SPEED, Metric
from bench.pairing.differences import Difference
from bench.pairing.sides import Side
from bench.present.format import plural
from bench.statistics.evidence import Evidence
from bench.statistics.gates import CONFIDENCE, Decision, Told
from bench.statistics.intervals import FEWEST, FEWEST_EQUAL

# What a test is of: how accurate, how fast (or another figure, as a ratio), or whether trials end well at all.
Kind = Literal["accuracy", "ratio", "ending"]
# Why a test tells nothing. Each is explained in docs/gate.md.
Code = Literal[
    "missing_cell", "failed_seeds", "unfinished_seeds", "same_measurement", "mixed_results", "other_machine",
    "other_data", "damaged_lines", "separate_runs", "disturbed_timings", "no_figure", "few_seeds", "not_shown",
    "test_data",
]  # fmt: skip
WITHIN, SLOWER = 0.005, 0.02  # what does not matter: half a point of accuracy, 2 % of speed
A_LATER_SEED_MAY_TELL = frozenset({"few_seeds", "not_shown", "disturbed_timings"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be judged. `within`: a difference of accuracy that does not matter; None: accuracy is not judged.
    `slower`: a share by which `metric` may be worse; None: it is not judged. `across_machines`: accuracies of two
    machines may be compared."""

    within: float | None = WITHIN
    slower: float | None = SLOWER
    metric: Metric | None = None
    across_machines: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not judged or not decided: `text` a clause without a full stop, `todo` what to do about it.
    `seeds`: how many seeds (pairs, of a speed) in all would tell, at an even chance; None: no number can be said."""

    code: Code
    text: str
    todo: str = ""
    seeds: int | None = None


@dataclass(frozen=True, slots=True)
class MarginTest:
    """One metric of one cell. `mean`: of an accuracy the difference after - before, else the ratio after / before, with
    its interval of 90 % (at each end one-sided 5 %). `margin`: of an accuracy a difference, else a share; the margin
    that was asked for, or what the doctor can see where that is more.

    p_worse: of the hypothesis that it is no worse than the margin, `p_adjusted` after Holm; p_fine: that it is worse.
    All three are None where the test was looked at after each round. `left_out`: pairs of which a timing was disturbed.
    `why`: where it tells nothing."""

    kind: Kind
    metric: str
    margin: float
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    p_worse: float | None = None
    p_adjusted: float | None = None
    p_fine: float | None = None
    told: Told = "open"
    identical: bool = False
    left_out: int = 0
    why: Reason | None = None


@dataclass(frozen=True, slots=True)
class GatedCell:
    """One cell before and after. `blocked`: why nothing about it is judged. `notes`: what a reader has to know."""

    name: str
    dataset: str
    model: str
    device: str
    batch_size: int
    settings: dict[str, str]
    cell_ids: tuple[str, str]
    tests: tuple[MarginTest, ...]
    blocked: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> Told:
        if any(test.told == "worse" for test in self.tests):
            return "worse"
        judged = self.tests and all(test.told == "fine" for test in self.tests)
        return "fine" if judged and not self.blocked else "open"

    @property
    def reasons(self) -> list[Reason]:
        """Why it is not decided."""
        return [*self.blocked, *(test.why for test in self.tests if test.why is not None and not self.blocked)]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a gate that measures took. `out_of_time`: it ended because no further round would have ended in time."""

    rounds: int
    seconds: float
    most_seconds: float
    out_of_time: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """The verdict on `after` against `before`. `only`: reasons that are of no cell. `family`: how many tests share the
    error rate. `live`: it was looked at after each round. `unjudged`: why speed was not judged, where it was not asked
    for. `stored`: the folder of what it measured, and `spent` what that took; empty and None where it did not."""

    verdict: Decision
    before: Side
    after: Side
    words: tuple[str, str]
    asked: Asked
    cells: tuple[GatedCell, ...]
    family: int
    live: bool
    differences: tuple[Difference, ...] = ()
    only: tuple[Reason, ...] = ()
    unjudged: str = ""
    stored: str = ""
    spent: Spent | None = None


def few(n: int, *, equal: bool = False) -> Reason:
    """Why `n` pairs tell nothing; `equal`: they are enough, were they not all equal."""
    enough = FEWEST_EQUAL if equal else FEWEST
    text = f"{plural(n, 'pair')}{' without any spread' if equal else ''}: {enough} are needed"
    return Reason("few_seeds", text, f"run {enough} seeds or more")


def not_shown(text: str, found: Evidence | None = None, *, margin: float = 0.0) -> Reason:
    """Why `found` tells nothing, and how many pairs would; `margin`: what of its mean does not matter. Without it no
    number is said: of looks after each pair there is none."""
    if found is None:
        return Reason("not_shown", text)
    seeds = replace(found, mean=found.mean + margin).seeds_to_tell(confidence=CONFIDENCE)
    more = "" if seeds is not None or not found.shared else "more seeds will hardly tell: judge on more test data"
    return Reason("not_shown", text, more, seeds)


def can_change(cell: GatedCell) -> bool:
    """Whether more seeds may still tell something of a cell."""
    if cell.blocked and not any(test.kind == "ending" for test in cell.tests):
        return False
    return any(
        test.told == "open" and (test.why is None or test.why.code in A_LATER_SEED_MAY_TELL) for test in cell.tests
    )


def name_of(metric: str) -> str:
    """What a test is called in a table: accuracy, speed, or the metric."""
    known = {ACCURACY: "accuracy", SPEED: "speed", "": "ends well"}
    return known.get(metric, metric)


def share_text(share: float) -> str:
    """`2 %`, `4.1 %`: a margin as people write it."""
    return f"{100 * share:.2g} %"
