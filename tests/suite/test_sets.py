"""`--set`: what it changes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.suite.plan import Suite

CHANGES: dict[str, Callable[[Suite], bool]] = {
    "train.epochs=2": lambda suite: suite.train.epochs == 2,
    " train.epochs = 2": lambda suite: suite.train.epochs == 2,
    "train.optimizer=adam": lambda suite: suite.train.optimizer == "adam",
    'train.optimizer="adam"': lambda suite: suite.train.optimizer == "adam",
    "train.learning_rate=1": lambda suite: suite.train.learning_rate == 1.0,
    "measure.target_accuracy=0.9": lambda suite: suite.measure.target_accuracy == 0.9,
    'grid.device=["cpu"]': lambda suite: suite.axis("device").values == ("cpu",),
    "grid.train.learning_rate=[0.1]": lambda suite: suite.axis("train.learning_rate").values == (0.1,),
    'grid."train.learning_rate"=[0.1]': lambda suite: suite.axis("train.learning_rate").values == (0.1,),
    "grid.seed={count=3}": lambda suite: suite.axis("seed").values == range(3),
    'grid.model=[{name="mlp", hidden=7}]': lambda suite: suite.axis("model").labels == ("mlp(hidden=7)",),
    "name=other": lambda suite: suite.name == "other",
    "report.baseline=mlp": lambda suite: suite.baseline == "mlp",
    'exclude=[{model="cnn"}]': lambda suite: suite.count() == 2,
    "train.steps=7": lambda suite: suite.train.steps == 7 and suite.train.epochs == 10,
}


@pytest.mark.parametrize("text", CHANGES)
def test_set_changes(text: str, plan: Callable[..., Suite]) -> None:
    assert CHANGES[text](plan("[train]\nepochs = 5\n", sets=(text,)))


REFUSED = {
    "train.epoch=3": "--set train.epoch=3: train.epoch: unknown key; did you mean train.epochs?",
    "train.epochs=many": "--set train.epochs=many: train.epochs: expected an integer of at least 1, found 'many'",
    "grid.model=[]": "--set grid.model=[]: grid.model: an empty list; give at least one value",
    'grid.model=["liner"]': "--set grid.model=[\"liner\"]: grid.model[0]: unknown model 'liner'; did you mean linear?"
    " (there are: cnn, linear, mlp, odd)",
    'name="../x"': "--set name=\"../x\": name: expected 1 to 64 of the characters a-z, 0-9, _ and -, found '../x'",
    "train.epochs": "--set train.epochs: expected KEY=VALUE with a dotted key, as in --set train.epochs=2",
    "=": "--set =: expected KEY=VALUE with a dotted key, as in --set train.epochs=2",
    "name.x=2": "--set name.x=2: name is no table",
    "train.epochs=1\nname='y'": "--set train.epochs=1\\nname='y': \"1\\nname='y'\" is no TOML value;"
    " a string is written 'train.epochs=\"text\"'",
    "measure.warmup_steps=5": "--set measure.warmup_steps=5: no effect: the grid has an axis measure.warmup_steps;"
    " use --set 'grid.measure.warmup_steps=[…]'",
}


@pytest.mark.parametrize("text", REFUSED)
def test_set_refuses(text: str, refusal: Callable[..., str]) -> None:
    assert refusal('"measure.warmup_steps" = [1, 2]\n', sets=(text,)) == REFUSED[text]


def test_set_makes_no_order_of_its_own(plan: Callable[..., Suite]) -> None:
    assert plan(sets=("train.epochs=1", "train.epochs=2")).train.epochs == 2


def test_both_epochs_and_steps_by_set(refusal: Callable[..., str]) -> None:
    assert "give train.epochs or train.steps, not both" in refusal(sets=("train.epochs=1", "train.steps=2"))
