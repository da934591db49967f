"""A wrong command line is one line on stderr and exit code 2, says what is right, and leaves the folder as it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# The command line, and a pattern that its line begins with.
REFUSED = [
    ("", r"Usage: "),
    ("nothing", r"no such command 'nothing' \(see .+ --help\)"),
    ("run mine.toml --nothing", r"no such option.*--nothing.*\(see .+ run --help\)"),
    ("run none.toml", r"none.toml: no such file; give the path of a suite file \(\*.toml\), or a name of `bench list"),
    ("run smok", r"smok: no such file; did you mean smoke\?$"),
    ("run mine.toml --retry failed,odd", r"--retry .*odd"),
    ("run mine.toml --budget 3x", r"--budget 3x: "),
    ("run mine.toml --shard 5/4", r"--shard 5/4: "),
    ("run mine.toml --executor cloud", r"unknown executor 'cloud'"),
    ("run mine.toml --executor ray --place here", r"--place here: unknown \(there are: any, environment\)"),
    ("run mine.toml --place environment", r"--place is for a cluster: add --executor ray"),
    ("run mine.toml --address head:6379", r"--address is for a cluster: add --executor ray"),
    ("run mine.toml --timeout soon", r"invalid value for '--timeout'"),
    ("run mine.toml --set train.epochs=no", r"--set train.epochs=no: train.epochs: expected an integer"),
    ("run mine.toml --only model=mlp", r"--only model=mlp: "),
    ("run mine.toml --dry-run --plugin none.py", r"--plugin 'none.py': no such file"),
    ("report none", r"none: no such suite file or folder of results"),
    ("compare none", r"bench compare: a second folder is missing; within one folder say what by: --by environment"),
    ("compare none none --by device", r"bench compare: --by compares within one folder"),
    ("compare none none --values a,b", r"bench compare: --values chooses values of --by AXIS, which is not given"),
    ("compare none none --fail-on slow", r"--fail-on slow: unknown; did you mean slower\?"),
    ("duel mine.toml", r"bench duel: against what\? give --against PYTHON, or --against-ref REF of the suite's"),
    ("duel mine.toml --against none/python", r"--against none/python: No such file or directory; give a Python, as in"),
    ("duel mine.toml --against-ref HEAD", r"--against-ref HEAD: mine.toml lies in no repository"),
    ("duel mine.toml --against none --results file", r"file\S*: "),
    ("duel mine.toml --against none --rounds few", r"invalid value for '--rounds'"),
    (
        "gate none",
        r"bench gate none: a second folder is missing; give two folders, bench gate BEFORE AFTER, or measure",
    ),
    ("gate none none", r"none: no such suite file or folder of results"),
    ("gate none none --within 2", r"--within 2: expected a share between 0 and 1, as in 0.005 or 2%, or off"),
    ("gate none none --slower 2%%", r"--slower 2%%: expected a share"),
    ("gate none none --slower nan", r"--slower nan: expected a share"),
    ("gate none none --within off --slower off", r"--within off --slower off: nothing is left to judge"),
    ("gate none none --json --markdown", r"--json --markdown: give one of the two"),
    ("gate none none --most 5m", r"--most is for measuring: add --against PYTHON"),
    ("gate none none --only model=mlp", r"--only is for measuring: add --against PYTHON"),
    ("gate none none --against python", r"AFTER is not for --against, which measures it: give a suite alone"),
    ("gate mine.toml --against none/python", r"--against none/python: No such file or directory; give a Python, as in"),
    ("gate mine.toml --against none --most soon", r"--most soon: expected a time over 0 with its unit"),
    (
        "list model",
        r"list model: unknown; did you mean models\? \(there are: models, datasets, devices, metrics, suites",
    ),
    ("fetch mnits", r"unknown data set 'mnits'; did you mean mnist\?"),
    ("fetch optdigits --data-root file", r"\S*file/optdigits: cannot write there"),
    (
        "export none --format xml",
        r"--format xml: unknown \(there are: csv, json, parquet, pytest-benchmark, latex, markdown, ",
    ),
    ("plot none", r"none: no such suite file or folder of results"),
    ("plot none --style blue", r"--style blue: unknown \(there are: paper, slide, dark\)"),
    ("plot none --size 10x10", r"--size 10x10: expected WIDTHxHEIGHT in pixels, 400 to 8000 each"),
    ("plot none --output a.gif", r"--output a.gif: a picture ends in .png, .svg, .pdf"),
    ("export none --table pairs", r"--table is for --format latex, markdown, html; csv has all trials"),
    ("export none --format html --task x", r"--task is for --format model-index"),
    ("export none", r"none: no such suite file or folder of results"),
    ("check file", r"file: "),
    ("check none", r"none: no folder of results \(no suite.json, no trials/\)"),
    ("doctor --results file", r"\S*file.*cannot be written there"),
    ("publish none", r"none: and which document\? bench publish RESULTS DOC.md"),
    ("publish model.md", r"model.md: no block there: put <!-- bench:models --> and <!-- /bench -->"),
    ("new thing mine", r"new thing: unknown"),
    ("new model 9", r".*9"),
    ("merge out", r"missing argument 'IN...' \(see .+ merge --help\)"),
    ("merge out none", r"none: "),
    ("history none", r"none: no such suite file or folder of results"),
    ("diagnose none", r"none: no such suite file or folder of results"),
    ("explain none", r"none: no such suite file or folder of results"),
    ("explain results/empty", r"results/empty: no such suite file or folder of results"),
    ("export-model deadbeef -o m.pt", r"trial 'deadbeef': in no folder of results under results"),
    ("export-model deadbeef -o m.pt --format onyx", r"--format onyx: there is state-dict, torch-export, onnx; did you"),
    ("export-model deadbeef -o m.pt --weights first", r"--weights first: there is last, best"),
    ("export-model deadbeef -o no/m.pt", r"no/m.pt: no folder no; make it"),
    ("export-model a b c -o m.pt", r"export-model takes at most a folder and a trial, not 3 words"),
    ("export-model deadbeef", r"missing option '--output'"),
    ("convert nothing x.h5", r"convert nothing: unknown data set 'nothing' \(there are: "),
    ("convert digits x.h5 --set split=writers", r"convert digits: split: "),
    ("convert digits x.h5 --set scaling=unit", r"--set scaling: pixels are written as they are"),
    ("convert digits x.h5 --set train_limit=5", r"digits: train_limit counts after the trial's seed"),
    ("convert digits x.h5 --test-file y.h5", r"digits: it has no test part of its own"),
    ("convert digits x.h5 --test-file x.h5", r"x.h5: the training and the test part would have this one name"),
    ("convert digits none/x.h5", r"none/x.h5: there is no folder none"),
    ("convert digits .", r".: is a folder"),
    ("convert digits there.h5", r"there.h5: is there already; --force replaces it"),
    ("convert mnist x.h5", r"MNIST is not under "),
    ("convert hdf5 x.h5 --set path=gone.h5", r"hdf5: gone.h5 is not there"),
    ("lr-find mine.toml --from 1 --to 0.1", r"--from 1 --to 0.1: needs two rates above 0, the first below the second"),
    ("lr-find mine.toml --steps 3", r"--steps 3: needs 10 to 100000"),
    ("plan mine.toml --no-pilot --price gpu=1", r"--price gpu=1: no device 'gpu' \(there are: "),
    ("tune mine.toml", r"mine.toml: it has no \[tune\], so there is nothing to search; docs/tuning.md shows one"),
    ("tune mine.toml --set tune.trials=4", r"mine.toml: tune: nothing to search: add settings, as in"),
    ("status mine.toml", r"\S+: no run has planned anything there .*"),
    ("status none --watch 0", r"--watch 0: expected seconds"),
    ("inspect dataset digit", r"unknown data set 'digit'; did you mean digits\?"),
    (
        "inspect dataset digits --set spilt=random",
        r"--set spilt: unknown setting of data set digits; did you mean split\?",
    ),
    ("inspect dataset digits --set train_limit=0", r"--set train_limit: expected"),
    ("inspect dataset digits --set grid.seed=1", r"--set grid.seed=1: expected a setting of the data set"),
    ("inspect dataset hdf5", r"--set path: missing"),
    ("inspect dataset hdf5 --set path=gone.h5", r"\S+/gone.h5: no such file"),
    ("inspect dataset mnist", r"MNIST is not under .*run `bench fetch mnist`"),
    ("inspect dataset digits --output file", r"file: the page cannot be written there \(.+\); choose another --output"),
]


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[words or "nothing given" for words, _ in REFUSED])
def test_a_mistake_is_one_line_and_leaves_the_folder_as_it_was(
    words: str, said: str, command: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "there.h5").write_bytes(b"precious")
    (tmp_path / "file").write_text('name = "x"\n')
    (tmp_path / "model.md").write_text("# No block\n")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = command(*words.split())
    assert (done.code, done.out) == (2, "")
    assert re.match(said, done.err), done.err
    assert done.err.count("\n") == 1 or not words
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_every_command_has_a_mistake_here() -> None:
    from bench.cli.app import app

    registered = [info.name or info.callback.__name__ for info in app.registered_commands if info.callback]
    registered += [str(info.name) for info in app.registered_groups]
    assert len(registered) == 24
    assert set(registered) - {words.partition(" ")[0] for words, _ in REFUSED} == set()
