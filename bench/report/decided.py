"""What a run says that chose its seeds by results: what is decided, what it cost, and with which guarantee."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bench.base.metrics import ACCURACY, main_metric
from bench.base.records import Component, Json, Trial
from bench.present.format import accuracy, listing, plural, printable, span
from bench.results.frame import Latest
from bench.suite.mistakes import setting_text
from bench.suite.plan import Budget, Decide, Decision, Suite, label, time_text

LEFT_OUT = ("missing", "interrupted")
RULE = "every cell once, then the seeds that are expected to decide most pairs by test accuracy for their time"
MOST_PAIRS = 6  # that are named
GUARANTEE = (
    "Each pair was looked at after every seed, by a test that allows for it: at most 5 % of such runs hold a false "
    "decision (of one data set and setting), as long as differences from seed to seed are about normal. The intervals "
    "in the tables do not allow for it; they are somewhat too narrow."
)
NO_GUARANTEE = "Seeds were chosen by the results before them, so intervals are somewhat too narrow (optional stopping)."
NO_ACCURACY = "Of a regression no seeds are chosen: it has no accuracy to decide by."
DONE = {"different": "told apart", "alike": "alike", "equal": "equal"}


def seeds_sentences(suite: Suite | None, latest: Latest) -> Iterator[str]:
    """One paragraph where the seeds went on until it was decided, one where a budget left something out."""
    if suite is not None:
        yield from filter(None, (decided_sentences(suite, latest), budget_sentences(suite, latest)))


def decided_sentences(suite: Suite, latest: Latest) -> str:
    """What was decided by how many seeds, with which guarantee, and what it cost; empty where seeds did not go on."""
    decide = suite.decide
    if decide is None or not suite.decisions:
        return ""
    parts = [_count(suite.decisions), *_pairs(suite, latest), _ending(decide, suite), _cost(suite, latest), GUARANTEE]
    if any(row.result is not None and main_metric(row.result.metrics).name != ACCURACY for row in latest.rows):
        parts.insert(1, NO_ACCURACY)
    return " ".join(filter(None, parts))


def budget_sentences(suite: Suite, latest: Latest) -> str:
    """What the budget left out, in sentences; empty where there was no budget, or where it left out nothing."""
    budget = suite.budget
    left_out = sum(row.status in LEFT_OUT for row in latest.rows)
    if budget is None or not left_out:
        return ""
    ran = {row.trial.cell_id for row in latest.rows if row.status not in LEFT_OUT}
    never = len({row.trial.cell_id for row in latest.rows} - ran)
    cells = f", {plural(never, 'cell')} of the grid did not run at all" if never else ""
    parts = [f"Left out by the budget of {time_text(budget.seconds)}: {plural(left_out, 'trial')}{cells}."]
    if suite.decide is None:
        parts.append(f"Rule: {RULE}.")
    parts.append(_spent(budget))
    if suite.decide is None:
        decided = [_count(suite.decisions), *_pairs(suite, latest), GUARANTEE]
        parts += decided if suite.decisions else [NO_GUARANTEE]
    return " ".join(parts)


def _spent(budget: Budget) -> str:
    if budget.spent_seconds is None:
        return "The run was stopped before its budget was spent."
    spent = time_text(round(budget.spent_seconds))
    if budget.why == "settled":
        return f"The run ended after {spent}: no pair was open any more."
    still = f" Still open: {plural(budget.open_pairs, 'pair')}." if budget.open_pairs else ""
    return f"The run ended after {spent}: nothing that was left would have ended in time.{still}"


def _count(decisions: Sequence[Decision]) -> str:
    """`Decided: 2 of 3 pairs of models (1 told apart, 1 alike).`"""
    found = Counter(DONE[each.verdict] for each in decisions if each.verdict in DONE)
    how = f" ({listing([f'{count:,} {what}' for what, count in found.items()])})" if found else ""
    return f"Decided by accuracy: {found.total():,} of {plural(len(decisions), 'pair')}{how}."


def _pairs(suite: Suite, latest: Latest) -> Iterator[str]:
    """The pairs by name: all of a few; of many those that are not decided, and of these the first."""
    shown = list(suite.decisions)
    if len(shown) > MOST_PAIRS:
        shown = [each for each in shown if each.verdict not in DONE]
    trials = {row.trial.cell_id: row.trial for row in latest.rows}
    shown = [each for each in shown if each.first in trials and each.second in trials]
    where, who = _titles(suite)
    within = (suite.decide or Decide()).within
    for each in shown[:MOST_PAIRS]:
        first, second = trials[each.first], trials[each.second]
        place = _named(first, where)
        said = _pair(each, _named(first, who), _named(second, who), within=within)
        yield f"{place}: {said}" if place else said
    if len(shown) > MOST_PAIRS:
        yield f"{plural(len(shown) - MOST_PAIRS, 'other pair')} likewise."


def _pair(found: Decision, first: str, second: str, *, within: float) -> str:
    by = accuracy(abs(found.difference or 0.0))
    seeds = plural(found.seeds, "seed")
    if (found.difference or 0.0) < 0:
        first, second = second, first
    if found.verdict == "different":
        return f"{first} is better than {second}, by {by} after {seeds}."
    if found.verdict == "alike":
        return f"{first} and {second} are alike: less than {within:g} apart on this test data, after {seeds}."
    if found.verdict == "equal":
        return f"{first} and {second} are equal: the same answers to every test example, by {seeds}."
    if found.verdict == "more_data":
        return (
            f"{first} is better than {second} by {by} on these test examples, after {seeds}; whether on new ones, more "
            "seeds will not tell, more test data would."
        )
    if found.verdict == "failed":
        return f"{first} and {second}: not decided, one of them has no accuracy or too many seeds that fail."
    return f"{first} and {second}: not decided after {seeds}."


def _titles(suite: Suite) -> tuple[list[str], list[str]]:
    """The axes that tell ladders apart, and those that tell apart what is compared in one."""
    axes = [axis.name for axis in suite.axes if len(axis) > 1 and axis.name not in ("model", "seed")]
    if len(suite.axis("model")) > 1:
        return axes, ["model"]
    fixed = [name for name in axes if name in ("dataset", "device")]
    return fixed, [name for name in axes if name not in fixed] or ["model"]


def _named(trial: Trial, axes: Sequence[str]) -> str:
    """`mlp`, `digits, batch size 64`: what the axes say of a trial."""
    return ", ".join(_value(trial, name) for name in axes)


def _value(trial: Trial, name: str) -> str:
    found: Json | Component = getattr(trial, name) if "." not in name else trial.setting(name)
    text = printable(label(found))
    return text if isinstance(found, Component) or name == "device" else f"{setting_text(name)} {text}"


def _ending(decide: Decide, suite: Suite) -> str:
    still = sum(each.verdict == "open" for each in suite.decisions)
    if decide.why == "" and suite.budget is None:
        return "The run was stopped before its end; the same command goes on."
    if decide.why == "settled" and still:
        return f"It ended at {plural(decide.most_seeds, 'seed')}, the most that it may take."
    return ""


def _cost(suite: Suite, latest: Latest) -> str:
    """`It took 7 to 15 seeds: 37 trials, 28 of them beyond the grid, 24 s.`"""
    ran = [row for row in latest.rows if row.result is not None and row.status not in LEFT_OUT]
    seeds = Counter(row.trial.cell_id for row in ran)
    seconds = sum(row.result.metrics.get("total_seconds", 0.0) for row in ran if row.result is not None)
    grid = set(suite.axis("seed").values)
    more = sum(row.trial.seed not in grid for row in ran)
    beyond = f", {more:,} of them beyond the grid" if more else ", those of the grid"
    return f"It took {span(seeds.values())} seeds: {plural(len(ran), 'trial')}{beyond}, {time_text(round(seconds))}."
