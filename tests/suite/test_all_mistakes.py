"""Every mistake of a suite in one go: a line each, in the order of the file."""

# ruff: noqa: E501  # tables of messages read best with one case a line

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.suite.catalogue import Catalogue
from bench.suite.read import MOST_LINES
from bench.suite.resolve import read_whole, resolve

MODELS = "(there are: cnn, linear, mlp, odd)"
CASES: dict[str, tuple[str, list[str]]] = {
    "an unknown model and an unknown key": (
        '[grid]\ndataset = ["digits"]\nmodel = ["liner"]\n[train]\nepoch = 1\n',
        [
            f"grid.model[0]: unknown model 'liner'; did you mean linear? {MODELS}",
            "train.epoch: unknown key; did you mean train.epochs?",
        ],
    ),
    "two of each": (
        '[train]\nepoch = 1\nmomentum = 2\n[grid]\ndataset = ["digts"]\nmodel = ["cn", "mlp", "lin"]\nseed = [0, -1, 1, -2]\n',
        [
            "train.epoch: unknown key; did you mean train.epochs?",
            "train.momentum: expected a number of at least 0 and under 1, found 2",
            "grid.dataset[0]: unknown data set 'digts'; did you mean digits? (there are: cifar10, digits, fashion_mnist, hdf5, mnist, optdigits)",
            f"grid.model[0]: unknown model 'cn'; did you mean cnn? {MODELS}",
            f"grid.model[2]: unknown model 'lin'; did you mean linear? {MODELS}",
            "grid.seed[1]: expected an integer of at least 0 and under 9223372036854775808, found -1",
            "grid.seed[3]: expected an integer of at least 0 and under 9223372036854775808, found -2",
        ],
    ),
    "settings of one model": (
        '[grid]\ndataset = ["digits"]\nmodel = ["mlp", { name = "mlp", hiden = 3, slope = "x", hidden = true }]\n',
        [
            "grid.model[1].hiden: unknown setting of model mlp; did you mean hidden? (it takes: hidden, slope)",
            "grid.model[1].slope: expected a number, found 'x'",
            "grid.model[1].hidden: expected an integer or a list of integers, found true",
        ],
    ),
    "places behind an entry that is wrong by its form": (
        '[grid]\ndataset = ["digits"]\nmodel = [3, "mlp", 4, "liner"]\n[[exclude]]\nmodle = "x"\n[[exclude]]\n[[exclude]]\nmodel = "y"\n',
        [
            "grid.model[0]: expected a name or a table { name = …, … }, found 3",
            "grid.model[2]: expected a name or a table { name = …, … }, found 4",
            f"grid.model[3]: unknown model 'liner'; did you mean linear? {MODELS}",
            "exclude[0].modle: unknown key; did you mean exclude[0].model?",
            "exclude[1]: an empty table would exclude every trial; give at least one key",
            f"exclude[2].model: unknown model 'y' {MODELS}",
        ],
    ),
    "what is misspelt is not missing too": (
        '[grid]\ndatset = ["digits"]\nmodel = ["mlp"]\n[[override]]\nwher = { seed = 0 }\n',
        [
            "grid.datset: unknown key; did you mean grid.dataset?",
            "override[0].wher: unknown key; did you mean override[0].where?",
            "override[0].set: missing; expected a table",
        ],
    ),
    "a setting that is misspelt is not missing too": (
        '[grid]\ndataset = [{ name = "hdf5", pathh = "x" }]\nmodel = ["mlp"]\ndevice = ["gpu", "cpu", "tpu"]\n',
        [
            "grid.dataset[0].pathh: unknown setting of data set hdf5; did you mean path? (it takes: train_limit, test_limit, scaling, path, test_path, images, test_fraction)",
            "grid.device[0]: unknown device 'gpu'; did you mean cpu? (there are: auto, cpu, cuda, mps)",
            "grid.device[2]: unknown device 'tpu'; did you mean cpu? (there are: auto, cpu, cuda, mps)",
        ],
    ),
    "no name": (
        '[grid]\ndataset = ["digits"]\nmodel = ["lin"]\n',
        [f"grid.model[0]: unknown model 'lin'; did you mean linear? {MODELS}", "name: missing; expected 1 to 64 of the characters a-z, 0-9, _ and -"],
    ),
    "a name given twice, a rule, a report": (
        '[grid]\ndataset = ["digits"]\nmodel = ["mlp"]\n"train.l1" = [0.1]\n[grid.train]\nl1 = [0.2]\n[[override]]\nwhere = {}\nset = {}\n[report]\nbaseline = "rnn"\n[[report.published]]\nmetric = "acuracy"\nsource = "a book"\n',
        [
            "grid.train.l1: given twice, as a dotted key and in a table; keep one",
            "override[0].where: an empty table; give at least one key",
            "override[0].set: an empty table; give at least one key",
            "report.baseline: expected a model of the grid (mlp), found 'rnn'",
            "report.published[0]: give value or range, one of the two",
            "report.published[0].metric: unknown metric 'acuracy'; did you mean test_accuracy?; see: bench list metrics",
        ],
    ),
    "a plugin that is not there takes its models with it": (
        'plugins = ["none.py"]\n[grid]\ndataset = ["digits"]\nmodel = ["wide"]\nseeds = [0]\n',
        ["plugins[0]: no such file: 'none.py' (relative to …)", "grid.seeds: unknown key; did you mean grid.seed?"],
    ),
    "an axis that is missing hides no other": (
        '[grid]\ndatset = ["digits"]\nmodel = ["liner"]\nseed = [-1]\ndevice = ["gpu"]\n[report]\nbaseline = "cnn"\n',
        [
            "grid.datset: unknown key; did you mean grid.dataset?",
            f"grid.model[0]: unknown model 'liner'; did you mean linear? {MODELS}",
            "grid.seed[0]: expected an integer of at least 0 and under 9223372036854775808, found -1",
            "grid.device[0]: unknown device 'gpu'; did you mean cpu? (there are: auto, cpu, cuda, mps)",
            "report.baseline: expected a model of the grid (liner), found 'cnn'",
        ],
    ),
    "nor does an empty one": (
        '[grid]\ndataset = ["digts"]\nmodel = []\nbatch_size = [0]\n[report]\nbaseline = "mlp"\n',
        [
            "grid.dataset[0]: unknown data set 'digts'; did you mean digits? (there are: cifar10, digits, fashion_mnist, hdf5, mnist, optdigits)",
            "grid.model: an empty list; give at least one value",
            "grid.batch_size[0]: expected an integer of at least 1, found 0",
        ],
    ),
    "nor do entries that are all wrong": (
        '[grid]\ndataset = [1]\nmodel = [{ nam = "mlp" }, "lin"]\n',
        [
            "grid.dataset[0]: expected a name or a table { name = …, … }, found 1",
            "grid.model[0].name: missing; expected a string",
            f"grid.model[1]: unknown model 'lin'; did you mean linear? {MODELS}",
        ],
    ),
    "integers that are too large": (
        '[grid]\ndataset = ["digits"]\nmodel = ["liner", { name = "mlp", hidden = 18446744073709551616 }]\nseed = [1, 9223372036854775808]\n[train]\nepochs = -9223372036854775809\nepoch = 1\n',
        [
            f"grid.model[0]: unknown model 'liner'; did you mean linear? {MODELS}",
            "grid.model[1].hidden: expected an integer from -2^63 to 2^63 - 1, found 18446744073709551616",
            "grid.seed[1]: expected an integer of at least 0 and under 9223372036854775808, found 9223372036854775808",
            "train.epochs: expected an integer from -2^63 to 2^63 - 1, found -9223372036854775809",
            "train.epoch: unknown key; did you mean train.epochs?",
        ],
    ),
    "one mistake is one line": (
        '[grid]\ndataset = ["digits"]\nmodel = ["mlp"]\n[train]\nepoch = 1\n',
        ["train.epoch: unknown key; did you mean train.epochs?"],
    ),
}  # fmt: skip


