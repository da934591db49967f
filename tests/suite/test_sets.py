"""`--set`: what it changes, and what it refuses."""

# ruff: noqa: E501  # a table of messages reads best with few breaks

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.suite.catalogue import Catalogue
from bench.suite.plan import Suite
from bench.suite.read import read_suite
from bench.suite.resolve import resolve
from bench.suite.stored import suite_from_json, suite_to_json

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
    "grid.seed=[9223372036854775807]": lambda suite: suite.axis("seed").values == (2**63 - 1,),
    "grid.batch_size=[64, 0x40, 1_00, 0b1100100]": lambda suite: suite.axis("batch_size").values == (64, 100),
    "grid.train.learning_rate=[1, 1.0, 1e0, 10e-1]": lambda suite: suite.axis("train.learning_rate").values == (1.0,),
    "grid.train.momentum=[-0.0, 0.0, 0, -0]": lambda suite: str(suite.axis("train.momentum").values) == "(0.0,)",
    "grid.train.betas=[[-0.0, 0.9], [0, 0.9]]": lambda suite: str(suite.axis("train.betas").values) == "([0.0, 0.9],)",
    "train.weight_decay=-0.0": lambda suite: str(suite.train.weight_decay) == "0.0",
    'override=[{where={seed=0}, set={"train.l1"=-0.0}}]': lambda suite: (
        str(suite.override[0].set) == "{'train.l1': 0.0}"
    ),
    'grid.model=[{name="mlp", slope=-0.0}, {name="mlp", slope=0.0}, "mlp"]': lambda suite: (
        suite.axis("model").labels == ("mlp",)
    ),
    "train.steps=7": lambda suite: suite.train.steps == 7 and suite.train.epochs == 10,
    "grid.train.steps=[7, 8]": lambda suite: suite.axis("train.steps").values == (7, 8) and suite.train.epochs == 10,
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
    "name.x=2": "--set name.x=2: name is not a table",
    "grid.seed=[9223372036854775808]": "--set grid.seed=[9223372036854775808]: grid.seed[0]: expected an integer"
    " of at least 0 and under 9223372036854775808, found 9223372036854775808",
    "grid.seed=18446744073709551616": "--set grid.seed=18446744073709551616: grid.seed: expected an integer of at least 0"
    " and under 9223372036854775808, found 18446744073709551616",
    "grid.train.epochs=[1, -9223372036854775809]": "--set grid.train.epochs=[1, -9223372036854775809]:"
    " grid.train.epochs[1]: expected an integer from -2^63 to 2^63 - 1, found -9223372036854775809",
    'grid.model=[{name="mlp", hidden=99999999999999999999}]': '--set grid.model=[{name="mlp",'
    " hidden=99999999999999999999}]: grid.model[0].hidden: expected an integer from -2^63 to 2^63 - 1, found"
    " 99999999999999999999",
    "grid.seed={count=1, start=9223372036854775808}": "--set grid.seed={count=1, start=9223372036854775808}:"
    " grid.seed.start: expected an integer of at least 0 and under 9223372036854775808, found 9223372036854775808",
    f"train.epochs={'9' * 5000}": f"--set train.epochs={'9' * 46}…: a number that is too long; expected an integer from"
    " -2^63 to 2^63 - 1",
    f"grid.seed={'9' * 5000}": f"--set grid.seed={'9' * 49}…: a number that is too long; expected an integer of at least"
    " 0 and under 9223372036854775808",
    "train.learning_rate=.5": "--set train.learning_rate=.5: '.5' is not a TOML value; write a number as 10, 0.5 or"
    " 1e-3",
    "train.learning_rate=1.": "--set train.learning_rate=1.: '1.' is not a TOML value; write a number as 10, 0.5 or"
    " 1e-3",
    "train.epochs=007": "--set train.epochs=007: '007' is not a TOML value; write a number as 10, 0.5 or 1e-3",
    "train.epochs=-1__0": "--set train.epochs=-1__0: '-1__0' is not a TOML value; write a number as 10, 0.5 or 1e-3",
    "train.learning_rate=1e400": "--set train.learning_rate=1e400: train.learning_rate: expected a number over 0,"
    " found inf",
    "grid.train.learning_rate=[0.1, nan]": "--set grid.train.learning_rate=[0.1, nan]: grid.train.learning_rate[1]:"
    " expected a number over 0, found nan",
    "grid.seed=[-1]": "--set grid.seed=[-1]: grid.seed[0]: expected an integer of at least 0 and under"
    " 9223372036854775808, found -1",
    "train.epochs=1.0": "--set train.epochs=1.0: train.epochs: expected an integer of at least 1, found 1.0",
    **{
        f"{key}={blank}": f"--set {key}={blank}: nothing stands behind the =; write a value, as in {key}=VALUE, or leave"
        " the option out"
        for key, blank in (("train.epochs", ""), ("train.optimizer", " "), ("name", ""))
    },
    "train.learning_rate=1,5": "--set train.learning_rate=1,5: '1,5' is not a TOML value; write a number as 1.5, several"
    " values as 'train.learning_rate=[1, 5]'; no commas inside a number",
    "train.epochs=1,000": "--set train.epochs=1,000: '1,000' is not a TOML value; write a number as 1.000,"
    " several values as 'train.epochs=[1, 000]'; no commas inside a number",
    "train.epochs=1.000,5": "--set train.epochs=1.000,5: '1.000,5' is not a TOML value; write several values as"
    " 'train.epochs=[1.000, 5]'; no commas inside a number",
    "grid.batch_size=16,64,256": "--set grid.batch_size=16,64,256: '16,64,256' is not a TOML value; write several values as"
    " 'grid.batch_size=[16, 64, 256]'; no commas inside a number",
    "train.learning_rate=0.1,0.01": "--set train.learning_rate=0.1,0.01: '0.1,0.01' is not a TOML value; write several"
    " values as 'train.learning_rate=[0.1, 0.01]'; no commas inside a number",
    "train.epochs=1\nname='y'": "--set train.epochs=1\\nname='y': \"1\\nname='y'\" is not a TOML value;"
    " write a string as 'train.epochs=\"text\"'",
    "measure.warmup_steps=5": "--set measure.warmup_steps=5: no effect: the grid has an axis measure.warmup_steps;"
    " use --set 'grid.measure.warmup_steps=[…]'",
}


