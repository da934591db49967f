"""`[tune]`: what it may say, what it applies to, what of it is in an id, and what is kept of it beside the plan."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.errors import BenchError
from bench.results.merge import combine
from bench.results.searches import searches_of
from bench.suite.catalogue import Catalogue
from bench.suite.plan import Suite
from bench.suite.stored import suite_from_json, suite_to_json
from bench.suite.tune import Attempt, Range, SearchState, Tune
from bench.suite.tune_grid import combinations
from bench.tune.overrides import override_blocks

RATE = '"train.learning_rate" = { low = 1e-3, high = 1, log = true }\n'


def tuned(suite: Suite) -> Tune:
    assert suite.tune is not None
    return suite.tune


def test_the_table_and_its_defaults(plan: Callable[..., Suite]) -> None:
    assert plan().tune is None
    found = tuned(
        plan(f'[tune]\n{RATE}"train.weight_decay" = [0, 1e-4, 0.0]\nmlp.hidden = {{ low = 32, high = 256 }}\n')
    )
    assert found == Tune(
        (
            Range("train.learning_rate", low=0.001, high=1.0, log=True),
            Range("train.weight_decay", values=(0.0, 0.0001)),
            Range("mlp.hidden", low=32, high=256, whole=True, models=(1,), default=100),
        ),
        trials=16,
        validation=0.2,
        seeds=1,
        sampler="tpe",
        stop_early=True,
        seconds=0.0,
    )


def test_a_model_setting_is_searched_for_each_entry_that_does_not_set_it(plan: Callable[..., Suite]) -> None:
    models = '["mlp", { name = "mlp", hidden = 50 }, "cnn", { name = "mlp", slope = 0.5 }]'
    text = f'[grid]\ndataset = ["digits"]\nmodel = {models}\n[tune]\n"mlp.hidden" = [32, 64]\n'
    assert tuned(plan(text=text)).ranges[0].models == (0, 3)
    assert tuned(plan(text=text, only=["model=mlp"])).ranges[0].models == (0, 2)
    assert tuned(plan(text=text, only=["model=cnn"])).ranges == ()


TPE, GRID = RATE, 'sampler = "grid"\ntrials = 7\n"train.weight_decay" = [0, 1]\n"train.momentum" = [0, 0.5]\n'


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", r"tune: nothing to search: add settings, as in \"train.learning_rate\" ="),
        (RATE + "trails = 4", r"tune\.trails: unknown key; did you mean tune\.trials\? \(it takes: trials, validation"),
        ("learning_rate = [0.1]", r"tune\.learning_rate: unknown key; did you mean train\.learning_rate\?"),
        (
            '"train.learning_rat" = [0.1]',
            r"tune\.train\.learning_rat: no setting of \[train\]; did you mean learning_rate",
        ),
        (
            '"trian.learning_rate" = [0.1]',
            r"the grid has no model 'trian'; did you mean train\? \(there are: linear, mlp",
        ),
        ('"mpl.hidden" = [32]', r"tune\.mpl\.hidden: the grid has no model 'mpl'; did you mean mlp\?"),
        ('"odd.flag" = [true]', r"tune\.odd\.flag: the grid has no model 'odd'"),
        ('"mlp.hiden" = [32]', r"tune\.mlp\.hiden: unknown setting of model mlp; did you mean hidden\?"),
        ('"linear.hidden" = [32]', r"unknown setting of model linear \(it takes no settings\)"),
        ('"mlp.hidden" = []', r"tune\.mlp\.hidden: an empty list; give at least one value"),
        ('"mlp.hidden" = ["wide"]', r"tune\.mlp\.hidden\[0\]: expected an integer or a list of integers, found 'wide'"),
        ('"mlp.hidden" = { low = 8, high = 8.5 }', r"tune\.mlp\.hidden\.high: expected an integer"),
        ('"mlp.hidden" = { low = 64, high = 32 }', r"low 64 is not below high 32"),
        ('"mlp.hidden" = { low = 64 }', r"tune\.mlp\.hidden\.high: missing"),
        ('"train.learning_rate" = { low = 1, high = 1 }', r"tune\.train\.learning_rate: low 1 is not below high 1"),
        (
            '"train.learning_rate" = { low = 0, high = 1, log = true }',
            r"learning_rate\.low: expected a number over 0 with",
        ),
        ('"train.learning_rate" = { low = 0, high = 1 }', r"learning_rate\.low: expected a number over 0, found 0"),
        ('"train.learning_rate" = 0.1', r"tune\.train\.learning_rate: expected a list of values, or \{ low = 1e-3"),
        ('"train.learning_rate" = [-1.0]', r"tune\.train\.learning_rate\[0\]: expected a number over 0, found -1.0"),
        (
            '"train.optimizer" = ["sgd", "adma"]',
            r"optimizer\[1\]: expected one of sgd, .* found 'adma'; did you mean adam",
        ),
        ('"train.optimizer" = { low = 0, high = 1 }', r"train\.optimizer: a range is for numbers; give a list"),
        ('"train.threads" = [1, 2]', None),
        ('"measure.warmup_steps" = [1]', r"only settings of \[train\] and of models are searched"),
        ('"train.validation_split" = [0.1]', r"it is no setting to search; tune\.validation says how large"),
        ('"train.keep_checkpoints" = [true]', r"it changes nothing that is learned"),
        (
            '"train.epochs" = [5, 10]',
            r"stop_early compares settings at the same share of one length; add stop_early = f",
        ),
        (
            'stop_early = false\n"train.epochs" = [5]\n"train.steps" = [9]',
            r"tune: give train.epochs or train.steps, not",
        ),
        (RATE + "trials = 0", r"tune\.trials: expected an integer from 1 to 10000, found 0"),
        (RATE + "trials = 4\nseconds = 60", r"tune\.seconds: give tune\.trials or tune\.seconds, not both"),
        (RATE + "trials = 4\nseconds = 0", None),
        (RATE + "validation = 0", r"tune\.validation: expected a number over 0 and under 1, found 0"),
        (RATE + "validation = 1.0", r"tune\.validation: expected"),
        (
            RATE + 'sampler = "tep"',
            r"tune\.sampler: expected one of tpe, random, grid, found 'tep'; did you mean tpe\?",
        ),
        (
            GRID + RATE,
            r"tune\.sampler: a grid of 8 settings \(train\.weight_decay × .* is more than tune\.trials = 7; raise",
        ),
        (GRID, None),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(
    plan: Callable[..., Suite], refusal: Callable[..., str], table: str, said: str | None
) -> None:
    if said is None:
        assert plan(f"[tune]\n{table}\n").tune is not None
        return
    line = refusal(f"[tune]\n{table}\n")
    assert line.startswith("mine.toml: tune")
    with pytest.raises(BenchError, match=said):
        plan(f"[tune]\n{table}\n")


def test_a_setting_that_is_an_axis_too_or_that_every_entry_sets_is_refused(refusal: Callable[..., str]) -> None:
    grid = '[grid]\ndataset = ["digits"]\nmodel = [{ name = "mlp", hidden = 100 }]\n'
    axis = refusal(text=f'{grid}"train.momentum" = [0.0, 0.9]\n[tune]\n"train.momentum" = [0.5]\n')
    assert axis.startswith("mine.toml: tune.train.momentum: it is an axis of the grid too; keep one of the two")
    sets = refusal(text=f'{grid}[tune]\n"mlp.hidden" = [32]\n')
    assert sets.startswith("mine.toml: tune.mlp.hidden: every mlp of the grid sets hidden itself")


def test_set_puts_a_setting_into_it(plan: Callable[..., Suite]) -> None:
    suite = plan(f"[tune]\n{RATE}", sets=("tune.trials=4", "tune.mlp.hidden=[8, 16]", "tune.train.learning_rate=[1]"))
    assert tuned(suite).trials == 4
    assert {each.key: each.values for each in tuned(suite).ranges} == {
        "train.learning_rate": (1.0,),
        "mlp.hidden": (8, 16),
    }


def test_it_is_in_no_id(plan: Callable[..., Suite]) -> None:
    ids = [[trial.trial_id for trial in plan(more).trainings()] for more in ("", f"[tune]\n{RATE}")]
    assert ids[0] == ids[1]


def test_an_override_sets_a_setting_of_a_model(plan: Callable[..., Suite], refusal: Callable[..., str]) -> None:
    grid = (
        '[grid]\ndataset = ["digits"]\nmodel = ["linear", "mlp", { name = "mlp", slope = 0.5 }]\nbatch_size = [8, 9]\n'
    )
    where = "[[override]]\nwhere = { batch_size = 9 }\nset = "
    trials = list(plan(text=f'{grid}{where}{{ "mlp.hidden" = 64 }}\n').trials())
    assert [trial.model.label for trial in trials] == [
        "linear", "mlp", "mlp(slope=0.5)", "linear", "mlp(hidden=64)", "mlp(hidden=64, slope=0.5)",
    ]  # fmt: skip
    written = list(plan(text=grid.replace('"mlp"', '{ name = "mlp", hidden = 64 }', 1)).trials())
    assert trials[4].trial_id == written[4].trial_id
    default = list(plan(text=f'{grid}{where}{{ "mlp.hidden" = 100, "mlp.slope" = 0 }}\n').trials())
    assert [trial.model.label for trial in default[3:]] == ["linear", "mlp"]  # two entries are one trial then
    assert list(suite_from_json(suite_to_json(plan(text=f'{grid}{where}{{ "mlp.hidden" = 64 }}\n'))).trials()) == trials
    assert "unknown setting of model mlp; did you mean hidden?" in refusal(
        text=f'{grid}{where}{{ "mlp.hiden" = 64 }}\n'
    )
    assert "override[0].set.mlp.hidden: expected an integer" in refusal(text=f'{grid}{where}{{ "mlp.hidden" = 0.5 }}\n')
    assert "override[0].set.cnn.channels: unknown key" in refusal(text=f'{grid}{where}{{ "cnn.channels" = [8] }}\n')
    assert "did you mean override[0].set.train.epochs?" in refusal(text=f'{grid}{where}{{ "train.epoch" = 8 }}\n')


def with_choice(suite: Suite, **settings: object) -> Suite:
    """The suite after a search that chose these settings for each of its cells."""
    states = []
    for cell, found in suite.default_cells().items():
        own = {each.key: settings[each.key] for each in tuned(suite).of_model(found.place) if each.key in settings}
        states.append(SearchState(cell, (Attempt({}, ("0" * 16,)), Attempt(own, ("1" * 16,))), 1))
    return replace(suite, tune=replace(tuned(suite), searches=tuple(states)))


def test_after_a_search_the_trials_are_those_of_an_override(plan: Callable[..., Suite]) -> None:
    found = f'[tune]\n{RATE}"mlp.hidden" = [32, 64, 100]\n'
    after = with_choice(plan(found), **{"train.learning_rate": 0.5, "mlp.hidden": 32})
    override = 'set = { "train.learning_rate" = 0.5, "mlp.hidden" = 32 }\n'
    assert list(after.trials()) == list(plan(f"[[override]]\nwhere = {{ seed = 0 }}\n{override}").trials())
    default = with_choice(plan(found), **{"mlp.hidden": 100, "train.learning_rate": 0.1})
    assert list(default.trials()) == list(plan().trials()) == list(default.trainings())
    assert after.count() == 3
    assert len(list(after.trainings())) == 6
    assert len({trial.cell_id for trial in after.trials()} | set(after.default_cells())) == 6


def test_it_is_stored_beside_the_plan_and_read_again(plan: Callable[..., Suite]) -> None:
    suite = with_choice(plan(f'[tune]\n{RATE}"mlp.hidden" = [32, 64]\n'), **{"train.learning_rate": 0.5})
    value = suite_to_json(suite)
    again = suite_from_json(json.loads(json.dumps(value)))
    assert again.tune == suite.tune
    assert tuned(again).searches == tuned(suite).searches
    assert list(again.trials()) == list(suite.trials())
    for broken in (
        {"searches": [{"cell": "0" * 16, "attempts": [], "chosen": 3}]},
        {
            "searches": [
                {"cell": "0" * 16, "attempts": [{"settings": {"train.momentum": 0.5}, "trials": []}], "chosen": 0}
            ]
        },
        {"searches": [{"cell": "0" * 16, "attempts": [{"settings": {"train.learning_rate": -1}, "trials": []}]}]},
        {"ranges": [{"key": "train.nothing"}]},
        {"ranges": [{"key": "mlp.hidden", "models": [7]}]},
    ):
        with pytest.raises(BenchError, match="damaged"):
            suite_from_json({**value, "tune": {**value["tune"], **broken}})
    assert "tune" not in suite_to_json(plan())


def test_shards_keep_a_search_whole_and_merge_to_all_of_them(plan: Callable[..., Suite]) -> None:
    text = f"batch_size = [8, 16]\nseed = [0, 1, 2]\n[tune]\n{RATE}"
    parts = [plan(text, shard=f"{k}/4") for k in range(1, 5)]
    cells = [set(part.default_cells()) for part in parts]
    assert sum(map(len, cells)) == len(set().union(*cells)) == 6
    assert all(len(cell.trials) == 3 for part in parts for cell in part.default_cells().values())
    done = [with_choice(part, **{"train.learning_rate": 0.5}) for part in parts]
    for part, before in zip(done, parts, strict=True):
        assert [trial.model for trial in part.trials()] == [trial.model for trial in before.trials()]
    whole, _ = combine({str(number): part for number, part in enumerate(done)})
    assert {state.cell for state in tuned(whole).searches} == set().union(*cells)
    assert {trial.train.learning_rate for trial in whole.trials()} == {0.5}
    other = plan(f"batch_size = [8, 16]\nseed = [0, 1, 2]\n[tune]\ntrials = 3\n{RATE}", shard="1/4")
    with pytest.raises(BenchError, match="tune: other settings, or searched in another way"):
        combine({"a": done[0], "b": other})


def test_what_is_printed_plans_the_same_trainings_whatever_the_grid(
    plan: Callable[..., Suite], catalogue: Catalogue
) -> None:
    grid = """[grid]
