"""DESIGN's Identity, seen from suites: what makes a trial another trial, and ids that must never change."""

# ruff: noqa: E501  # the table of ids reads best with one trial a line

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.suite.plan import Suite

ONE = '[grid]\ndataset = ["digits"]\nmodel = ["mlp"]\n'

# Never edit a line of this table: people have results under these ids. A change of a default or of the canonical
# form shows here; add new lines for new settings.
GOLDEN = {
    ONE: "644d0649c48f51aa",
    ONE.replace('"mlp"', '"linear"'): "363461d6c487a807",
    ONE.replace('"mlp"', '{ name = "mlp", hidden = 200 }'): "3c25610350572b15",
    ONE.replace('"mlp"', '{ name = "mlp", hidden = [200, 100], slope = 1 }'): "d508ef1b5fe81f24",
    ONE.replace('"digits"', '{ name = "mnist", train_limit = 10000, scaling = "standard" }'): "62f00a758a257a45",
    ONE + "seed = [9223372036854775807]\n": "5cf166da7d60b1da",
    ONE + "batch_size = [4096]\n": "45f0a630aca02b9b",
    ONE + 'device = ["cuda"]\n': "b89f760d5804690e",
    ONE + "[train]\nsteps = 1000\n": "bb4803e0b2c3713e",
    ONE + "[train]\nlearning_rate = 1e-3\noptimizer = 'adamw'\nweight_decay = 1\nmomentum = 0.9\n": "56939e287852b884",
    ONE
    + "[train]\nprecision = 'bfloat16'\nengine = 'compiled'\nloader = 'dataloader'\nnum_workers = 2\n": "4e20f600be1a1d11",
    ONE
    + "[train]\nthreads = 1\ndeterministic = false\npin_memory = true\nvalidation_split = 0.1\n": "4b031a87b4ea950b",
    ONE + "[measure]\nwarmup_steps = 0\n": "f4c834b008fef370",
    ONE + "[train]\noptimizer = 'adam'\nbetas = [0.5, 0.9]\n": "52d900feb9396e34",
    ONE
    + "[train]\nmomentum = 0.9\nnesterov = true\nl1 = 1e-4\nlabel_smoothing = 0.1\ngradient_clip = 1\n": "38120f5fecc7ac68",
    ONE + "[train]\nschedule = 'step'\nschedule_step_epochs = 3\nschedule_factor = 0.5\n": "12eef559888aed22",
    ONE
    + "[train]\nschedule = 'plateau'\nschedule_patience = 2\nvalidation_split = 0.2\nearly_stopping_patience = 4\n": "3e68c9f56415a644",
}


def only_id(suite: Suite) -> str:
    (trial,) = suite.trials()
    return trial.trial_id


@pytest.mark.parametrize("text", GOLDEN)
def test_golden_ids(text: str, plan: Callable[..., Suite]) -> None:
    assert only_id(plan(text=text)) == GOLDEN[text]


SAME = [
    ONE.replace('"mlp"', '{ name = "mlp" }'),
    ONE.replace('"mlp"', '{ name = "mlp", hidden = 100, slope = 0 }'),
    ONE.replace('"digits"', '{ name = "digits", scaling = "unit" }'),
    ONE + 'seed = [0]\nbatch_size = [64]\ndevice = ["cpu"]\n',
    ONE + "seed = { count = 1 }\n",
    ONE + "[train]\nepochs = 10\nlearning_rate = 0.1\nmomentum = 0\nthreads = 0\n",
    ONE + '"train.momentum" = [-0.0]\n',
    ONE + '"train.betas" = [[0.9, 0.999]]\n',
    ONE + '[train]\nschedule = "none"\nl1 = 0\ngradient_clip = -0.0\nearly_stopping_patience = 0\n',
    ONE + "[measure]\ntimeout_seconds = 5\ntarget_accuracy = 1\n",
    ONE + "[train]\ncheckpoint_every_epochs = 2\nkeep_checkpoints = true\n",
    ONE + '[report]\nbaseline = "mlp"\n',
    'title = "Another"\nplugins = ["json"]\n' + ONE,
    ONE + '[[override]]\nwhere = { model = "mlp" }\nset = { "train.epochs" = 10 }\n',
    ONE + '[train]\nepochs = 3\n[[override]]\nwhere = { seed = 0 }\nset = { "train.epochs" = 10 }\n',
]


@pytest.mark.parametrize("text", SAME)
def test_what_is_no_part_of_a_trial(text: str, plan: Callable[..., Suite]) -> None:
    assert only_id(plan(text=text)) == only_id(plan(text=ONE))


def test_every_other_setting_makes_another_trial(plan: Callable[..., Suite]) -> None:
    others = [text for text in GOLDEN if text != ONE]
    ids = {only_id(plan(text=text)) for text in others}
    assert len(ids) == len(others)
    assert only_id(plan(text=ONE)) not in ids


def test_an_integer_and_the_equal_float_are_one(plan: Callable[..., Suite]) -> None:
    one, same = (only_id(plan(text=f"{ONE}[train]\nlearning_rate = {value}\n")) for value in ("1", "1.0"))
    assert one == same


def test_a_cell_is_a_trial_less_its_seed(plan: Callable[..., Suite]) -> None:
    trials = list(plan("seed = { count = 4 }\nbatch_size = [1, 2]\n").trials())
    assert len({trial.trial_id for trial in trials}) == 24
    assert len({trial.cell_id for trial in trials}) == 6
