"""Exclusions, overrides, --only and --shard: against a plain, slow reading of the contract."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.base.records import Trial
from bench.suite.plan import Suite
from bench.suite.stored import suite_from_json, suite_to_json

MODELS = ["linear", "mlp", '{ name = "mlp", hidden = 7 }', "cnn"]
WIDE = f'[grid]\ndataset = ["digits", "mnist"]\nmodel = ["linear", "mlp", {MODELS[2]}, "cnn"]\nseed = [0, 1, 2]\nbatch_size = [16, 64]\n"train.learning_rate" = [0.1, 0.01]\n'  # noqa: E501


def labels(suite: Suite) -> list[str]:
    return [trial.model.label for trial in suite.trials()]


def test_seeds_are_the_outermost_loop(plan: Callable[..., Suite]) -> None:
    trials = list(plan("seed = [3, 1]\nbatch_size = [8, 4]\n").trials())
    assert [(trial.seed, trial.batch_size, trial.model.name) for trial in trials] == [
        (seed, batch, model) for seed in (3, 1) for batch in (8, 4) for model in ("linear", "mlp", "cnn")
    ]


EXCLUDED: dict[str, Callable[[Trial], bool]] = {
    'model = "cnn"': lambda t: t.model.name == "cnn",
    'model = "cnn"\nbatch_size = 64': lambda t: t.model.name == "cnn" and t.batch_size == 64,
    'model = ["cnn", "linear"]\nseed = [1, 2]': lambda t: t.model.name in ("cnn", "linear") and t.seed in (1, 2),
    'model = { name = "mlp" }': lambda t: t.model.name == "mlp",
    'model = { name = "mlp", hidden = 7 }': lambda t: t.model.label == "mlp(hidden=7)",
    'model = { name = "mlp", hidden = 100 }': lambda t: t.model.label == "mlp",
    'model = [{ name = "mlp", hidden = 100 }, "cnn"]': lambda t: t.model.label in ("mlp", "cnn"),
    '"train.learning_rate" = 0.01': lambda t: t.train.learning_rate == 0.01,
    "train = { learning_rate = [0.01, 5] }": lambda t: t.train.learning_rate == 0.01,
    '"train.epochs" = 10\ndataset = "mnist"': lambda t: t.dataset.name == "mnist",
    '"train.epochs" = 11\ndataset = "mnist"': lambda t: False,
    'dataset = "cifar10"': lambda t: False,
    'device = "auto"\nseed = 2': lambda t: t.seed == 2,
    'device = "cuda"': lambda t: False,
    "seed = 77": lambda t: False,
}


@pytest.mark.parametrize("rule", EXCLUDED)
def test_exclude(rule: str, plan: Callable[..., Suite]) -> None:
    whole = list(plan(text=WIDE).trials())
    suite = plan(text=f"{WIDE}[[exclude]]\n{rule}\n")
    assert list(suite.trials()) == [trial for trial in whole if not EXCLUDED[rule](trial)]
    assert suite.count() == len(list(suite.trials()))


def test_excluding_everything_is_refused(refusal: Callable[..., str]) -> None:
    assert refusal('[[exclude]]\ndevice = "cpu"\n') == "mine.toml: no trial of the grid remains after exclude"


def test_overrides_and_the_later_one_wins(plan: Callable[..., Suite]) -> None:
    suite = plan(
        "batch_size = [16, 64]\n"
        '[[override]]\nwhere = { model = ["cnn", "mlp"] }\nset = { "train.learning_rate" = 1, "train.epochs" = 3 }\n'
        '[[override]]\nwhere = { model = "cnn", batch_size = 64 }\nset = { train = { learning_rate = 0.5 } }\n'
        # Where asks the grid, not what an earlier override set.
        '[[override]]\nwhere = { "train.epochs" = 3 }\nset = { "train.momentum" = 0.9 }\n'
    )
    found = {
        (t.model.name, t.batch_size): (t.train.learning_rate, t.train.epochs, t.train.momentum) for t in suite.trials()
    }
    assert found == {
        ("linear", 16): (0.1, 10, 0.0),
        ("linear", 64): (0.1, 10, 0.0),
        ("mlp", 16): (1.0, 3, 0.0),
        ("mlp", 64): (1.0, 3, 0.0),
        ("cnn", 16): (1.0, 3, 0.0),
        ("cnn", 64): (0.5, 3, 0.0),
    }


def test_an_override_replaces_an_axis_and_collisions_are_one_trial(plan: Callable[..., Suite]) -> None:
    suite = plan(
        'seed = [0, 1]\n"train.learning_rate" = [0.1, 0.01]\n'
        '[[override]]\nwhere = { model = "cnn" }\nset = { "train.learning_rate" = 0.5 }\n'
    )
    assert Counter(labels(suite)) == {"linear": 4, "mlp": 4, "cnn": 2}
    assert suite.count() == 10


def test_an_exclusion_sees_what_an_override_set(plan: Callable[..., Suite]) -> None:
    override = '[[override]]\nwhere = { model = "cnn" }\nset = { "train.epochs" = 5 }\n'
    assert labels(plan(override + '[[exclude]]\n"train.epochs" = 5\n')) == ["linear", "mlp"]
    assert labels(plan(override + '[[exclude]]\n"train.epochs" = 10\n')) == ["cnn"]


def test_of_two_overrides_with_epochs_and_steps_the_later_wins(plan: Callable[..., Suite]) -> None:
    suite = plan(
        '[[override]]\nwhere = { seed = 0 }\nset = { "train.epochs" = 5 }\n'
        '[[override]]\nwhere = { model = "cnn" }\nset = { "train.steps" = 7 }\n'
    )
    found = {trial.model.name: (trial.train.epochs, trial.train.steps) for trial in suite.trials()}
    assert found == {"linear": (5, None), "mlp": (5, None), "cnn": (10, 7)}


ONLY: dict[str, Callable[[Trial], bool]] = {
    "model=mlp": lambda t: t.model.name == "mlp",
    "model=mlp,cnn": lambda t: t.model.name in ("mlp", "cnn"),
    "seed=1": lambda t: t.seed == 1,
    "batch_size=16": lambda t: t.batch_size == 16,
    "train.learning_rate=1e-2": lambda t: t.train.learning_rate == 0.01,
    "grid.dataset=mnist": lambda t: t.dataset.name == "mnist",
    "train.epochs=10": lambda t: True,
    "train.deterministic=true": lambda t: True,
    "device=cpu": lambda t: True,
}


@pytest.mark.parametrize("only", ONLY)
def test_only(only: str, plan: Callable[..., Suite]) -> None:
    rest = '[[exclude]]\nmodel = "cnn"\nbatch_size = 16\n'
    suite = plan(text=WIDE + rest, only=[only])
    assert list(suite.trials()) == [trial for trial in plan(text=WIDE + rest).trials() if ONLY[only](trial)]
    assert suite.count() == len(list(suite.trials()))
    assert suite.only == (only,)


def test_only_is_counted_without_expanding_and_narrows_the_axes(plan: Callable[..., Suite]) -> None:
    suite = plan("seed = { count = 300000 }\n[report]\nbaseline = 'linear'\n", only=["seed=299999,7", "model=mlp"])
    assert suite.axis("seed").values == (7, 299999)
    assert suite.axis("model").labels == ("mlp",)
    assert (suite.count(), suite.baseline) == (2, "")


def test_only_sees_what_an_override_set(plan: Callable[..., Suite]) -> None:
    rest = '[[override]]\nwhere = { model = "cnn" }\nset = { "train.epochs" = 5 }\n'
    assert labels(plan(rest, only=["train.epochs=5"])) == ["cnn"]
    assert labels(plan(rest, only=["train.epochs=10"])) == ["linear", "mlp"]
    assert labels(plan(rest, only=["train.epochs=10,5"])) == ["linear", "mlp", "cnn"]


BETAS = '"train.betas" = [[0.9, 0.999], [0.5, 0.9], [0, 0.99]]\n[train]\noptimizer = "adam"\n'


def betas(suite: Suite) -> list[tuple[float, ...]]:
    return [tuple(trial.train.betas) for trial in suite.trials() if trial.model.name == "mlp"]


def test_a_setting_that_is_a_list_is_an_axis_of_lists(plan: Callable[..., Suite]) -> None:
    suite = plan(BETAS)
    assert betas(suite) == [(0.9, 0.999), (0.5, 0.9), (0.0, 0.99)]
    assert suite.axis("train.betas").labels == ("[0.9, 0.999]", "[0.5, 0.9]", "[0.0, 0.99]")
    assert len({trial.trial_id for trial in suite.trials()}) == 9
    # The default is left out, however it is written.
    first = next(suite.trials())
    assert first.trial_id == next(plan('[train]\noptimizer = "adam"\n').trials()).trial_id


@pytest.mark.parametrize(
    ("rest", "left"),
    [
        ('[[exclude]]\n"train.betas" = [0.5, 0.9]\n', 2),
        ('[[exclude]]\n"train.betas" = [[0.5, 0.9], [0, 0.99]]\n', 1),
        ('[[exclude]]\n"train.betas" = [0.9, 0.9]\n', 3),
        ('[[override]]\nwhere = { seed = 0 }\nset = { "train.betas" = [0.1, 0.2] }\n', 1),
        (
            '[[override]]\nwhere = { "train.betas" = [0.5, 0.9] }\nset = { "train.betas" = [0.1, 0.2] }\n'
            '[[exclude]]\n"train.betas" = [0.1, 0.2]\n',
            2,
        ),
    ],
)
def test_rules_know_one_list_from_several(rest: str, left: int, plan: Callable[..., Suite]) -> None:
    suite = plan(BETAS + rest)
    assert len(betas(suite)) == left
    assert list(suite_from_json(json.loads(json.dumps(suite_to_json(suite)))).trials()) == list(suite.trials())


@pytest.mark.parametrize("only", ["train.betas=[0.5,0.9]", "train.betas=[0.5, 0.9]"])
def test_only_takes_a_list_whole(only: str, plan: Callable[..., Suite], refusal: Callable[..., str]) -> None:
    assert betas(plan(BETAS, only=[only])) == [(0.5, 0.9)]
    assert betas(plan(BETAS, only=[only + ",[0.9,0.999]"])) == [(0.9, 0.999), (0.5, 0.9)]
    assert "(there are: [0.9, 0.999])" in refusal(only=[only])


ONLY_REFUSED = {
    "model": "--only model: expected KEY=VALUE[,VALUE…], as in --only model=mlp,cnn",
    "model=mlp,": "--only model=mlp,: expected KEY=VALUE[,VALUE…], as in --only model=mlp,cnn",
    "model=lin": "--only model=lin: this grid has no model 'lin'; did you mean linear? (there are: linear, mlp, cnn)",
    "seed=9": "--only seed=9: this grid has no seed '9' (there are: 0)",
    "seed=true": "--only seed=true: this grid has no seed 'true' (there are: 0)",
    "modle=mlp": "--only modle=mlp: unknown key 'modle'; did you mean model?"
    " (the axes are dataset, model, seed, batch_size, device; settings by dotted name)",
    "optimiser=sgd": "--only optimiser=sgd: unknown key 'optimiser'; did you mean train.optimizer?"
    " (the axes are dataset, model, seed, batch_size, device; settings by dotted name)",
    "train.epochs=3": "--only train.epochs=3: this grid has no train.epochs '3' (there are: 10)",
    "seed=" + "9" * 5000: f"--only seed={'9' * 54}…: this grid has no seed '{'9' * 58}… (there are: 0)",
}


@pytest.mark.parametrize("only", ONLY_REFUSED, ids=lambda text: text[:30])
def test_only_refuses(only: str, refusal: Callable[..., str]) -> None:
    assert refusal(only=[only]) == ONLY_REFUSED[only]


def test_only_that_leaves_nothing_is_refused(refusal: Callable[..., str]) -> None:
    rest = 'batch_size = [16, 64]\n[[exclude]]\nmodel = "cnn"\nbatch_size = 64\n'
    assert refusal(rest, only=["model=cnn", "batch_size=64"]) == (
        "mine.toml: no trial of the grid remains after --only and exclude"
    )
    assert refusal(only=["model=cnn", "model=mlp"]) == "mine.toml: no trial of the grid remains after --only"


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/3", "01/3", "1/3\n", ""])
def test_shard_refuses(shard: str, refusal: Callable[..., str]) -> None:
    assert refusal(shard=shard).endswith("expected K/N with 1 <= K <= N, as in --shard 1/4")


RULES = st.lists(
    st.sampled_from(
        [
            '[[exclude]]\nmodel = "cnn"\nbatch_size = 16\n',
            "[[exclude]]\nseed = 1\ndataset = 'mnist'\n",
            '[[exclude]]\n"train.learning_rate" = 0.01\nmodel = "linear"\n',
            '[[override]]\nwhere = { model = "mlp" }\nset = { "train.learning_rate" = 0.2 }\n',
            '[[override]]\nwhere = { seed = 2, batch_size = 64 }\nset = { "train.learning_rate" = 0.1 }\n',
        ]
    ),
    unique=True,
)


@settings(max_examples=40, deadline=None)
@given(rules=RULES, shards=st.integers(1, 9))
def test_shards_partition_the_plan_and_keep_cells_whole(
    rules: list[str], shards: int, plan: Callable[..., Suite]
) -> None:
    text = WIDE + "".join(rules)
    whole = [trial.trial_id for trial in plan(text=text).trials()]
    assert len(whole) == len(set(whole)) == plan(text=text).count()
    parts = [plan(text=text, shard=f"{k + 1}/{shards}") for k in range(shards)]
    trials = [list(part.trials()) for part in parts]
    assert [part.count() for part in parts] == [len(part) for part in trials]
    assert sorted(trial.trial_id for part in trials for trial in part) == sorted(whole)
    for part in trials:
        ids = [trial.trial_id for trial in part]
        assert ids == sorted(ids, key=whole.index), "the order of the plan"
    cells = [{trial.cell_id for trial in part} for part in trials]
    assert sum(len(part) for part in cells) == len(set().union(*cells)), "no cell in two shards"
    sizes = [len(part) for part in cells]
    assert max(sizes) - min(sizes) <= 1


def test_shards_share_the_models(plan: Callable[..., Suite]) -> None:
    """Three shards of three models: not one model each, which would give one of them all the slow ones."""
    text = "batch_size = [1, 2, 3]\n"
    for k in (1, 2, 3):
        assert set(labels(plan(text, shard=f"{k}/3"))) == {"linear", "mlp", "cnn"}


@settings(max_examples=40, deadline=None)
@given(rules=RULES, only=st.lists(st.sampled_from(list(ONLY)), unique=True, max_size=2))
def test_only_is_a_filter_of_the_plan(rules: list[str], only: list[str], plan: Callable[..., Suite]) -> None:
    text = WIDE + "".join(rules)
    kept: list[Trial] = [trial for trial in plan(text=text).trials() if all(ONLY[one](trial) for one in only)]
    if not kept:
        return
    suite = plan(text=text, only=only)
    assert list(suite.trials()) == kept
    assert suite.count() == len(kept)
    stored = suite_from_json(suite_to_json(suite))
    assert stored == suite
    assert [trial.trial_id for trial in stored.trials()] == [trial.trial_id for trial in kept]
