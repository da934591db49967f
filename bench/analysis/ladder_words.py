"""A ladder in words: what is known of each rung, the answer in one sentence, and what would decide it."""

from collections.abc import Iterable, Iterator, Sequence

from bench.analysis.cells import Cell
from bench.analysis.interval_words import meanings, purpose
from bench.analysis.ladder import MARGIN, Judged, Ladder, lost, odd_seed
from bench.base.metrics import ACCURACY, Metric
from bench.present.format import listing, number, plural, span, supported
from bench.present.tables import Column, Columns, Table, TableCell, table_of
from bench.statistics.evidence import MOST_SEEDS
from bench.suite.plan import Decide

LOST = {"failed": "failed", "diverged": "diverged", "oom": "ran out of memory", "timeout": "timed out",
        "crashed": "crashed"}  # fmt: skip
WOULD = {"images": "more test images", "data": "more data"}  # tell what more seeds cannot
FEW_ENOUGH_TO_NAME = 3  # models, in a sentence
LEVEL_DECIMALS = 3, 4  # of accuracies: at least, at most
A_START = 5  # seeds, where one tells nothing of the spread
MORE_LOOKS = 2  # times the seeds of one look, at most
QUESTION = "Which model is best?"


def title(ladder: Ladder) -> str:
    """`Which model is best?  digits · cpu · batch size 64 · 5 seeds`"""
    section = ladder.section
    where = [section.title, section.describe(ladder.variant), seeds_text(ladder)]
    return f"{QUESTION}  {' · '.join(part for part in where if part)}"


def seeds_text(ladder: Ladder) -> str:
    """`5 seeds`, `3 to 5 seeds`."""
    counts = [len(cell.by_seed(ladder.metric.name)) for cell in ladder.cells]
    return plural(counts[0], "seed") if len(set(counts)) == 1 else f"{span(counts)} seeds"


def levels(ladder: Ladder) -> list[str]:
    """`0.842 [0.832, 0.852]`: the mean of each rung with its interval, all with the same digits, three at least."""
    found = [cell.estimate(ladder.metric.name) for cell in ladder.cells]
    halves = [each.half for each in found if each is not None and each.half]
    decimals = min(LEVEL_DECIMALS[1], max(LEVEL_DECIMALS[0], *map(supported, halves))) if halves else LEVEL_DECIMALS[0]
    texts = []
    for each in found:
        assert each is not None  # a ladder has no rung without
        ends = "" if each.ends is None else f" [{', '.join(number(end, decimals=decimals) for end in each.ends)}]"
        texts.append(f"{number(each.mean, decimals=decimals)}{ends}")
    return texts


def points(value: float, *, decimals: int = 1) -> str:
    """A difference of accuracies in points of a hundred: `2.7`, with a true minus sign."""
    return number(100 * value, decimals=decimals).replace("-", "−")


def figures(pair: Judged) -> tuple[str, str]:
    """How far the upper one is ahead, and the bracket of its family: of accuracies in points, `2.7`, `[1.1, 4.2]`; of
    R² `0.027`, `[0.011, 0.042]`. Empty where there is none."""
    if pair.metric != ACCURACY:
        return _plain_figures(pair)
    if pair.bracket is None:
        return points(pair.mean), ""
    low, high = (min(1.0, max(-1.0, end)) for end in pair.bracket)
    decimals = min(3, max(1, supported(50 * (high - low)))) if high > low else 1
    ends = ", ".join(points(end, decimals=decimals) for end in (low, high))
    return points(pair.mean, decimals=decimals), f"[{ends}]"


def _plain_figures(pair: Judged) -> tuple[str, str]:
    if pair.bracket is None:
        return number(pair.mean, decimals=LEVEL_DECIMALS[0]).replace("-", "−"), ""
    half = (pair.bracket[1] - pair.bracket[0]) / 2
    decimals = min(LEVEL_DECIMALS[1], max(2, supported(half))) if half > 0 else LEVEL_DECIMALS[0]
    mean, low, high = (number(each, decimals=decimals).replace("-", "−") for each in (pair.mean, *pair.bracket))
    return mean, f"[{low}, {high}]"


