"""B against A: verdicts hold what they promise, and nothing is compared that is not alike."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from bench.base.records import Component, Environment, Result, TrainSettings, Trial
from bench.comparison.batches import series_of
from bench.comparison.draw import forest
from bench.comparison.pairs import Comparison, compare_sides
from bench.comparison.tables import best_table, cells_frame, crossover_table
from bench.comparison.text import comparison_text
from bench.errors import BenchError
from bench.pairing.sides import Folder, split, whole
from bench.results.doctor import Doctor, SelfComparison

SPEED = "train_samples_per_second"
RUNS = itertools.count()


def folder(name: str, results: Sequence[Result], *, doctors: Sequence[Doctor] = (), schema: int = 1) -> Folder:
    return Folder(name, tuple(results), None, tuple(doctors), frozenset({schema}))


def trials(count: int, *, model: str = "mlp", **settings: Any) -> list[Trial]:
    train = TrainSettings(**settings)
    return [Trial(Component("digits"), Component(model), seed, 64, "cpu", train) for seed in range(count)]


def measured(make: ModuleType, trial: Trial, speed: float, **metrics: float) -> Result:
    known = {"test_accuracy": 0.9 + 0.001 * trial.seed, SPEED: speed, "step_seconds": 64 / speed, **metrics}
    return replace(make.result_of(trial, metrics=known), run_id=f"20260101T000000Z-{next(RUNS):08x}")


def cell(make: ModuleType, draw: random.Random, n: int, *, speed: float = 1e5, sd: float = 0.03) -> list[Result]:
    """`n` processes of one cell whose speeds scatter by `sd`."""
    return [measured(make, trial, speed * math.exp(draw.gauss(0, sd))) for trial in trials(n)]


def compare(a: Sequence[Result], b: Sequence[Result], **options: Any) -> Comparison:
    metric = options.pop("metric", SPEED)
    return compare_sides(whole(folder("a", a, **options)), whole(folder("b", b, **options)), metric=metric)


def doctor(make: ModuleType, smallest: float, **changes: Any) -> Doctor:
    found = SelfComparison("mlp", "cpu", 2, [1.0], [1.0], 1.0, 0.9, 1.1, 0.02, smallest)
    own = {"environment": make.MACHINE, "environment_id": make.MACHINE.identity(threads=2)} | changes
    return Doctor(finished_at="2026-01-02", threads=2, findings=(), comparisons=(found,), peaks={}, advice=(), **own)


def spoilt(make: ModuleType, results: list[Result], count: int) -> list[Result]:
    return [make.disturbed(result) if index < count else result for index, result in enumerate(results)]


@pytest.mark.parametrize(
    ("of_a", "of_b", "metric", "word"),
    [
        (0, 0, SPEED, "faster"),
        (2, 2, SPEED, "faster"),
        (3, 0, SPEED, "doubtful"),
        (0, 3, SPEED, "doubtful"),
        (5, 5, SPEED, "doubtful"),
        (5, 5, "step_seconds", "doubtful"),
        (5, 5, "host_peak_bytes", "faster"),  # less memory: other programs do not change it
        (5, 5, "test_accuracy", "faster"),
    ],
)
def test_of_disturbed_timings_the_verdict_is_doubtful(
    make: ModuleType, of_a: int, of_b: int, metric: str, word: str
) -> None:
    a = [measured(make, trial, 1e5 + trial.seed, host_peak_bytes=2e6 + trial.seed) for trial in trials(5)]
    b = [
        measured(make, trial, 2e5 + trial.seed, test_accuracy=0.99, host_peak_bytes=1e6 + trial.seed)
        for trial in trials(5)
    ]
    found = compare(spoilt(make, a, of_a), spoilt(make, b, of_b), metric=metric)
    assert (found.cells[0].verdict, found.verdict) == (word, word)
    text = comparison_text(found)
    assert ("doubtful" in text) == (word == "doubtful")
    assert ("times its" in text) == (word == "faster")


def test_of_several_cells_only_the_disturbed_one_is_doubtful_and_so_is_what_is_said_of_all(make: ModuleType) -> None:
    a, b = (
        [measured(make, trial, speed + trial.seed) for model in ("linear", "mlp") for trial in trials(3, model=model)]
        for speed in (1e5, 2e5)
    )
    found = compare(a, spoilt(make, b, 3))
    assert [(cell.a.model, cell.verdict) for cell in found.cells] == [("linear", "doubtful"), ("mlp", "faster")]
    assert found.verdict == "doubtful"
    text = " ".join(comparison_text(found).split())
    assert "Where they are doubtful, most timings of a side were disturbed" in text
    assert "geometric mean" not in text.lower()
    assert text.index("Timings of B: 3 of 6 trials ran beside other programs.") < text.index("B is accuracy B − A")
    assert "1 is faster and 1 is doubtful" in text
    assert "B is faster" not in text
    assert list(cells_frame(found)["verdict"]) == ["doubtful", "faster"]
    forest(found)  # it draws


def test_no_batch_size_is_chosen_by_disturbed_timings(make: ModuleType) -> None:
    def side(by: float) -> list[Result]:
        sizes = {64: 1e5, 256: 2e5 * by}
        return [
            measured(make, replace(trial, batch_size=size), speed + trial.seed)
            for size, speed in sizes.items()
            for trial in trials(3)
        ]

    a, b = side(1.0), side(1.5)
    assert series_of(compare(a, b))
    assert crossover_table(compare(a, b))
    assert not series_of(compare(a, spoilt(make, b, 2)))
    assert not best_table(compare(spoilt(make, a, 3), b))
    assert not crossover_table(compare(spoilt(make, a, 3), b))


def test_a_thing_against_itself_differs_in_6_5_per_cent_of_cases_at_most(
    make: ModuleType, rounds: Callable[..., int]
) -> None:
    """Of 2,000. Of few what is allowed is three standard errors around 5 per cent."""
    cases = rounds(2000, few=250)
    draw = random.Random(7)
    sides = ((5, 0.03), (5, 0.03), (3, 0.05), (10, 0.01))  # processes and their spread, on either side
    said = []
    for case in range(cases):
        (n, sd), (others, other_sd) = sides[case % 4], sides[(case + case // 4) % 4]
        a, b = cell(make, draw, n, sd=sd), cell(make, draw, others, sd=other_sd)
        said.append(compare(a, b).cells[0].verdict)
    wrong = sum(verdict in ("faster", "slower") for verdict in said)
    assert said.count("same") == 0  # never without the doctor's word
    errors = 3 * math.sqrt(0.05 * 0.95 / cases)
    assert 0.05 - max(0.02, errors) <= wrong / cases <= 0.05 + max(0.015, errors)


def test_a_slow_down_of_10_per_cent_is_found_with_its_interval_around_it(make: ModuleType) -> None:
    draw = random.Random(11)
    found, covered = 0, 0
    for _ in range(300):
        a, b = cell(make, draw, 5, sd=0.02), cell(make, draw, 5, speed=1e5 / 1.1, sd=0.02)
        one = compare(a, b, metric="step_seconds").cells[0]
        assert one.ratio is not None
        assert one.ratio.low is not None
        assert one.ratio.high is not None
        found += one.verdict == "slower"
        covered += one.ratio.low <= 1.1 <= one.ratio.high
    assert found >= 0.98 * 300
    assert 0.91 * 300 <= covered <= 0.985 * 300


@pytest.mark.parametrize(
    ("metric", "b_over_a", "verdict", "word"),
    [
        (SPEED, 0.8, "slower", "slower"),
        (SPEED, 1.2, "faster", "faster"),
        ("step_seconds", 1.2, "slower", "slower"),
        ("step_seconds", 0.8, "faster", "faster"),
        ("host_peak_bytes", 1.2, "slower", "more"),
        ("host_peak_bytes", 0.8, "faster", "less"),
        ("test_accuracy", 0.9, "slower", "worse"),
        ("test_loss", 0.9, "faster", "better"),
        ("mine", 0.9, "slower", "lower"),
    ],
)
def test_words_fit_the_metric(make: ModuleType, metric: str, b_over_a: float, verdict: str, word: str) -> None:
    def side(level: float) -> list[Result]:
        return [measured(make, trial, 1e5, **{metric: level * (1 + 0.001 * trial.seed)}) for trial in trials(4)]

    found = compare(side(0.5), side(0.5 * b_over_a), metric=metric)
    assert found.cells[0].verdict == verdict
    assert f"B is {word} than A" in comparison_text(found)


def test_the_same_is_said_by_the_doctors_word_only(make: ModuleType) -> None:
    a, b = (cell(make, random.Random(seed), 8, sd=0.01) for seed in (1, 2))
    assert compare(a, b).cells[0].verdict == "ambiguous"
    assert 'No cell is called "same" before it is known' in comparison_text(compare(a, b))
    assert compare(a, b, doctors=[doctor(make, 0.05)]).cells[0].verdict == "same"
    assert compare(a, b, doctors=[doctor(make, 0.001)]).cells[0].verdict == "ambiguous"
    other = [doctor(make, 0.05, environment=make.OTHER_MACHINE)]
    assert compare(a, b, doctors=other).cells[0].verdict == "ambiguous"
    # The doctor knows throughput in training, nothing of memory.
    told = [replace(each, metrics={**each.metrics, "host_peak_bytes": 1e6}) for each in a]
    assert compare(told, told, doctors=[doctor(make, 0.05)], metric="host_peak_bytes").cells[0].verdict == "ambiguous"


def test_counts_that_are_equal_are_the_same_without_the_doctors_word(make: ModuleType) -> None:
    a, b, more = ([measured(make, trial, 1e5, parameters=count) for trial in trials(3)] for count in (650, 650, 651))
    found = compare(a, b, metric="parameters")
    assert [found.verdict, *(each.verdict for each in found.compared)] == ["same", "same"]
    assert compare(a, more, metric="parameters").compared[0].verdict != "same"


def test_the_larger_of_two_machines_smallest_differences_counts(make: ModuleType) -> None:
    a = cell(make, random.Random(1), 8, sd=0.01)
    b = [replace(each, environment=make.OTHER_MACHINE, environment_id="b" * 16) for each in a]
    doctors = [doctor(make, 0.02), doctor(make, 0.07, environment=make.OTHER_MACHINE)]
    assert compare(a, b, doctors=doctors).cells[0].smallest == 0.07
    assert compare(a, b, doctors=doctors[:1]).cells[0].smallest is None


def test_other_threads_throughout_are_what_is_compared(make: ModuleType) -> None:
    a = [measured(make, trial, 1e5 + trial.seed) for trial in trials(5, threads=1)]
    b = [measured(make, trial, 2e5 + trial.seed) for trial in trials(5, threads=2)]
    found = compare(a, b)
    assert found.apart == ("train.threads",)
    assert [one.verdict for one in found.cells] == ["faster"]
    assert "threads: 1 against 2" in [str(each) for each in found.differences]
    # Within one folder, too.
    assert compare_sides(*split(folder("both", [*a, *b]), "threads")).cells[0].verdict == "faster"
    # Where a side has both, those with the same are compared.
    mixed = compare([*a, *b], b)
    assert mixed.apart == ()
    assert [pair.either.setting("train.threads") for pair in mixed.only_a] == [1]


def test_one_process_has_no_interval_and_it_is_said(make: ModuleType) -> None:
    found = compare([measured(make, trials(1)[0], 1e5)], [measured(make, trials(1)[0], 5e4)])
    one = found.cells[0]
    assert one.ratio is not None
    assert one.ratio.ratio == pytest.approx(0.5)
    assert (one.ratio.low, one.verdict, one.detectable) == (None, "ambiguous", None)
    text = comparison_text(found)
    assert "n = 1: one process has no interval" in text
    assert "slower" not in text


def test_a_cell_that_trains_differently_is_not_simply_faster(make: ModuleType) -> None:
    a, b = (cell(make, random.Random(seed), 5, speed=speed) for seed, speed in ((1, 1e5), (2, 2e5)))
    worse = [replace(each, metrics={**each.metrics, "test_accuracy": 0.8}) for each in b]
    assert [compare(a, other).cells[0].training for other in (b, worse)] == ["identical", "differently"]
    text = comparison_text(compare(a, worse))
    assert "faster ≠" in text
    assert "not simply so" in text
    other_loss = [replace(each, metrics={**each.metrics, "train_loss": 0.1 * each.trial.seed}) for each in b]
    a = [replace(each, metrics={**each.metrics, "train_loss": 0.2}) for each in a]
    assert compare(a, other_loss).cells[0].training == "alike"  # no other accuracy, but not the same training
    assert compare(a[:1], worse[:1]).cells[0].training == "unknown"
    moved = [replace(each, trial=replace(each.trial, seed=each.trial.seed + 9)) for each in b]
    assert compare(a, moved).cells[0].accuracy is None  # no seed in common: no pairs


def test_what_is_missing_on_a_side_is_said(make: ModuleType) -> None:
    a = [measured(make, trial, 1e5 + trial.seed) for model in ("mlp", "cnn") for trial in trials(3, model=model)]
    failed = [make.result_of(trial, status="failed", reason="ValueError: no") for trial in trials(3, model="cnn")]
    extra = [measured(make, trial, 1e5) for trial in trials(2, model="linear")]
    found = compare(a, [*a[:2], *failed, *extra])
    assert [len(pairs) for pairs in (found.cells, found.only_a, found.only_b, found.neither)] == [1, 1, 1, 0]
    text = " ".join(comparison_text(found).split())
    assert "Only in A: digits · cnn (the other side: 3 failed: ValueError: no)." in text
    assert "Only in B: digits · linear." in text
    assert found.cells[0].n == (3, 2)
    some = [replace(each, metrics={SPEED: 1.0} if each.trial.seed else {}) for each in a[:3]]
    partly = compare(a[:3], some)
    assert partly.compared == []
    assert "No ratio for 1 cell: B has train_samples_per_second in 2 of 3 trials." in comparison_text(partly)


def test_nothing_in_common_is_an_error_that_says_why(make: ModuleType) -> None:
    a = [measured(make, trial, 1e5) for trial in trials(2)]
    b = [replace(each, trial=replace(each.trial, dataset=Component("mnist"))) for each in a]
    with pytest.raises(BenchError, match="no measured cell in common: dataset digits against mnist; compare"):
        compare(a, b)
    failed = [make.result_of(trial, status="failed", reason="no") for trial in trials(2)]
    with pytest.raises(BenchError, match="no trial that is ok"):
        compare(a, failed)


def test_the_cause_stands_in_what_differs(make: ModuleType) -> None:
    a = cell(make, random.Random(1), 3)
    facts = dict(make.FACTS) | {"torch": "2.14.0", "switches": {"OMP_WAIT_POLICY": "PASSIVE"}, "memory_bytes": 2**34}
    other = Environment(facts, {"versions": {"numpy": "2.5"}, "commit": "f" * 40, "dirty": True})
    b = [replace(each, environment=other, environment_id="b" * 16, code_id="n" * 16, threads=1) for each in a]
    a = [replace(each, code={"bench/worker": "1", "model": "2"}) for each in a]
    b = [replace(each, code={"bench/worker": "1", "model": "3"}) for each in b]
    sides = whole(folder("a", a)), whole(folder("b", b, schema=2))
    assert [str(each) for each in compare_sides(*sides).differences] == [
        "threads (as they ran): 2 against 1",
        "memory: 23.3 GiB against 16.0 GiB",
        "torch: 2.15.0 against 2.14.0",
        "switches: OMP_WAIT_POLICY: not set against PASSIVE",
        "numpy: 2.4 against 2.5",
        "commit: 0123456789ab against ffffffffffff (with changes)",
        "the model's file differs: in 1 of 1 cell",
        "schema of the results: 1 against 2",
    ]
    again = cell(make, random.Random(2), 3)
    assert compare(again, again).differences == ()
    assert "Nothing that is recorded differs" in comparison_text(compare(again, again))
    assert "stands on both sides 3 times" in comparison_text(compare(again, again))


def test_timings_of_other_machines_are_never_pooled(make: ModuleType) -> None:
    """Two machines on both sides: each against itself, not the one against the other."""
    here = cell(make, random.Random(1), 4)
    there = [replace(each, environment=make.OTHER_MACHINE, environment_id="b" * 16,
                     metrics={**each.metrics, SPEED: 9 * each.metrics[SPEED]}) for each in here]  # fmt: skip
    found = compare([*here, *there], [*there, *here])
    assert [one.n for one in found.cells] == [(4, 4), (4, 4)]
    assert all(one.ratio is not None and abs(one.ratio.ratio - 1) < 1e-9 for one in found.cells)
    assert {one.a.machine for one in found.cells} == {one.b.machine for one in found.cells}
    assert len({one.a.machine for one in found.cells}) == 2


def test_the_mean_of_ratios_is_geometric(make: ModuleType) -> None:
    def side(factors: Sequence[float]) -> list[Result]:
        pairs = zip(("mlp", "cnn"), factors, strict=True)
        return [measured(make, t, 1e5 * f * (1 + t.seed / 1e3)) for model, f in pairs for t in trials(3, model=model)]

    found = compare(side((1, 1)), side((4, 0.25)))
    assert found.overall is not None
    assert abs(found.overall.ratio - 1) < 1e-9
    assert [one.verdict for one in found.cells] == ["faster", "slower"]
    assert "Of 2 cells 1 is faster and 1 is slower." in " ".join(comparison_text(found).split())


def test_it_is_said_what_so_few_processes_could_show(make: ModuleType) -> None:
    """What is stated as detectable is detected in four of five cases."""
    draw = random.Random(5)
    one = compare(cell(make, draw, 5, sd=0.03), cell(make, draw, 5, sd=0.03)).cells[0]
    assert one.detectable is not None
    spread = math.log(one.detectable)
    assert 0.02 < spread < 0.15
    text = " ".join(comparison_text(compare(cell(make, draw, 5), cell(make, draw, 5))).split())
    assert "With 5 processes a side and this spread, a ratio has to be 1." in text
