"""How many times one cell is another: in pairs where their trials shared the time by turns; and what to say of it."""

from collections.abc import Iterable

from bench.analysis.cells import Cell
from bench.base.metrics import SPEED
from bench.present.format import span
from bench.statistics.intervals import FEWEST, Over, Ratio, Sample, log_ratio
from bench.statistics.paired_ratios import log_ratios, paired_ratio


def ratio(a: Cell, b: Cell, *, metric: str) -> Ratio | None:
    """How many times `a` is `b`; None where a seed of either was not measured, or is zero. Speeds of trials that shared
    the time are compared round by round; others by Welch's interval, as if each had run alone."""
    first, second = list(a.by_seed(metric).values()), list(b.by_seed(metric).values())
    if a.estimate(metric) is None or b.estimate(metric) is None or min(*first, *second) <= 0:
        return None
    return (_paired(a, b) if metric == SPEED else None) or log_ratio(first, second)


def paired_logs(a: Cell, b: Cell) -> dict[int, Sample]:
    """Seed → the logarithm of how many times `a` is `b` in each round, of the seeds whose two trials were of one group,
    in the order of `a`; a repeat of a seed has a key of its own. Empty where a trial would be its own pair."""
    one, other = a.rounds, b.rounds
    shared = [seed for seed in one if seed in other and one[seed].group_id == other[seed].group_id]
    same = a.trial.cell_id == b.trial.cell_id and {r.run_id for r in a.ok} & {r.run_id for r in b.ok}
    return {} if same else {seed: log_ratios(one[seed].rounds, other[seed].rounds) for seed in shared}


def _paired(a: Cell, b: Cell) -> Ratio | None:
    """The ratio over the seeds whose two trials were of one group; None where too few seeds of both are left."""
    seeds = a.by_seed(SPEED).keys() & b.by_seed(SPEED).keys()
    logs = paired_logs(a, b)
    found = paired_ratio([logs[seed] for seed in sorted(logs)])
    over = 0 if found is None else found.n if found.over == "seeds" else 1
    return found if over >= min(FEWEST, len(seeds)) else None


def basis(*found: Ratio, apart: str = "the models ran one after the other", replicates: str = "seeds") -> str:
    """What the intervals of ratios of one kind are, in words. `apart`: how those ran that shared no time."""
    count, over = span(each.n for each in found), found[0].over
    if over == "seeds":
        return f"paired: both trained by turns, in the same rounds, {count} {replicates}"
    if over == "rounds":
        return f"paired, over {count} rounds of one seed: both trained by turns; other seeds are not in it"
    return f"not paired: {apart}"


def bases(
    found: Iterable[Ratio | None], *, apart: str = "the models ran one after the other", replicates: str = "seeds"
) -> list[str]:
    """The `basis` of each kind among ratios that have an interval."""
    kinds: dict[Over, list[Ratio]] = {}
    for each in found:
        if each is not None and each.low is not None:
            kinds.setdefault(each.over, []).append(each)
    return [basis(*each, apart=apart, replicates=replicates) for each in kinds.values()]