def amount(pair: Judged) -> str:
    """`2.7 points [1.1, 4.2]`, `0.027 [0.011, 0.042]`"""
    mean, bracket = figures(pair)
    return f"{mean}{' points' if pair.metric == ACCURACY else ''} {bracket}".rstrip()


def verdict(pair: Judged, *, brief: bool = False) -> str:
    """What is known of the lower one of a pair against the upper one. `brief`: without figures."""
    if pair.verdict == "yes":
        return "yes" if brief else f"yes, by {amount(pair)}"
    if pair.verdict == "alike":
        within = f"alike within {points(MARGIN)} points"
        return within if brief else f"{within} {figures(pair)[1]}"
    if pair.verdict == "tie":
        return "the same in every seed" if pair.n > 1 else "the same, of one seed"
    if pair.verdict == "reversed":
        return f"no, it is ahead over the {plural(pair.n, 'seed')} that both have"
    if pair.verdict == "few":
        return f"not shown, {_why_few(pair)}"
    return "not shown" if brief else f"not shown{needs(pair)}"


def _why_few(pair: Judged) -> str:
    if pair.n == 0:
        return "no seed in common"
    if pair.n < 3:
        return f"{'one seed decides' if pair.n == 1 else 'two seeds decide'} nothing"
    return f"the same difference in all {pair.n} seeds, which takes 6"


def needs(pair: Judged) -> str:
    """What an open pair lacks: `, about 9 more seeds would tell`."""
    if pair.seeds is not None:
        return f", about {plural(pair.seeds - pair.n, 'more seed')} would tell"
    if pair.lacks in WOULD:
        return f", more seeds will not tell ({WOULD[pair.lacks]} would)"
    if pair.lacks == "decision":
        return f" by the test that is looked at after each seed ({amount(pair)})"
    return f", {MOST_SEEDS:,} seeds would not tell" if pair.lacks == "difference" else ""


def rung(ladder: Ladder, index: int, *, names: Sequence[str] = ()) -> str:
    """What is known of a rung against the best and against the one above it; which seeds are lost or odd. `names`: what
    the rungs are called, where there is no room for what they are called in full."""
    called, parts = names or [cell.model for cell in ladder.cells], []
    if index > 1:
        best = ladder.pair(0, index)
        parts.append(f"{_beside(best)} {called[0]}: {verdict(best, brief=best.verdict != 'few')}")
    if index:
        above = ladder.pair(index - 1, index)
        parts.append(f"{_beside(above)} {called[index - 1]}: {verdict(above)}")
    return "; ".join([*_same_twice(parts), *notes(ladder.cells[index])])


def _beside(pair: Judged) -> str:
    return "beside" if pair.verdict == "tie" else "behind"


def _same_twice(parts: Sequence[str]) -> list[str]:
    """Two verdicts that are the same in words, said once: `behind a and b: not shown, one seed decides nothing`."""
    if len(parts) == 2:
        (first, one), (second, other) = (part.split(": ", 1) for part in parts)
        if one == other and first.partition(" ")[0] == second.partition(" ")[0]:
            return [f"{first} and {second.partition(' ')[2]}: {one}"]
    return list(parts)


def notes(cell: Cell) -> Iterator[str]:
    """`1 of 5 seeds diverged`, `one seed reached 0.44 only`."""
    counts = lost(cell)
    if counts:
        texts = [f"{count} {LOST[status]}" for status, count in counts.most_common()]
        first = texts[0].split(" ", 1)
        texts[0] = f"{first[0]} of {plural(len(cell.rows), 'seed')} {first[1]}"
        yield listing(texts)
    if (low := odd_seed(cell)) is not None:
        yield f"one seed reached {number(low, decimals=2)} only"


