"""Published figures of a suite: what is refused, what they match, and that they are no part of what a trial is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.suite.catalogue import Catalogue
from bench.suite.plan import Suite
from bench.suite.read import read_suite
from bench.suite.resolve import resolve
from bench.suite.stored import suite_from_json, suite_to_json

HEAD = """
name = "mine"
[grid]
dataset = ["digits"]
model = ["linear", { name = "mlp", hidden = 7 }, "mlp"]
seed = [0, 1]
batch_size = [16, 64]
"train.learning_rate" = [0.1, 0.01]
[[override]]
where = { model = "linear" }
set = { "train.momentum" = 0.5 }
"""


@pytest.fixture
def planned(tmp_path: Path, catalogue: Catalogue) -> Callable[..., Suite]:
    def plan(text: str = "", *, only: tuple[str, ...] = ()) -> Suite:
        path = tmp_path / "mine.toml"
        path.write_text(HEAD + text, encoding="utf-8")
        return resolve(read_suite(path), catalogue, only=only)

    return plan


def matched(suite: Suite) -> list[tuple[str, int, float]]:
    (figure,) = suite.published
    found = {(t.model.label, t.batch_size, t.train.learning_rate) for t in suite.trials() if suite.has(figure.rule, t)}
    return sorted(found)


def figure(where: str, more: str = "value = 0.9") -> str:
    return f'[[report.published]]\n{f"where = {where}" if where else ""}\n{more}\nsource = "a book"\n'


ALL = [(label, size, rate) for label in ("linear", "mlp", "mlp(hidden=7)") for size in (16, 64) for rate in (0.01, 0.1)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", ALL),
        ('{ model = "linear" }', [each for each in ALL if each[0] == "linear"]),
        ('{ model = "mlp" }', [each for each in ALL if each[0] != "linear"]),
        ('{ model = { name = "mlp", hidden = 7 } }', [each for each in ALL if each[0] == "mlp(hidden=7)"]),
        ('{ batch_size = [16], "train.learning_rate" = 0.01 }', [each for each in ALL if each[1:] == (16, 0.01)]),
        ("{ train = { learning_rate = 0.01 } }", [each for each in ALL if each[2] == 0.01]),
        ('{ "train.momentum" = 0.5 }', [each for each in ALL if each[0] == "linear"]),  # as an override has set it
        ('{ "train.momentum" = 0.0, batch_size = 64 }', [e for e in ALL if e[0] != "linear" and e[1] == 64]),
    ],
)
def test_where_asks_what_a_trial_runs_with(
    where: str, expected: list[tuple[str, int, float]], planned: Callable[..., Suite]
) -> None:
    assert matched(planned(figure(where))) == expected


def test_it_is_no_part_of_what_a_trial_is(planned: Callable[..., Suite]) -> None:
    without, suite = planned(), planned(figure("") + "[report]\nweights = true\n")
    assert [trial.trial_id for trial in suite.trials()] == [trial.trial_id for trial in without.trials()]
    assert suite == without
    assert {"published", "weights"} & suite_to_json(without).keys() == set()


def test_a_stored_plan_keeps_it(planned: Callable[..., Suite]) -> None:
    suite = planned(
        figure('{ model = "linear", "train.momentum" = 0.5 }')
        + figure("", 'metric = "f1"\nclass = "8"\nrange = [0.1, 0.2]')
        + "[report]\nweights = true\n"
    )
    again = suite_from_json(suite_to_json(suite))
    assert (again.published, again.weights) == (suite.published, True)
    assert [(each.low, each.high, each.class_name) for each in again.published] == [(0.9, 0.9, ""), (0.1, 0.2, "8")]


def test_what_only_leaves_out_has_no_figure(planned: Callable[..., Suite]) -> None:
    assert planned(figure('{ model = "linear" }'), only=("model=mlp",)).published == ()
    assert len(planned(figure('{ model = "linear" }')).published) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (figure("", ""), "report.published[0]: give value or range, one of the two"),
        (figure("", "value = 1\nrange = [1, 2]"), "report.published[0]: give value or range, one of the two"),
        (figure("", "range = [2, 1]"), "report.published[0].range: expected [low, high], found [2, 1]"),
        (figure("", "range = [2]"), "report.published[0].range: "),
        (figure("", "value = inf"), "report.published[0].value: "),
        (figure("{ seed = 0 }"), "report.published[0].where.seed: a published figure is compared with the mean"),
        (figure('{ modle = "linear" }'), "report.published[0].where.modle: unknown key; did you mean"),
        (figure('{ model = "liner" }'), "report.published[0].where.model: unknown model 'liner'; did you mean linear"),
        (figure("", 'value = 1\nmetric = "accuracy"'), "report.published[0].metric: unknown metric 'accuracy'"),
        (figure("", 'value = 1\nmetric = "f1"'), "report.published[0].class: missing; f1 is a metric of one class"),
        (figure("", 'value = 1\nclass = "8"'), "report.published[0].metric: the metric of a class is one of f1, "),
        ("[[report.published]]\nvalue = 1\n", "report.published[0].source: missing"),
        ('[[report.published]]\nvalue = 1\nsource = "a\\u0007"\n', "report.published[0].source: expected 1 to 300"),
    ],
)
def test_a_mistake_is_one_line(text: str, said: str, planned: Callable[..., Suite]) -> None:
    with pytest.raises(BenchError) as found:
        planned(text)
    assert found.value.args[0].partition("mine.toml: ")[2].startswith(said), found.value
