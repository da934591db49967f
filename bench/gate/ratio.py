"""The test of one cell's speed, or of another figure that is above 0: as a ratio, after over before."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from bench.analysis.cells import Cell, doubtful
from bench.analysis.metric_words import DOCTORED
from bench.analysis.ratios import paired_logs
from bench.analysis.trust import happened
from bench.base.metrics import SPEED, Metric
from bench.gate.records import MarginTest, Reason, few, not_shown, share_text
from bench.gate.trust import Words, ran_together
from bench.present.format import listing
from bench.results.doctor import Doctor, newest
from bench.results.frame import pools
from bench.statistics.evidence import Evidence, evidence_of
from bench.statistics.gates import CONFIDENCE, first_told, sequential_ends, unpaired
from bench.statistics.intervals import FEWEST, Sample

BY_TURNS = "measure both by turns: python -m bench gate SUITE --against PYTHON"
NO_TURNS = (
    "trials of both sides took no turns (loader workers, engine vectorized, measure.turns = 1, or no memory for both)",
    "judge the accuracy alone: --slower off",
)


def ratio_test(
    before: Cell,
    after: Cell,
    metric: Metric,
    *,
    slower: float,
    doctors: Iterable[Doctor],
    family: int | None,
    words: Words,
) -> MarginTest:
    """Whether `after` is worse than `before` in `metric` by more than the share `slower`, or than what the doctor says
    can be seen, where that is more. `family`: as of `accuracy_test`."""
    margin = max([slower, *(_smallest(before, after, doctors) if metric.name in DOCTORED else ())])
    test = MarginTest("ratio", metric.name, margin)
    if why := _no_figure(before, after, metric, words):
        return replace(test, why=why)
    least = math.log1p(margin)
    paired = _paired(before, after) if metric.name == SPEED else {}
    if paired and family is not None:
        quiet = before.undisturbed & after.undisturbed  # a disturbed pair does not count: others come after it
        logs = np.array([log for seed, log in paired.items() if seed in quiet])
        test = replace(test, left_out=len(paired) - len(logs))
        if test.left_out and len(logs) < FEWEST:
            return replace(test, n=len(logs), why=_disturbed(before, after, words))
        return _looked_at(test, logs, least, family)
    if not paired and metric.timed and not _same_run(before, after):
        apart = NO_TURNS if family is not None else ("the two sides ran at different times", BY_TURNS)
        return replace(test, why=Reason("separate_runs", *apart))
    if doubtful(metric, before, after):
        return replace(test, n=len(paired), why=_disturbed(before, after, words))
    if paired:
        return _at_once(test, evidence_of(list(paired.values())), least, sign=1)
    return _apart(test, before, after, metric, least)


def _apart(test: MarginTest, before: Cell, after: Cell, metric: Metric, least: float) -> MarginTest:
    """The test of figures that are not paired."""
    sign = 1 if metric.higher_is_better else -1
    values = [np.log(list(cell.by_seed(metric.name).values())) for cell in (after, before)]
    if metric.timing or any(np.ptp(each) > 0 for each in values):
        return _at_once(test, unpaired(*values), least, sign)
    log = float(values[0][0] - values[1][0])  # a count has no noise
    is_worse = sign * log < -least
    ratio = math.exp(log)
    return replace(
        test, mean=ratio, low=ratio, high=ratio, n=min(map(len, values)), identical=log == 0,
        p_worse=float(not is_worse), p_fine=float(is_worse),
    )  # fmt: skip


def _at_once(test: MarginTest, found: Evidence, least: float, sign: int) -> MarginTest:
    ends = found.interval(CONFIDENCE) if found.n > 1 else None
    low, high = (None, None) if ends is None else map(math.exp, ends)
    worse, fine = found.p_less(-least), found.p_greater(-least)
    if sign < 0:
        worse, fine = found.p_greater(least), found.p_less(least)
    why = few(found.n, equal=found.n >= FEWEST)
    if found.can_tell:
        why = not_shown(_lost(test), found, margin=sign * least)
    return replace(test, mean=math.exp(found.mean), low=low, high=high, n=found.n, p_worse=worse, p_fine=fine, why=why)


def _lost(test: MarginTest) -> str:
    return f"a loss of more than {share_text(test.margin)} is neither shown nor excluded"


def _looked_at(test: MarginTest, logs: Sample, least: float, family: int) -> MarginTest:
    told, _ = first_told(logs + least, tests=family)
    ends = sequential_ends(logs)
    low, high = (None, None) if ends is None else map(math.exp, ends)
    why = None
    if told == "open":
        why = few(len(logs)) if len(logs) < FEWEST else not_shown(_lost(test))
    return replace(test, mean=math.exp(logs.mean()), low=low, high=high, n=len(logs), told=told, why=why)


def _smallest(before: Cell, after: Cell, doctors: Iterable[Doctor]) -> list[float]:
    doctors = list(doctors)
    found = []
    for cell in (before, after):
        doctor = newest(doctors, machine=cell.machine)
        share = None if doctor is None else doctor.smallest_difference(cell.trial.device)
        if share is not None and 0 < share < math.inf:
            found.append(share)
    return found


def _no_figure(before: Cell, after: Cell, metric: Metric, words: Words) -> Reason | None:
    together = [not pools(metric.name) and cell.trial.together for cell in (before, after)]
    if any(together) and not all(together):
        one = words[0] if together[0] else words[1]
        return Reason(
            "no_figure", f"one process trained the seeds of {one} at once: its timings stand beside no others"
        )
    for word, cell in zip(words, (before, after), strict=True):
        values = cell.by_seed(metric.name).values()
        if len(values) < (1 if all(together) else cell.n_of(metric.name)):
            return Reason("no_figure", f"{word} has trials without {metric.name}")
        if min(values) <= 0:
            return Reason("no_figure", f"{word} has a {metric.name} of {min(values):g}")
    return None


def _disturbed(before: Cell, after: Cell, words: Words) -> Reason:
    told = [
        f"of {word} {text}" for word, cell in zip(words, (before, after), strict=True) if (text := happened(cell.ok))
    ]
    return Reason("disturbed_timings", listing(told), "end what else runs on the machine, and measure again")


def _paired(before: Cell, after: Cell) -> dict[int, float]:
    """Seed → the log-ratio of each pair that trained by turns, in their order; empty where the sides shared no time."""
    if not ran_together(before.ok, after.ok):
        return {}
    logs = paired_logs(after, before)
    return {seed: float(rounds.mean()) for seed, rounds in logs.items() if len(rounds) >= FEWEST}


def _same_run(before: Cell, after: Cell) -> bool:
    return bool({each.run_id for each in before.ok} & {each.run_id for each in after.ok}) or ran_together(
        before.ok, after.ok
    )