def headline(ladder: Ladder) -> str:
    """Which model is best, in one sentence, to stand behind `Best: `."""
    best, pairs, leaders = ladder.best, ladder.of_best, ladder.leaders
    if ladder.decided:
        others = "" if len(pairs) == 1 else f"; shown against each of the {len(pairs)} others"
        return f"{best.model}, by {amount(pairs[0])} over {pairs[0].lower.model}{others}."
    if len(leaders) > 1:
        return f"{_tied(ladder)}."
    if all(pair.n < 2 for pair in pairs):
        few = "one seed decides nothing" if any(pair.n for pair in pairs) else "no two models share a seed"
        return f"not decided, {few}. {best.model} has the highest {ladder.metric.title}."
    if pairs[0].verdict in ("yes", "tie", "alike"):
        first = f"{best.model} is ahead of {pairs[0].lower.model} by {amount(pairs[0])}"
        if pairs[0].verdict == "alike":
            first = f"{best.model} and {pairs[0].lower.model} are {verdict(pairs[0])}"
    else:
        first = f"{best.model} leads {pairs[0].lower.model} by {amount(pairs[0])}"
    rest = [pair.lower.model for pair in pairs[1:] if pair.verdict != "yes"]
    also = f"; nor is it shown against {_named(rest)}" if rest else ""
    return f"not decided. {first}{also}."


def _tied(ladder: Ladder) -> str:
    names, others = _named([cell.model for cell in ladder.leaders]), ladder.of_best[len(ladder.leaders) - 1 :]
    same = all(pair.verdict == "tie" for pair in ladder.of_best[: len(ladder.leaders) - 1])
    in_all = " in every seed" if same and len(ladder.seeds) > 1 else ""
    text = f"not decided, {names} have the same {'' if same else 'mean '}{ladder.metric.title}{in_all}"
    if others and all(pair.verdict == "yes" for pair in others):
        return f"{text}, and the others are behind"
    return text


def _named(models: Sequence[str]) -> str:
    if len(models) <= FEW_ENOUGH_TO_NAME:
        return listing(models)
    return listing([*models[: FEW_ENOUGH_TO_NAME - 1], f"{len(models) - FEW_ENOUGH_TO_NAME + 1} others"])


def decide(ladder: Ladder) -> tuple[str, int | None]:
    """What would decide the open pairs, in words that end before the command, and the seeds in all that it takes; empty
    where nothing is open, and None where seeds would not."""
    undecided, here = ladder.open, len(planned_seeds(ladder))
    if not undecided:
        return "", None
    in_vain = _in_vain([pair for pair in undecided if pair.seeds is None])
    of_all = more_seeds(undecided)
    if of_all is None:
        spread = any(pair.lacks == "spread" for pair in undecided)
        if not spread:
            return in_vain, None
        return "Four seeds or more can decide; they go on until it is decided", max(A_START, here)
    by_seeds = sum(pair.seeds is not None for pair in undecided)
    which = "the open pair" if len(undecided) == 1 else f"the {len(undecided)} open pairs"
    if by_seeds < len(undecided):
        which = f"{by_seeds} of {which}"
    of_best = [pair for pair in ladder.of_best if pair.undecided]
    few = more_seeds(of_best)
    if few is not None and few < of_all and all(pair.seeds is not None for pair in of_best):
        which, of_all = f"which is best, {of_all:,} {which}", few
    told = f"About {plural(of_all, 'more seed')} would decide {which}"
    return f"{in_vain}. {told}" if in_vain else told, here + of_all


def more_seeds(pairs: Iterable[Judged]) -> int | None:
    """How many more seeds would decide those of `pairs` that seeds can decide; None where there are none."""
    return max((pair.seeds - pair.n for pair in pairs if pair.seeds is not None), default=None)


