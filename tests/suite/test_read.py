"""Every refusal that needs no catalogue, by its message."""

# ruff: noqa: E501  # tables of messages read best with one case a line

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.suite.read import read_suite
from bench.suite.text import LIMIT_BYTES

TRAIN = "[train]\nepochs = 1\n"
LOW = "expected an integer of at least 1"

REST = {
    "an unknown key in [train]": (TRAIN + "epoch = 3\n", "train.epoch: unknown key; did you mean train.epochs?"),
    "in [grid]": ("modle = []\n", "grid.modle: unknown key; did you mean grid.model?"),
    "a setting in [grid]": ("learning_rate = [1]\n", "grid.learning_rate: unknown key; did you mean grid.train.learning_rate?"),
    "a dotted key in [grid]": ('"train.epoch" = [1]\n', "grid.train.epoch: unknown key; did you mean grid.train.epochs?"),
    "in [measure]": ("[measure]\nwarmup = 3\n", "measure.warmup: unknown key; did you mean measure.warmup_steps?"),
    "in [report]": ("[report]\nbase = 3\n", "report.base: unknown key; did you mean report.baseline?"),
    "in [[exclude]]": ('[[exclude]]\nmodl = "cnn"\n', "exclude[0].modl: unknown key; did you mean exclude[0].model?"),
    "in [[override]]": ("[[override]]\nwher = {}\n", "override[0].wher: unknown key; did you mean override[0].where?"),
    "in where": (
        '[[override]]\nwhere = { devise = "cpu" }\nset = { "train.epochs" = 1 }\n',
        "override[0].where.devise: unknown key; did you mean override[0].where.device?",
    ),
    "in set": (
        '[[override]]\nwhere = { model = "cnn" }\nset = { "train.epoch" = 1 }\n',
        "override[0].set.train.epoch: unknown key; did you mean override[0].set.train.epochs?",
    ),
    "far from every key": ("[report]\nxyz = 1\n", "report.xyz: unknown key; the keys are baseline"),
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
        "train.epochs: expected an integer of 64 bits, found 99999999999999999999",
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
        "[[override]]\nwhere = {}\nset = {}\n",
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


WHOLE: dict[str, tuple[str | bytes, str]] = {
    "a syntax error": ('name = "x"\n[grid\n', "line 2, column 6: Expected ']' at the end of a table declaration"),
    "an open string": ('name = "x', "line 1, column 10: Unterminated string"),
    "a NUL": (b"name = \0", "line 1, column 8: Invalid value"),
    "not UTF-8": (b'name="caf\xe9"\n', "line 1, column 10: not UTF-8 (byte 0xe9); save the file as UTF-8"),
    "deep nesting": ("q = " + "[" * 3000 + "]" * 3000, "line 1, column 17: nested too deeply; at most 12 levels"),
    "deep dotted keys": ("\n" + ".".join("a" * 30) + " = 1", "line 1, column 1: nested too deeply; at most 12 levels"),
    "a key of many parts": (".".join("a" * 30_000) + " = 1", "line 1, column 1: a key of more than 64 parts"),
    "5000 digits": ("\nq = " + "9" * 5000, "line 2, column 5: a number that is too long"),
    "5000 hexadecimal digits": ("q = 0x" + "f" * 5000, "q: expected an integer of 64 bits, found an integer of 20,000 bits"),
    "nothing": ("", "name: missing; expected 1 to 64 of the characters a-z, 0-9, _ and -"),
    "no grid": ('name = "x"\n', "grid: missing; expected a table"),
    "no model": ('name = "x"\n[grid]\ndataset = ["x"]', "grid.model: missing; expected a list of names or tables { name = …, … }"),
    "grid misspelt": ('name = "x"\n[gird]\n', "gird: unknown key; did you mean grid?"),
    "a path for a name": ('name = "../../x"\n', "name: expected 1 to 64 of the characters a-z, 0-9, _ and -, found '../../x'"),
    "a long name": (f'name = "{"x" * 65}"\n', f"name: expected 1 to 64 of the characters a-z, 0-9, _ and -, found '{'x' * 58}…"),
    "a name of lines": ('name = "a\\nb"\n', "name: expected 1 to 64 of the characters a-z, 0-9, _ and -, found 'a\\nb'"),
    "a name with a line at its end": ('name = "a\\n"\n', "name: expected 1 to 64 of the characters a-z, 0-9, _ and -, found 'a\\n'"),
    "an escape in a title": ('title = "\\u001b[31m"\n', "title: expected 1 to 200 characters without control characters, found '\\x1b[31m'"),
    "an escape in a key": ('"\\u001b[31m" = 1\n', "'\\x1b[31m': unknown key; the keys are name, title, plugins, grid, exclude, override, train, measure, report"),
    "a setting at the top": ("epochs = 3\n", "epochs: unknown key; did you mean train.epochs?"),
    "a section that is a number": ("train = 3\n", "train: expected a table, found 3"),
    "a model that is a number": ('[grid]\nmodel = [3]\n', "grid.model[0]: expected a name or a table { name = …, … }, found 3"),
    "a model that is no list": ('[grid]\nmodel = "mlp"\n', "grid.model: expected a list of names or tables { name = …, … }, found 'mlp'"),
    "a model without a name": ('[grid]\nmodel = [{ nam = "mlp" }]\n', "grid.model[0].name: missing; expected a string"),
    "a plugin that is not there": ('name = "x"\nplugins = ["wide.py"]\n[grid]\ndataset = ["x"]\nmodel = ["y"]', "plugins[0]: no such file: 'wide.py' (relative to"),
    "a plugin that is no name": ('name = "x"\nplugins = ["a b"]\n[grid]\ndataset = ["x"]\nmodel = ["y"]', "plugins[0]: expected a file (*.py) or a module, found 'a b'"),
    "too large a file": (b"#" * (LIMIT_BYTES + 1), "larger than 1,048,576 bytes; a suite file is smaller than that"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WHOLE.values(), ids=WHOLE.keys())
def test_refuses_a_whole_file(text: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    start = time.monotonic()
    with pytest.raises(BenchError) as caught:
        read_suite(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert time.monotonic() - start < 1


def test_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    for path, words in {
        tmp_path / "none.toml": "no such file; give the path of a suite file",
        tmp_path: "cannot be read: Is a directory",
        tmp_path / "a\0b": "cannot be read: embedded null byte",
        tmp_path / ("x" * 300): "cannot be read: File name too long",
    }.items():
        with pytest.raises(BenchError, match=words):
            read_suite(path)


def test_a_grid_is_counted_before_it_is_expanded(refusal: Callable[..., str]) -> None:
    start = time.monotonic()
    line = refusal("seed = { count = 9223372036854775807 }\nbatch_size = [1, 2]\n")
    assert "18,446,744,073" in refusal("seed = { count = 3074457345618258602 }\nbatch_size = [1, 2]\n")
    assert "55,340,232,221,128,654,842 trials" in line
    assert time.monotonic() - start < 1


def test_what_a_file_says(tmp_path: Path) -> None:
    (tmp_path / "wide.py").touch()
    path = tmp_path / "x.toml"
    path.write_text(
        '\ufeffname = "x"\nplugins = ["wide.py", "package.module"]\n[grid]\ndataset = ["digits"]\n'
        'model = [{ name = "mlp", hidden = [1, 2] }]\nseed = { count = 3, start = 5 }\n"train.learning_rate" = [1, 0.5]\n',
        encoding="utf-8",
    )
    file = read_suite(path)
    assert (file.name, file.title) == ("x", "x")
    assert file.plugins == (str(tmp_path / "wide.py"), "package.module")
    assert file.plugins_written == ("wide.py", "package.module")
    assert file.grid["seed"] == range(5, 8)
    assert file.grid["model"] == [{"name": "mlp", "hidden": [1, 2]}]
    assert file.grid["train.learning_rate"] == [1.0, 0.5]
    assert file.grid["device"] == ["auto"]
    assert list(file.grid) == ["dataset", "model", "seed", "batch_size", "device", "train.learning_rate"]


def test_plugins_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie relative to where the command runs; a path from the root is not published."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "wide.py").touch()
    path = tmp_path / "x.toml"
    path.write_text('name = "x"\n[grid]\ndataset = ["digits"]\nmodel = ["mlp"]\n')
    monkeypatch.chdir(tmp_path / "here")
    file = read_suite(path, plugins=["wide.py", str(tmp_path / "here" / "wide.py"), "a.b"])
    assert file.plugins == (str(tmp_path / "here" / "wide.py"), "a.b")
    assert read_suite(path, plugins=[str(tmp_path / "here/wide.py")]).plugins_written == ("wide.py",)
    with pytest.raises(BenchError, match=r"--plugin 'none.py': no such file"):
        read_suite(path, plugins=["none.py"])