def refused(text: str, folder: Path, catalogue: Catalogue, *, sets: Sequence[str] = ()) -> list[str]:
    path = folder / "mine.toml"
    path.write_text(text)
    with pytest.raises(BenchError) as caught:
        resolve(read_whole(path, lambda plugins: catalogue, sets=sets), catalogue)
    lines = str(caught.value).split("\n")
    return [re.sub(r"relative to .*\)", "relative to …)", line.removeprefix(f"{path}: ")) for line in lines]


@pytest.mark.parametrize("name", CASES)
def test_every_mistake_is_a_line(name: str, tmp_path: Path, catalogue: Catalogue) -> None:
    text, lines = CASES[name]
    own = "" if name == "no name" else 'name = "mine"\n'
    assert refused(own + text, tmp_path, catalogue) == lines


def test_a_mistake_of_the_command_line_stands_beside_those_of_the_file(tmp_path: Path, catalogue: Catalogue) -> None:
    text = 'name = "mine"\n[grid]\ndataset = ["digits"]\nmodel = ["liner"]\n[train]\nepoch = 1\n'
    lines = refused(text, tmp_path, catalogue, sets=["measure.energy=3", "train.l1=-1"])
    assert lines == [
        f"grid.model[0]: unknown model 'liner'; did you mean linear? {MODELS}",
        "train.epoch: unknown key; did you mean train.epochs?",
        "--set train.l1=-1: train.l1: expected a number of at least 0, found -1",
        "--set measure.energy=3: measure.energy: expected true or false, found 3",
    ]


def test_very_many_are_counted(tmp_path: Path, catalogue: Catalogue) -> None:
    keys = "".join(f"x{number} = 1\n" for number in range(500))
    lines = refused(
        f'name = "mine"\n[grid]\ndataset = ["digits"]\nmodel = ["mlp"]\n[train]\n{keys}', tmp_path, catalogue
    )
    assert [line.split(":")[0] for line in lines[:MOST_LINES]] == [f"train.x{number}" for number in range(MOST_LINES)]
    assert lines[MOST_LINES:] == ["480 more mistakes"]


def test_without_a_catalogue_the_file_s_own_mistakes_are_said(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[grid]\ndataset = ["digits"]\nmodel = ["liner"]\n[train]\nepoch = 1\n')

    def ask(plugins: Sequence[str]) -> Catalogue:
        raise BenchError("torch is not installed")

    with pytest.raises(BenchError, match=r"mine.toml: train.epoch: unknown key; did you mean train.epochs\?$"):
        read_whole(path, ask)


def test_a_grid_that_is_too_large_asks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[grid]\ndataset = ["digits"]\nmodel = ["liner"]\nseed = { count = 1000000000 }\n')
    asked: list[Callable[..., object]] = []
    with pytest.raises(BenchError, match="1,000,000,000 trials"):
        read_whole(path, asked.append)  # type: ignore[arg-type]
    assert not asked