dataset = ["digits", { name = "digits", train_limit = 9 }, "mnist"]
model = ["mlp", { name = "mlp", hidden = 50 }, "linear", { name = "mlp", slope = 0.5 }]
batch_size = [8, 16]
seed = [0, 1]
"train.momentum" = [0.0, 0.9]
[[override]]
where = { model = "linear" }
set = { "train.weight_decay" = 0.1 }
"""
    suite = plan(text=f'{grid}[tune]\n{RATE}"mlp.hidden" = {{ low = 8, high = 900 }}\n"train.betas" = [[0.5, 0.9]]\n')
    states = []
    for number, (cell, found) in enumerate(suite.default_cells().items()):
        own = {each.key for each in tuned(suite).of_model(found.place)}
        every = {"train.learning_rate": 0.001 * (1 + number), "mlp.hidden": 9 + number, "train.betas": [0.5, 0.9]}
        winner = {key: value for key, value in every.items() if key in own}
        first = {each.key: each.of(found.trials[0]) for each in tuned(suite).of_model(found.place)}
        states.append(SearchState(cell, (Attempt(first), Attempt(winner)), min(number % 5, 1)))
    after = replace(suite, tune=replace(tuned(suite), searches=tuple(states)))

    def default(axis: str, name: str, setting: str) -> object:
        return (catalogue.datasets if axis == "dataset" else catalogue.models)[name].settings[setting].default

    blocks = list(override_blocks(after, searches_of(after, ()), default))
    assert len(blocks) == len(states) == 48  # train_limit has no value that says "none": the defaults are written too
    pasted = plan(text="\n".join([grid, *blocks]))
    assert [trial.trial_id for trial in pasted.trials()] == [trial.trial_id for trial in after.trials()]
    assert len({trial.trial_id for trial in after.trials()}) == 96


def test_points_of_a_grid_fit_into_the_trials() -> None:
    rate = Range("train.learning_rate", low=0.001, high=1.0, log=True)
    hidden = Range("mlp.hidden", low=4, high=6, whole=True, models=(0,))
    kinds = Range("train.optimizer", values=("sgd", "adam"))
    assert [each["train.learning_rate"] for each in combinations(Tune((rate,), trials=4), (rate,))] == [
        0.001,
        0.01,
        0.1,
        1,
    ]
    assert {each["mlp.hidden"] for each in combinations(Tune((hidden,), trials=99), (hidden,))} == {4, 5, 6}
    found = combinations(Tune((rate, hidden, kinds), trials=16), (rate, hidden, kinds))
    assert len(found) <= 16
    assert len({each["train.learning_rate"] for each in found}) == 2


def test_the_example_of_the_docs_is_one(plan: Callable[..., Suite]) -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs/tuning.md").read_text(encoding="utf-8")
    block = page.partition("```toml\n")[2].partition("```")[0]
    assert set(tomllib.loads(block)) == {"tune"}
    assert len(tuned(plan(block)).ranges) == 3
