"""What the models of a ladder cost, in short sentences: speed, memory, time to the target accuracy; with how far the
timings are to be trusted."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bench.analysis.cells import Cell
from bench.analysis.ladder import Ladder
from bench.analysis.ratios import ratio
from bench.base.metrics import ACCURACY, BUILT_IN, MEMORY, SPEED
from bench.present.format import Scale, figure, listing, plural, scale_of, times
from bench.results.timing import DISTURBED, GOOD
from bench.statistics.intervals import Ratio

TARGET = "time_to_target_seconds"
MOST_NAMED = 4  # models, in a sentence


def costs(ladder: Ladder) -> Iterator[str]:
    """The sentences; none of what was not measured."""
    for text in (_speed(ladder), _memory(ladder), _target(ladder)):
        if text:
            yield text


def is_timed(cell: Cell) -> bool:
    """Whether something may be said of its speed."""
    return cell.estimate(SPEED) is not None and not cell.disturbed


def _mean(cell: Cell, metric: str) -> float:
    found = cell.estimate(metric)
    return found.mean if found else 0.0


def _speed(ladder: Ladder) -> str:
    """Which model trains fastest: how many times the best one, or the next where it is the best; how it was timed."""
    best = ladder.best
    if best.estimate(SPEED) is None:
        return ""
    if best.disturbed:
        return f"Speed: nothing is said, most timings of {best.model} were disturbed."
    timed = sorted(filter(is_timed, ladder.cells), key=lambda cell: -_mean(cell, SPEED))
    if len(timed) < 2:
        return ""
    fastest = timed[0]
    other = timed[1] if fastest is best else best
    found = ratio(fastest, other, metric=SPEED)
    disturbed = [cell.model for cell in ladder.cells if cell.estimate(SPEED) and cell.disturbed]
    text = _faster(fastest, other, found, also=fastest is best, unknown=disturbed) if found else ""
    return f"{text} {_trust(timed, found)}" if found else ""


def _faster(fast: Cell, slow: Cell, found: Ratio, *, also: bool, unknown: Sequence[str]) -> str:
    """`unknown`: the models whose timings were disturbed, of which one may be faster."""
    much, one = times(found.ratio, found.low, found.high), ", of one seed" if found.low is None else ""
    named = unknown if len(unknown) <= MOST_NAMED else [*unknown[: MOST_NAMED - 1], "others"]
    but = f" Nothing is said of the speed of {listing(list(named))}: most timings were disturbed." if unknown else ""
    if found.low is not None and not found.excludes(1):
        return f"Fastest: not shown, {fast.model} trains at {much} times the speed of {slow.model}.{but}"
    if unknown:
        return f"{fast.model} trains at {much} times the speed of {slow.model}{one}.{but}"
    return f"{fast.model} {'also ' if also else ''}trains fastest: {much} times {slow.model}{one}."


def _trust(cells: Sequence[Cell], found: Ratio) -> str:
    """`Speeds: measured by turns, good.`"""
    how = {"seeds": "by turns", "rounds": "by turns, in the rounds of one seed", "processes": "one after the other"}
    words = Counter(timing.word for cell in cells for timing in cell.timings if timing.word)
    state = "good"
    if set(words) != {GOOD}:
        rest = [f"{words[word]} {word}" for word in ("rough", DISTURBED) if words[word]]
        state = listing([f"{words[GOOD]} of {words.total()} good", *rest])
    return f"Speeds: measured {how[found.over]}, {state}." if words else ""


def _memory(ladder: Ladder) -> str:
    """What the best one takes, and those that take least."""
    for metric in MEMORY:
        known = [cell for cell in ladder.cells if cell.estimate(metric)]
        if ladder.best not in known or len(known) < 2:
            continue
        least = min(known, key=lambda cell: _mean(cell, metric))
        what = "Device memory" if metric == MEMORY[0] else "Memory"
        scale = scale_of("bytes", [_mean(cell, metric) for cell in (ladder.best, least)])
        texts = [_figure(cell, metric, scale) for cell in (ladder.best, least)]
        if texts[0] == texts[1]:
            return f"{what}: {ladder.best.model} {texts[0]}, and none takes less."
        same = [cell.model for cell in known if _figure(cell, metric, scale) == texts[1]]
        return f"{what}: {ladder.best.model} {texts[0]}, least {_few(same)} {texts[1]}."
    return ""


def _target(ladder: Ladder) -> str:
    """The training time to the target of each model whose seeds all reached it, the fastest first."""
    target = _target_text(ladder)
    cells = [cell for cell in ladder.cells if not cell.disturbed]
    reached = sorted((cell for cell in cells if cell.estimate(TARGET)), key=lambda cell: _mean(cell, TARGET))
    if not target or not reached:
        return ""
    scale = scale_of("seconds", [_mean(cell, TARGET) for cell in reached])
    texts = [f"{cell.model} {_figure(cell, TARGET, scale)}" for cell in reached[:MOST_NAMED]]
    late = [_late(cell) for cell in cells if cell not in reached]
    missed = f"; reached by {_few(late)}" if late else ""
    return f"Time to {target}: {', '.join(texts)}{missed}."


def _target_text(ladder: Ladder) -> str:
    """`an accuracy of 0.9`, `RMSE of 3`; empty where there is no target."""
    measure = ladder.best.trial.measure
    metric = BUILT_IN[measure.target_metric or ladder.metric.name]
    value = measure.target_value
    if value is None:
        metric, value = BUILT_IN[ACCURACY], measure.target_accuracy
    if value is None:
        return ""
    return f"an accuracy of {value:g}" if metric.name == ACCURACY else f"{metric.short} of {value:g}"


def _few(texts: Sequence[str]) -> str:
    """`a, b and c`; of many the first ones, and how many others."""
    if len(texts) <= MOST_NAMED:
        return listing(list(texts))
    return listing([*texts[: MOST_NAMED - 1], plural(len(texts) - MOST_NAMED + 1, "other")])


def _late(cell: Cell) -> str:
    """`3 of 5 seeds of mlp`: of a model whose seeds did not all reach the target."""
    return f"{len(cell.by_seed(TARGET))} of {plural(cell.n_of(TARGET), 'seed')} of {cell.model}"


def _figure(cell: Cell, metric: str, scale: Scale) -> str:
    found = cell.estimate(metric)
    assert found is not None
    return f"{figure(found.mean, scale, ends=found.ends, form='mean')} {scale.unit}"
