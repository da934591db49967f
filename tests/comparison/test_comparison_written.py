"""A comparison in the terminal, as files, and as an exit code."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import pytest

import bench
from bench.base.records import Component, Result, Trial
from bench.cli.compare import compare
from bench.errors import EXIT_OK, EXIT_UNDECIDED, EXIT_WORSE, BenchError

ROOT = Path(__file__).resolve().parents[2]
SPEED = "train_samples_per_second"
SIZES = (16, 64, 256)


def results(make: ModuleType, factor: float, *, seeds: int = 5, names: Sequence[str] = ("mlp", "cnn"),
            devices: Sequence[str] = ("cpu",), accuracy: float = 0.9) -> list[Result]:  # fmt: skip
    """On another device than the CPU the speed rises with the batch size, and is that of the CPU at 64 about."""
    draw, found = random.Random(int(1000 * factor)), []
    for seed in range(seeds):
        for name in names:
            for size in SIZES:
                for device in devices:
                    trial = Trial(Component("digits"), Component(name), seed, size, device)
                    speed = 1e5 * factor * draw.gauss(1, 0.01) * (1 if device == "cpu" else size / 70)
                    learnt = accuracy * (1 + 0.001 * seed)
                    known = {SPEED: speed, "step_seconds": size / speed, "test_accuracy": learnt}
                    known["test_loss"] = 2 * (1 - learnt)
                    found.append(make.result_of(trial, metrics=known))
    return found


def write(folder: Path, found: Sequence[Result], *, run: str = "run") -> Path:
    (folder / "trials").mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(replace(each, run_id=run, curves={}).to_json()) + "\n" for each in found]
    (folder / "trials" / f"{run}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def folders(make: ModuleType, tmp_path: Path) -> tuple[Path, Path]:
    after = write(tmp_path / "after", results(make, 1 / 1.1), run="later")
    return write(tmp_path / "before", results(make, 1.0)), after


def test_the_command_prints_80_columns_and_tells_by_its_exit_code(folders: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "bench", "compare", *map(str, folders), "--fail-on", "slower"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == EXIT_UNDECIDED == 4, done.stderr
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80
    flat = " ".join(done.stdout.split())
    assert "All 6 cells are slower. Geometric mean of the ratios: 0.909 (it takes 1.10 times as long): no test" in flat
    fails = " ".join(done.stdout.partition("\n--fail-on: ")[2].split())
    assert fails == (
        "undecided: none of 6 cells is shown to be worse or to be as good. "
        "--fail-on: every cell: speed: the two sides ran at different times"
    )


def test_what_fails_and_what_does_not(
    make: ModuleType, folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = folders
    assert compare(before, after) == EXIT_OK
    assert compare(after, before, fail_on="missing") == EXIT_OK
    assert compare(after, before, fail_on="accuracy") == EXIT_OK
    assert compare(after, before, fail_on="slower,accuracy,missing") == EXIT_UNDECIDED
    less = write(tmp_path / "less", results(make, 1.0, accuracy=0.8), run="later")
    assert compare(before, less, fail_on="slower") == EXIT_UNDECIDED
    assert compare(before, less, fail_on="accuracy") == EXIT_WORSE
    assert "--fail-on: B is worse than A in 6 of 6 cells: mlp, batch size 16, accuracy" in capsys.readouterr().out
    assert compare(before, less, metric="test_accuracy", fail_on="slower") == EXIT_WORSE
    assert compare(before, less, fail_on="slower,accuracy") == EXIT_WORSE  # worse wins over undecided
    one = write(tmp_path / "one", results(make, 1.0, names=("mlp",)), run="later")
    assert compare(before, one, fail_on="accuracy") == EXIT_UNDECIDED
    assert compare(before, one, fail_on="missing") == EXIT_WORSE
    assert compare(before, one, fail_on="missing,accuracy") == EXIT_WORSE
    assert "--fail-on: 3 of the cells of A cannot be compared with B" in capsys.readouterr().out


@pytest.mark.parametrize(("factor", "code"), [(1.0, EXIT_OK), (1.01, EXIT_OK), (1.2, EXIT_WORSE)])
def test_what_is_no_timing_is_judged_between_two_runs(
    make: ModuleType, tmp_path: Path, factor: float, code: int
) -> None:
    """More memory is worse, and 2 % of it do not matter; counts have no noise."""
    sides, draw = [], random.Random(1)
    for name, times in (("before", 1.0), ("after", factor)):
        found = []
        for each in results(make, 1.0):
            more = {"parameters": 1000.0 * times, "host_peak_bytes": 1e6 * times * draw.gauss(1, 0.002)}
            found.append(replace(each, metrics={**each.metrics, **more}))
        sides.append(write(tmp_path / name, found, run=name))
    assert compare(*sides, metric="parameters", fail_on="slower") == code
    assert compare(*sides, metric="host_peak_bytes", fail_on="slower") == code


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({}, "a second folder is missing"),
        ({"b": Path("x"), "by": "device"}, "--by compares within one folder"),
        ({"b": Path("x"), "values": "a,b"}, "--values chooses values of --by"),
        ({"by": "device", "fail_on": "slow"}, "--fail-on slow: unknown; did you mean slower?"),
        ({"b": Path("nowhere")}, "nowhere: no such suite file or folder"),
        ({"by": "seed"}, "--by seed: unknown axis"),
        ({"by": "device", "metric": "samples"}, "has measured only cpu"),
    ],
)
def test_mistakes_are_one_line(folders: tuple[Path, Path], asked: dict[str, object], text: str) -> None:
    with pytest.raises(BenchError) as error:
        compare(folders[0], **asked)  # type: ignore[arg-type]
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_files_hold_what_was_compared(folders: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert compare(*folders, output=out) == EXIT_OK
    page = (out / "compare.md").read_text(encoding="utf-8")
    assert "it takes 1.10 times as long" in page
    assert "| slower" in page
    with (out / "tables/cells.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert all(
        float(row["ratio_low"]) < 1 / 1.1 < float(row["ratio_high"]) or row["verdict"] == "slower" for row in rows
    )
    assert r"\begin{tabular}" in (out / "tables/cells.tex").read_text(encoding="utf-8")
    assert {path.name for path in (out / "plots").iterdir()} == {"forest.png", "forest.svg"}
    svg = (out / "plots/forest.svg").read_text(encoding="utf-8")
    assert "geometric mean" in svg
    assert "B is slower" in svg
    links = [part.split(")")[0] for part in page.split("](")[1:]]
    assert not [link for link in links if not (out / link).exists()]


def test_from_which_batch_size_a_device_wins(make: ModuleType, tmp_path: Path) -> None:
    folder = write(tmp_path / "both", results(make, 1.0, names=("mlp",), devices=("cpu", "cuda")))
    out = tmp_path / "out"
    compare(folder, by="device", output=out)
    with (out / "tables/crossover.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    low, at, high = (float(row[f"crossover{end}"]) for end in ("_low", "", "_high"))
    assert low < 70 < high
    assert 68 < low < at < high < 72
    with (out / "tables/best-batch.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["b_batch_size"] == "256"
    assert float(row["ratio"]) == pytest.approx(256 / 70, rel=0.03)
    assert "a selection" in (out / "compare.md").read_text(encoding="utf-8")


def test_names_are_text(make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "<script>$\\frac|`=1\x1b[31m"
    sides = [
        write(tmp_path / name, results(make, factor, names=(hostile, "b"))) for name, factor in (("a", 1), ("b", 2))
    ]
    compare(*sides, output=tmp_path / "out")
    assert "\x1b" not in capsys.readouterr().out
    for path in (tmp_path / "out").rglob("*.md"):
        assert "<script>" not in path.read_text(encoding="utf-8")
    before = dict(mpl.rcParams)
    compare(*sides, output=tmp_path / "out")
    assert dict(mpl.rcParams) == before


def test_from_python(folders: tuple[Path, Path]) -> None:
    found = bench.compare(*folders)
    assert found.verdict == "slower"
    assert found.overall is not None
    assert found.overall.ratio == pytest.approx(1 / 1.1, rel=0.02)
    frame = found.frame
    assert list(frame["verdict"]) == ["slower"] * 6
    assert {"ratio", "ratio_low", "ratio_high", "accuracy_difference", "could_show", "environment_a"} <= set(frame)
    assert str(found).startswith("B against A · training throughput")
    with pytest.raises(BenchError, match="no such metric; did you mean step_seconds"):
        bench.compare(*folders, metric="step_second")
