"""From results to spreads by source: here, and only here, trials of one setting are replicates whatever their seeds.

A source is `init`, `order` or `split`; what a trial draws from is a seed for each. Where the results are a complete
crossing of these, all spreads come from that. Else a source is looked at wherever trainings differ in it alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from bench.analysis.cells import DOTTED, axis_label, hashable, labels_of, value_text
from bench.base.metrics import ACCURACY
from bench.base.records import Result, SeedSettings, Trial
from bench.errors import BenchError
from bench.results.frame import Row, age, latest, torch_of
from bench.statistics.sources import (
    LEVEL,
    Spread,
    differs,
    spread_along,
    spread_in_blocks,
    spread_of_examples,
    spread_together,
    stands_apart,
)
from bench.suite.plan import Suite

SOURCES = tuple(each.name for each in fields(SeedSettings))  # init, order, split
MOST, LITTLE = 0.5, 0.1  # shares of the variance of all sources that were varied apart: "most of it", "adds little"


@dataclass(frozen=True, eq=False)
class Explained:
    """A model on a data set at one setting.

    apart: what each source spreads that was varied with the others fixed. together: what those of `moved` spread that
    were varied at once; None where none were, or only one. examples: what other test images spread; None where it is
    not stored which were right, or the sizes of test sets differ. drawn: whether test sets differ.
    odd: of a source, what it drew where one training does not belong to the others, and its accuracy.
    lost: how many trainings came to nothing, by status; `missing` among them. left_out: results of other code or
    machines.
    """

    trial: Trial
    model: str
    dataset: str
    setting: str
    results: tuple[Result, ...]
    apart: Mapping[str, Spread]
    moved: tuple[str, ...]
    together: Spread | None
    crossed: bool
    examples: Spread | None
    drawn: bool
    odd: Mapping[str, tuple[int, float]]
    lost: Mapping[str, int]
    left_out: int

    @cached_property
    def accuracy(self) -> float:
        """Mean over all trainings."""
        return float(np.mean([result.metrics[ACCURACY] for result in self.results]))

    @property
    def name(self) -> str:
        """`mlp on digits, cpu, batch size 64`"""
        return ", ".join(filter(None, [f"{self.model} on {self.dataset}", self.trial.device, self.setting]))

    @property
    def splits(self) -> bool:
        """Whether `seed.split` may change anything: a test part is drawn, a validation part is, or it is not known."""
        known = all(result.answers is not None for result in self.results) and len(self.results) > 1
        return self.drawn or not known or self.trial.train.validation_split > 0

    @property
    def share_tested(self) -> float:
        """Of all images that a training has, those that it is tested on."""
        answers = self.results[0].answers
        return 0.0 if answers is None else answers.examples / (answers.examples + answers.trained_on)

    @cached_property
    def ranked(self) -> tuple[str, ...]:
        """The sources that were varied apart, the largest spread first."""
        return tuple(sorted(self.apart, key=lambda name: -self.apart[name].sd))

    @cached_property
    def tied(self) -> tuple[str, ...]:
        """The sources that the largest one is not shown to exceed: by F tests at .05 over the number of pairs, since
        the largest was chosen by looking."""
        first, *others = self.ranked
        level = LEVEL / max(1, len(self.apart) * (len(self.apart) - 1) // 2)
        return tuple(name for name in others if differs(self.apart[first], self.apart[name]) > level)

    def share(self, name: str) -> float:
        """Of the variances of all sources that were varied apart, that of one."""
        whole = sum(spread.variance for spread in self.apart.values())
        return self.apart[name].variance / whole if whole else 0.0

    @property
    def pays(self) -> tuple[str, ...]:
        """The sources that would pay to repeat: the largest, and what is not shown to be smaller. Empty where fewer
        than two were varied apart, or none of them moves the accuracy."""
        if len(self.apart) < 2 or not self.apart[self.ranked[0]].sd:
            return ()
        return self.ranked[0], *(name for name in self.tied if self.apart[name].sd)


def explain(results: Sequence[Result], suite: Suite | None) -> list[Explained]:
    """What spreads the accuracy of each model, data set and setting, in the order of the plan.

    Raises BenchError where no training has an accuracy, or none has a second one beside it.
    """
    groups: dict[str, list[Row]] = {}
    for row in latest(results, suite).rows:
        groups.setdefault(_without_seeds(row.trial), []).append(row)
    kept = {key: rows for key, rows in groups.items() if any(map(_accuracy, rows))}
    if not kept:
        raise BenchError("no training here has a test accuracy: there is no spread to explain")
    trials = [rows[0].trial for rows in kept.values()]
    models, datasets = labels_of(each.model for each in trials), labels_of(each.dataset for each in trials)
    settings = [name for name in DOTTED if not name.startswith("seed.")]
    shown = [name for name in settings if len({hashable(each.setting(name)) for each in trials}) > 1]
    found = [
        _explained(
            rows,
            model=models[rows[0].trial.model.canonical],
            dataset=datasets[rows[0].trial.dataset.canonical],
            setting=", ".join(f"{axis_label(name)} {value_text(rows[0].trial.setting(name))}" for name in shown),
        )
        for rows in kept.values()
    ]
    if not any(each.apart or each.together for each in found):
        raise BenchError(
            "one training of each model: there is no spread to explain; run several seeds, or a suite that varies "
            "seed.init, seed.order and seed.split, as suites/sources.toml does"
        )
    return found


def _without_seeds(trial: Trial) -> str:
    return replace(trial, seed=0, seeds=SeedSettings()).cell_id


def _accuracy(row: Row) -> float | None:
    return row.result.metrics.get(ACCURACY) if row.result is not None and row.status == "ok" else None


def _explained(rows: Sequence[Row], *, model: str, dataset: str, setting: str) -> Explained:
    usable = [row.result for row in rows if row.result is not None and _accuracy(row) is not None]
    pools: dict[tuple[str, ...], list[Result]] = {}
    for result in usable:  # what may be pooled as accuracies are: the code, torch and threads are one
        pools.setdefault((torch_of(result), str(result.threads), result.code_id), []).append(result)
    pool = max(pools.values(), key=lambda each: (len(each), age(each[-1])))
    newest: dict[tuple[int, ...], Result] = {}  # by what it drew from: the same three seeds are one training
    for result in sorted(pool, key=age):
        newest[_drawn_from(result.trial)] = result
    kept = tuple(newest.values())
    have = {row.trial.trial_id for row in rows if _accuracy(row) is not None}
    lost = Counter(row.status for row in rows if row.trial.trial_id not in have)
    values = {key: result.metrics[ACCURACY] for key, result in newest.items()}
    moved, together = _moved_together(kept)
    table = _crossing(values)
    if table is None:
        apart = {name: spread for axis, name in enumerate(SOURCES) if (spread := _along(values, axis))}
    else:
        varied = [axis for axis, size in enumerate(table.shape) if size > 1]
        apart = {SOURCES[axis]: spread_along(table, axis) for axis in varied}
        if len(varied) > 1:
            moved, together = tuple(SOURCES[axis] for axis in varied), spread_together(table)
    examples, drawn = _examples(kept)
    return Explained(
        trial=rows[0].trial,
        model=model,
        dataset=dataset,
        setting=setting,
        results=kept,
        apart=apart,
        moved=moved,
        together=together,
        crossed=table is not None and len(apart) > 1,
        examples=examples,
        drawn=drawn,
        odd={name: found for axis, name in enumerate(SOURCES) if name in apart and (found := _odd(values, axis))},
        lost=lost,
        left_out=len({each.trial_id for each in usable} - {each.trial_id for each in pool}),
    )


def _drawn_from(trial: Trial) -> tuple[int, ...]:
    return trial.init_seed, trial.order_seed, trial.split_seed


def _crossing(values: Mapping[tuple[int, ...], float]) -> np.ndarray | None:
    """Values by the seeds of each source (one axis each), where every combination is there and two can be told apart:
    seeds that move two sources at once are no crossing."""
    levels = [list(dict.fromkeys(key[axis] for key in values)) for axis in range(len(SOURCES))]
    sizes = [len(each) for each in levels]
    if np.prod(sizes) != len(values) or len(values) < 2:
        return None
    places = [{level: place for place, level in enumerate(each)} for each in levels]
    table = np.empty(sizes)
    for key, value in values.items():
        table[tuple(place[level] for place, level in zip(places, key, strict=True))] = value
    return table


def _along(values: Mapping[tuple[int, ...], float], axis: int) -> Spread | None:
    """Spread between trainings that differ along `axis` alone."""
    return spread_in_blocks(list(_blocks(values, axis).values()))


def _blocks(values: Mapping[tuple[int, ...], float], axis: int) -> dict[tuple[int, ...], dict[int, float]]:
    """Trainings that differ along `axis` alone: its seed → value, by the seeds of the other sources."""
    blocks: dict[tuple[int, ...], dict[int, float]] = {}
    for key, value in values.items():
        blocks.setdefault(key[:axis] + key[axis + 1 :], {})[key[axis]] = value
    return blocks


def _odd(values: Mapping[tuple[int, ...], float], axis: int) -> tuple[int, float] | None:
    """The seed and the value of a training that does not belong to those that differ from it along `axis` alone."""
    blocks = [block for block in _blocks(values, axis).values() if len(block) > 1]
    if len(blocks) != 1:  # among many blocks one such is to be expected
        return None
    place = stands_apart(list(blocks[0].values()))
    return None if place is None else list(blocks[0].items())[place]


def _moved_together(results: Sequence[Result]) -> tuple[tuple[str, ...], Spread | None]:
    """The most sources that follow `seed` in trials of several seeds, and what they spread together."""
    cells: dict[SeedSettings, dict[int, float]] = {}
    for result in results:
        cells.setdefault(result.trial.seeds, {})[result.trial.seed] = result.metrics[ACCURACY]
    groups: dict[tuple[str, ...], list[dict[int, float]]] = {}
    for seeds, block in cells.items():
        follow = tuple(name for name in SOURCES if getattr(seeds, name) is None)
        if len(block) > 1 and len(follow) > 1:
            groups.setdefault(follow, []).append(block)
    if not groups:
        return (), None
    moved = max(groups, key=len)
    return moved, spread_in_blocks(groups[moved])


def _examples(results: Sequence[Result]) -> tuple[Spread | None, bool]:
    answers = [result.answers for result in results]
    known = [each for each in answers if each is not None]
    drawn = len({each.test_set for each in known}) > 1
    if len(known) < len(answers) or len({each.examples for each in known}) != 1:
        return None, drawn
    right = float(np.mean([each.count_right / each.examples for each in known]))
    return spread_of_examples(right, known[0].examples), drawn
