"""Faults 19 and 20, a key or name that nobody knows and a value of a wrong type: refused, with what was expected."""

# ruff: noqa: E501  # tables of messages read best with one case a line

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.suite.catalogue import Catalogue

TRAIN = "[train]\nepochs = 1\n"
LOW = "expected an integer of at least 1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("epochs = 2", "epoch = 2"), "train.epoch: unknown key; did you mean train.epochs?"),
        (('"linear"', '"linera"'), "did you mean linear?"),
        (("epochs = 2", 'epochs = "two"'), "train.epochs: expected"),
        (("[grid]", "[grid"), "line"),
    ],
)
def test_a_mistake_is_one_line_with_exit_code_2(
    project: Any, command: Callable[..., Any], change: tuple[str, str], words: str
) -> None:
    suite = project.suite("linear")
    text = suite.read_text().replace(*change)
    assert text != suite.read_text()
    suite.write_text(text.replace('plugins = ["models.py"]\n', ""))
    done = command("run", suite, "--results", project.results)
    assert done.code == 2
    assert words in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert done.err.startswith(str(suite))
    assert not project.results.exists()


REST = {
    "an unknown key in [train]": (TRAIN + "epoch = 3\n", "train.epoch: unknown key; did you mean train.epochs?"),
    "in [grid]": ("modle = []\n", "grid.modle: unknown key; did you mean grid.model?"),
    "a setting in [grid]": ("learning_rate = [1]\n", "grid.learning_rate: unknown key; did you mean grid.train.learning_rate?"),
    "a dotted key in [grid]": ('"train.epoch" = [1]\n', "grid.train.epoch: unknown key; did you mean grid.train.epochs?"),
    "in [measure]": ("[measure]\nwarmup = 3\n", "measure.warmup: unknown key; did you mean measure.warmup_steps?"),
    "in [report]": ("[report]\nbase = 3\n", "report.base: unknown key; did you mean report.baseline?"),
    "in [[exclude]]": ('[[exclude]]\nmodl = "cnn"\n', "exclude[0].modl: unknown key; did you mean exclude[0].model?"),
    "in [[override]]": ('[[override]]\nwher = {}\nset = { "train.epochs" = 1 }\n', "override[0].wher: unknown key; did you mean override[0].where?"),
    "in where": (
        '[[override]]\nwhere = { devise = "cpu" }\nset = { "train.epochs" = 1 }\n',
        "override[0].where.devise: unknown key; did you mean override[0].where.device?",
    ),
    "in set": (
        '[[override]]\nwhere = { model = "cnn" }\nset = { "train.epoch" = 1 }\n',
        "override[0].set.train.epoch: unknown key; did you mean override[0].set.train.epochs?",
    ),
    "far from every key": ("[report]\nxyz = 1\n", "report.xyz: unknown key; the keys are baseline, sinks, weights, published"),
    "a wrong type": ('[train]\nepochs = "many"\n', f"train.epochs: {LOW}, found 'many'"),
    "a bool for an int": ("[train]\nepochs = true\n", f"train.epochs: {LOW}, found true"),
    "a float for an int": ("[train]\nepochs = 2.0\n", f"train.epochs: {LOW}, found 2.0"),
    "an int for a bool": ("[train]\ndeterministic = 1\n", "train.deterministic: expected true or false, found 1"),
    "a bool for a float": ("[train]\nlearning_rate = true\n", "train.learning_rate: expected a number over 0, found true"),
    "nan": ("[train]\nlearning_rate = nan\n", "train.learning_rate: expected a number over 0, found nan"),
    "inf": ("[train]\nlearning_rate = inf\n", "train.learning_rate: expected a number over 0, found inf"),
    "a date": (
        "[train]\nmomentum = 2020-01-01\n",
        "train.momentum: expected a number of at least 0 and under 1, found the date or time 2020-01-01",
    ),
    "a choice": (
        '[train]\noptimizer = "adm"\n',
        "train.optimizer: expected one of sgd, adam, adamw, rmsprop, lbfgs, found 'adm'; did you mean adam?",
    ),
    "a range": ("[train]\nnum_workers = 257\n", "train.num_workers: expected an integer from 0 to 256, found 257"),
    "an integer of more than 64 bits": (
        "[train]\nepochs = 99999999999999999999\n",
        "train.epochs: expected an integer from -2^63 to 2^63 - 1, found 99999999999999999999",
    ),
    "a timeout of nothing": (
        "[measure]\ntimeout_seconds = 0\n",
        "measure.timeout_seconds: expected a number over 0, found 0",
    ),
    "a target over 1": (
        "[measure]\ntarget_accuracy = 90\n",
        "measure.target_accuracy: expected a number over 0 and of at most 1, found 90",
    ),
    "epochs and steps": ("[train]\nepochs = 1\nsteps = 1\n", "train: give train.epochs or train.steps, not both"),
    "epochs and an axis of steps": (TRAIN.replace("[train]", '"train.steps" = [5]\n[train]'), "train: give train.epochs or train.steps, not both"),
    "epochs and steps by override": (
        TRAIN + '[[override]]\nwhere = { model = "cnn" }\nset = { "train.steps" = 5 }\n',
        "override[0].set: give train.epochs or train.steps, not both",
    ),
    "a negative batch": ("batch_size = [-4]\n", f"grid.batch_size[0]: {LOW}, found -4"),
    "a negative seed": ("seed = [0, -1]\n", "grid.seed[1]: expected an integer of at least 0 and under 9223372036854775808, found -1"),
    "a seed that is no list": (
        "seed = 3\n",
        "grid.seed: expected a list of integers from 0 to 9223372036854775807, or { count = 30, start = 0 }, found 3",
    ),
    "a key of a range": ("seed = { cout = 3 }\n", "grid.seed.cout: unknown key; did you mean grid.seed.count?"),
    "a range without count": ("seed = { start = 3 }\n", "grid.seed.count: missing; expected an integer from 1 to 9223372036854775808"),
    "a range past the last seed": (
        "seed = { count = 5, start = 9223372036854775805 }\n",
        "grid.seed: seeds up to 9223372036854775809; the last one is at most 9223372036854775807",
    ),
    "an empty axis": ("batch_size = []\n", "grid.batch_size: an empty list; give at least one value"),
    "an empty dotted axis": ('"train.epochs" = []\n', "grid.train.epochs: an empty list; give at least one value"),
    "an axis that is no list": ('"train.optimizer" = "adam"\n', "grid.train.optimizer: expected a list of any of sgd, adam, adamw, rmsprop, lbfgs, found 'adam'"),
    "a grid that is too large": (
        "seed = { count = 1000000000 }\n",
        "grid: 3,000,000,000 trials (1 data set × 3 models × 1,000,000,000 seeds × 1 batch size × 1 device); at most 1,000,000",
    ),
    "a dotted axis given twice": (
        '"train.epochs" = [1]\n[grid.train]\nepochs = [2]\n',
        "grid.train.epochs: given twice, as a dotted key and in a table; keep one",
    ),
    "an exclusion of nothing": ("[[exclude]]\n", "exclude[0]: an empty table would exclude every trial; give at least one key"),
    "an override of nothing": (
        '[[override]]\nwhere = {}\nset = { "train.epochs" = 1 }\n',
        "override[0].where: an empty table; give at least one key",
    ),
    "exclude that is one table": ('[exclude]\nmodel = "cnn"\n', "exclude: expected a list of tables, found a table"),
    "a baseline that is not in the grid": (
        '[report]\nbaseline = "lin"\n',
        "report.baseline: expected a model of the grid (linear, mlp, cnn), found 'lin'; did you mean linear?",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rest", "message"), REST.values(), ids=REST.keys())
def test_refuses_in_one_line(rest: str, message: str, refusal: Callable[..., str]) -> None:
    assert refusal(rest) == f"mine.toml: {message}"


REFUSED = {
    '["liner"]': "grid.model[0]: unknown model 'liner'; did you mean linear? (there are: cnn, linear, mlp, odd)",
    '["mlp", { name = "ml" }]': "grid.model[1].name: unknown model 'ml'; did you mean mlp? (there are: cnn, linear, mlp, odd)",
    '[{ name = "mlp", hiden = 3 }]': "grid.model[0].hiden: unknown setting of model mlp; did you mean hidden? (it takes: hidden, slope)",
    '[{ name = "linear", hidden = 3 }]': "grid.model[0].hidden: unknown setting of model linear (it takes no settings)",
    '[{ name = "mlp", hidden = "x" }]': "grid.model[0].hidden: expected an integer or a list of integers, found 'x'",
    '[{ name = "mlp", hidden = [3, true] }]': "grid.model[0].hidden[1]: expected an integer, found true",
    '[{ name = "mlp", hidden = 2020-01-01T00:00:00 }]': "grid.model[0].hidden: expected an integer or a list of integers, found the date or time 2020-01-01T00:00:00",
    '[{ name = "mlp", slope = nan }]': "grid.model[0].slope: expected a number, found nan",
    '[{ name = "odd", anything = [inf] }]': "grid.model[0].anything[0]: expected a string, a number, true or false, a list or a table, found inf",
    '[{ name = "odd", flag = 1 }]': "grid.model[0].flag: expected true or false, found 1",
}  # fmt: skip


@pytest.mark.parametrize("models", REFUSED)
def test_refuses_models(models: str, refusal: Callable[..., str]) -> None:
    line = refusal(text=f'[grid]\ndataset = ["digits"]\nmodel = {models}\n')
    assert line == f"mine.toml: {REFUSED[models]}"


def test_refuses_data_sets(refusal: Callable[..., str]) -> None:
    grid = '[grid]\nmodel = ["mlp"]\ndataset = '
    assert refusal(text=grid + '["minst"]') == (
        "mine.toml: grid.dataset[0]: unknown data set 'minst'; did you mean mnist?"
        " (there are: cifar10, digits, fashion_mnist, hdf5, mnist, optdigits)"
    )
    assert refusal(text=grid + '[{ name = "mnist", train_limit = 0 }]') == (
        "mine.toml: grid.dataset[0].train_limit: expected an integer of at least 1, found 0"
    )
    assert refusal(text=grid + '[{ name = "mnist", scaling = "unti" }]') == (
        "mine.toml: grid.dataset[0].scaling: expected one of unit, standard, symmetric, found 'unti'; did you mean unit?"
    )
    assert refusal(text=grid + '["hdf5"]') == (
        'mine.toml: grid.dataset[0].path: missing; data set hdf5 needs it, as in { name = "hdf5", path = … }'
    )


@pytest.mark.parametrize(
    ("rest", "where"),
    [
        ('device = ["cdua"]\n', "grid.device[0]"),
        ('[[exclude]]\ndevice = ["cdua"]\n', "exclude[0].device"),
        ('[[override]]\nwhere = { device = "cdua" }\nset = { "train.epochs" = 1 }\n', "override[0].where.device"),
    ],
)
def test_refuses_devices(rest: str, where: str, refusal: Callable[..., str], broken_plugin: Catalogue) -> None:
    line = f"mine.toml: {where}: unknown device 'cdua'; did you mean cuda? (there are: auto, cpu, cuda, mps)"
    assert refusal(rest) == line
    assert refusal(rest, catalogue=broken_plugin) == line


def test_refuses_unknown_names_in_rules(refusal: Callable[..., str]) -> None:
    assert refusal('[[exclude]]\nmodel = "ccn"\n').startswith("mine.toml: exclude[0].model: unknown model 'ccn'")
    assert refusal('[[exclude]]\nmodel = ["mlp", { name = "mlp", hiden = 1 }]\n').startswith(
        "mine.toml: exclude[0].model[1].hiden: unknown setting of model mlp; did you mean hidden?"
    )