@pytest.mark.parametrize("text", REFUSED)
def test_set_refuses(text: str, refusal: Callable[..., str]) -> None:
    assert refusal('"measure.warmup_steps" = [1, 2]\n', sets=(text,)) == REFUSED[text]


def test_set_makes_no_order_of_its_own(plan: Callable[..., Suite]) -> None:
    assert plan(sets=("train.epochs=1", "train.epochs=2")).train.epochs == 2


def test_both_epochs_and_steps_by_set(refusal: Callable[..., str]) -> None:
    """The file gives neither: it is not to blame."""
    for steps in ("train.steps=2", "grid.train.steps=[2]"):
        line = refusal(sets=("train.epochs=1", steps))
        assert line == f"--set {steps}, --set train.epochs=1: give train.epochs or train.steps, not both"


STEPS = {
    "[train]": "[train]\nsteps = 50\n",
    "an axis": '"train.steps" = [50, 60]\n',
    "an axis in a table": "[grid.train]\nsteps = [50, 60]\n",
    "an override": '[[override]]\nwhere = { model = "cnn" }\nset = { "train.steps" = 50 }\n',
    "an override of more": (
        '[[override]]\nwhere = { model = "cnn" }\nset = { "train.steps" = 50, "train.learning_rate" = 0.5 }\n'
    ),
}


@pytest.mark.parametrize("where", STEPS)
@pytest.mark.parametrize("how", ["train.{}=3", "grid.train.{}=[3]"])
@pytest.mark.parametrize(("there", "given"), [("steps", "epochs"), ("epochs", "steps")])
def test_set_of_epochs_drops_the_steps_of_the_file(
    where: str, how: str, there: str, given: str, plan: Callable[..., Suite]
) -> None:
    """And the other way round; whatever else the file says stays."""
    suite = plan(STEPS[where].replace("steps", there), sets=(how.format(given),))
    found = {(trial.model.name, trial.train.epochs, trial.train.steps) for trial in suite.trials()}
    epochs, steps = (3, None) if given == "epochs" else (10, 3)
    assert found == {(model, epochs, steps) for model in ("linear", "mlp", "cnn")}
    rates = {trial.train.learning_rate for trial in suite.trials() if trial.model.name == "cnn"}
    assert rates == ({0.5} if "more" in where else {0.1})


def test_a_whole_table_by_set_is_not_taken_apart(refusal: Callable[..., str]) -> None:
    line = refusal(sets=("train={steps=50}", "train.epochs=3"))
    assert line == "--set train={steps=50}: train: give train.epochs or train.steps, not both"


def test_a_plan_remembers_what_the_command_line_added(tmp_path: Path, catalogue: Catalogue) -> None:
    """As it was written, so that the command can be shown; of a path outside the working folder the file's name."""
    (tmp_path / "x.toml").write_text("name = 'x'\n[grid]\ndataset = ['digits']\nmodel = ['mlp']\n")
    (tmp_path / "nets.py").write_text("")
    data = (
        '[{name="hdf5", path="/home/somebody/x.h5"}, {name=\'hdf5\', path="~/y.h5"}, {name="hdf5", path="data/z.h5"}]'
    )
    sets = (" train.epochs = 3", "title='1/2 of it'", f"grid.dataset={data}")
    file = read_suite(tmp_path / "x.toml", sets=sets, plugins=[str(tmp_path / "nets.py"), "json.tool"])
    suite = resolve(file, catalogue)
    published = '[{name="hdf5", path="x.h5"}, {name=\'hdf5\', path="y.h5"}, {name="hdf5", path="data/z.h5"}]'
    assert suite.sets == (" train.epochs = 3", "title='1/2 of it'", f"grid.dataset={published}")
    assert suite.plugins_added == ("nets.py", "json.tool")
    again = suite_from_json(suite_to_json(suite))
    assert (again.sets, again.plugins_added) == (suite.sets, suite.plugins_added)


def test_what_the_command_line_added_is_no_identity(plan: Callable[..., Suite]) -> None:
    said, written = plan(sets=("train.epochs=3",)), plan("[train]\nepochs = 3\n")
    assert said == written
    assert [trial.trial_id for trial in said.trials()] == [trial.trial_id for trial in written.trials()]
    older = {key: value for key, value in suite_to_json(said).items() if key not in ("sets", "plugins_added")}
    assert suite_from_json(older) == said
    assert suite_from_json(older).sets == ()