def _in_vain(pairs: Sequence[Judged]) -> str:
    """`More seeds will not tell mlp from cnn (more test images would)`; empty where there is no such pair."""
    texts = []
    for lacks in (*WOULD, "difference"):
        these = [f"{pair.upper.model} from {pair.lower.model}" for pair in pairs if pair.lacks == lacks]
        if these:
            texts.append(_named(these) + (f" ({WOULD[lacks]} would)" if lacks in WOULD else ""))
    return f"More seeds will not tell {', nor '.join(texts)}" if texts else ""


def planned_seeds(ladder: Ladder) -> list[int]:
    """The seeds that the trials of its models have, whatever became of them."""
    cells = (*ladder.cells, *ladder.absent)
    return sorted({row.trial.seed for cell in cells for row in cell.rows} | set(ladder.seeds))


def command(seeds: int, *, again: str) -> str:
    """What goes on with seeds until it is decided, where about so many in all would do; `again` runs the suite as it
    was run. The test that is looked at after each seed needs some more than one look at the end."""
    most = MORE_LOOKS * seeds
    going_on = "" if "--until-decided" in again.split() else " --until-decided"
    return f"{again}{going_on}" + (f" --set decide.most_seeds={most}" if most > Decide().most_seeds else "")


def together(ladder: Ladder) -> str:
    """What the verdicts are; empty where none could be given."""
    if not any(pair.n > 1 for pair in ladder.pairs):
        return ""
    pairs = f"All {len(ladder.pairs)} pairs judged together (Holm)" if len(ladder.pairs) > 1 else "Judged at 5 %"
    level = f"{100 * ladder.confidence:.4g} %"
    told = f'{pairs}: at most one ladder in twenty has a wrong "yes". Brackets of differences: {level} intervals.'
    if any(cell.decided for cell in ladder.cells):
        told += ' Seeds were chosen by results, so a "yes" also needs the test that may be looked at after each seed.'
    return told


def shared_seeds(ladder: Ladder) -> str:
    """That models are compared over the seeds that both have, where these are not all; who has none at all."""
    texts = (
        [f"Compared over the seeds that both have: {span(pair.n for pair in ladder.pairs)}."]
        if not ladder.whole
        else []
    )
    for cell in ladder.absent:
        texts.append(f"Not in it: {cell.model}, {listing(list(notes(cell))) or 'without a result'}.")
    return " ".join(texts)


def intervals(ladders: Sequence[Ladder]) -> str:
    """What the brackets of accuracies, or of R², are; empty where none has an interval."""
    told = []
    for name in dict.fromkeys(several(ladder.metric) for ladder in ladders):
        own = [ladder for ladder in ladders if several(ladder.metric) == name]
        overs = meanings(cell.estimate(ladder.metric.name) for ladder in own for cell in ladder.cells)
        told += [f"Brackets of {name}: {purpose(overs)}."] if overs else []
    return " ".join(told)


def several(metric: Metric) -> str:
    """What several figures of a main metric are called: `accuracies`, `R²`."""
    return "accuracies" if metric.name == ACCURACY else metric.title


def _level_cell(ladder: Ladder, index: int) -> TableCell:
    found = ladder.cells[index].estimate(ladder.metric.name)
    assert found is not None
    return TableCell(levels(ladder)[index], found.mean, found.low, found.high)


def ladder_table(ladder: Ladder, *, name: str) -> Table:
    """A row a rung: place, model, main metric with its interval, and what is known of it against those above."""
    rows = range(len(ladder.cells))
    columns: Columns[int] = [
        (Column("place", ""), lambda index: TableCell(f"{ladder.places[index]}", ladder.places[index])),
        (
            Column("model", "model", numeric=False),
            lambda index: TableCell(ladder.cells[index].model, best=index == 0 and ladder.decided),
        ),
        (
            Column(ladder.metric.name, ladder.metric.title, interval=True),
            lambda index: _level_cell(ladder, index),
        ),
        (Column("known", "against those above", numeric=False), lambda index: rung(ladder, index)),
    ]
    notes = [text for text in (shared_seeds(ladder), intervals([ladder]), together(ladder)) if text]
    return table_of(name, title(ladder), rows, columns, notes=notes)
