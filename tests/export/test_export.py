"""`bench export`: other tools read what we write."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pytest_benchmark.stats import Stats

import bench
from bench.cli.export import export as command
from bench.cli.report import report
from bench.cli.streams import Forgiving
from bench.errors import BenchError
from bench.export import formats as export
from bench.results.store import Store


@pytest.fixture
def folder(make: ModuleType, tmp_path: Path) -> Path:
    """Three models on the CPU at two batch sizes, five seeds each; one trial crashed; no plan beside them."""
    results = make.run_of(make.Plan(batch_sizes=(64, 256)))
    results[0] = make.result_of(results[0].trial, status="crashed", reason="=killed, by signal 9")
    return store(tmp_path / "baseline", results)


def store(folder: Path, results: list[Any]) -> Path:
    writer = Store(folder).writer("run")
    for result in results:
        writer.append(result)
    writer.close()
    return folder


def exported(folder: Path, form: str, output: Path | None = None) -> int:
    return command(folder, form=form, output=output, results=folder)


def benchmarks(folder: Path, form: str = "pytest-benchmark") -> dict[str, Any]:
    output = folder / "out.json"
    assert exported(folder, form, output) == 0
    value: dict[str, Any] = json.loads(output.read_text())
    return value


def compare(*arguments: object, cwd: Path) -> str:
    """What pytest-benchmark's own command line prints of files."""
    done = subprocess.run(
        [Path(sys.executable).with_name("pytest-benchmark"), "compare", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("n", range(1, 13))
def test_statistics_are_those_of_pytest_benchmark(n: int) -> None:
    data = np.random.default_rng(n).exponential(size=n).tolist()
    reference = Stats()
    for value in data:
        reference.update(value)
    found = export.stats(data)
    assert found.pop("data") == data
    assert found.pop("iterations") == 1
    for name, value in reference.as_dict().items():
        if name == "hd15iqr":  # pytest-benchmark before 5.2 takes the next one above
            assert found[name] == max(each for each in data if each <= found["q3"] + 1.5 * found["iqr"])
        else:
            assert found[name] == (value if isinstance(value, str) else pytest.approx(value)), name
    assert found.keys() == reference.as_dict().keys()


def test_pytest_benchmark_compares_two_files(folder: Path, make: ModuleType, tmp_path: Path) -> None:
    """The same cells of another day meet in one group, under one name."""
    slower = [
        make.result_of(row.trial, metrics={**row.metrics, "step_seconds": 2 * row.metrics["step_seconds"]})
        for row in make.run_of(make.Plan(batch_sizes=(64, 256)))
    ]
    other = store(tmp_path / "other" / "baseline", slower)
    for name, source in (("today.json", folder), ("yesterday.json", other)):
        assert exported(source, "pytest-benchmark", tmp_path / name) == 0
    files = tmp_path / "today.json", tmp_path / "yesterday.json"
    text = compare(*files, "--group-by=fullname", "--columns=median,rounds", cwd=tmp_path)
    assert text.count("2 tests") == 6
    assert "benchmark 'baseline::cnn[digits-cpu-256]': 2 tests" in text
    assert text.count("(2.0") + text.count("(1.9") >= 5  # a seed of one cell is missing in one of the files
    by_group = compare(files[0], "--columns=median", cwd=tmp_path)
    assert by_group.count("3 tests") == 2
    assert "benchmark 'baseline: digits-cpu-64': 3 tests" in by_group
    assert "mlp[digits-cpu-64]" in by_group
    assert "batch_size=256" in compare(files[0], "--group-by=param:batch_size", cwd=tmp_path)


def test_a_cell_is_a_benchmark_and_its_seeds_are_the_rounds(folder: Path) -> None:
    value = benchmarks(folder)
    found = {each["name"]: each for each in value["benchmarks"]}
    assert len(found) == 6
    results = Store(folder)
    results.refresh()
    for name, model, size in (("mlp[digits-cpu-64]", "mlp", 64), ("cnn[digits-cpu-256]", "cnn", 256)):
        cell = [r for r in results.results if r.trial.model.name == model and r.trial.batch_size == size]
        assert found[name]["stats"]["data"] == [result.metrics["step_seconds"] for result in cell]
        assert found[name]["extra_info"]["metrics"]["test_accuracy"] == [r.metrics["test_accuracy"] for r in cell]
        assert found[name]["extra_info"]["trial_ids"] == [result.trial_id for result in cell]
        assert found[name]["params"] == {"model": model, "dataset": "digits", "device": "cpu", "batch_size": size}
    assert found["linear[digits-cpu-64]"]["stats"]["rounds"] == 4
    assert {each["fullname"] for each in value["benchmarks"]} == {f"baseline::{name}" for name in found}


def test_what_is_left_out_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmarks(folder)
    assert capsys.readouterr().err == "left out: 1 of 30 trials, which are not ok (1 crashed)\n"
    benchmarks(folder, "json")
    assert capsys.readouterr().err == ""


def test_no_host_and_no_user_is_in_it(folder: Path) -> None:
    machine = benchmarks(folder)["machine_info"]
    assert machine["cpu"]["brand_raw"] == "Intel(R) Xeon(R) Processor"
    assert not {"node", "hostname", "user"} & (machine.keys() | machine["bench"].keys())
    assert benchmarks(folder)["commit_info"]["id"] == "0123456789abcdef"


def test_settings_and_other_machines_are_told_apart(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(
        models=[make.Component("mlp", {"hidden": [20, 10]}), make.Component("mlp")],
        settings={"train.learning_rate": [0.1, 0.01]},
    )
    results = make.run_of(plan)
    results += [make.result_of(r.trial, environment=make.OTHER_MACHINE, run_id="other") for r in results[:4]]
    names = [each["name"] for each in benchmarks(store(tmp_path / "mine", results))["benchmarks"]]
    assert len(names) == len(set(names)) == 8
    here, there = (make.result_of(results[0].trial, environment=each) for each in (make.MACHINE, make.OTHER_MACHINE))
    for result in (here, there):
        where = f"environment={result.environment_id[:8]}-code={result.code_id[:8]}"
        assert f"mlp[hidden=[20, 10]-digits-cpu-64-{where}]" in names
        assert f"mlp[digits-cpu-64-learning_rate=0.01-{where}]" in names


def test_two_data_files_of_one_name_are_two_benchmarks(make: ModuleType, tmp_path: Path) -> None:
    files = [make.Component("hdf5", {"path": "x.h5"}, {"path": digit * 64}) for digit in "12"]
    found = benchmarks(store(tmp_path / "mine", make.run_of(make.Plan(datasets=files))))["benchmarks"]
    assert len({each["fullname"] for each in found}) == 6


def test_csv_is_that_of_the_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exported(folder, "csv") == 0
    text = capsys.readouterr().out
    report(folder, results=folder)
    assert text == (folder / "report/tables/trials.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 30
    assert rows[0]["reason"] == "'=killed, by signal 9"


def test_json_is_one_object_a_trial(folder: Path) -> None:
    rows: Any = benchmarks(folder, "json")
    assert len(rows) == 30
    assert rows[0]["status"] == "crashed"
    assert rows[0]["step_seconds"] is None
    assert rows[0]["valid"] is None
    results = Store(folder)
    results.refresh()
    for row, result in list(zip(rows, results.results, strict=True))[1:]:
        assert row["trial_id"] == result.trial_id
        assert row["step_seconds"] == result.metrics["step_seconds"]  # to the last bit
        assert row["energy_joules"] is None
        assert (row["valid"], row["timing"]) == (False, "rough")  # no blocks: how well it is known nobody knows
        assert row["timing_notes"] == row["validity_notes"] == "half-width unknown: no timed blocks"
        assert row["model_settings"] == {}
        assert type(row["parameters"]) is int


def test_parquet_reads_back_as_the_frame(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    output = folder / "out.parquet"
    assert exported(folder, "parquet", output) == 0
    frame, loaded = pd.read_parquet(output), bench.load(folder)
    pd.testing.assert_frame_equal(frame, loaded, check_index_type=False)
    assert frame.attrs["torch"] == loaded.attrs["torch"]  # accuracies pool as they did
    pd.testing.assert_frame_equal(bench.summarize(frame), bench.summarize(loaded))


def test_parquet_without_pyarrow_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BenchError, match=r"needs pyarrow: python -m pip install 'bench-models\[parquet\]'"):
        exported(folder, "parquet", folder / "out.parquet")


def test_latex_is_a_table_a_section_and_escaped(
    make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [make.Component("linear"), make.Component("mlp", {"note": "50% & a_b #1 $x$ ~^{}\\"})]
    results = make.run_of(make.Plan(models=models)) + make.run_of(make.Plan(datasets=[make.Component("mnist")]))
    assert exported(store(tmp_path / "my_suite", results), "latex") == 0
    text = capsys.readouterr().out
    assert text.count(r"\begin{table}") == text.count(r"\bottomrule") == 2
    note = r"50\% \& a\_b \#1 \$x\$ \textasciitilde{}\textasciicircum{}\{\}\textbackslash{}"
    assert f"mlp(note={note}) &" in text
    assert r"\caption{Models on mnist $\cdot$ cpu, suite my\_suite, n = 5 seeds}" in text


def test_an_unknown_format_lists_those_that_there_are(folder: Path) -> None:
    with pytest.raises(
        BenchError, match=r"--format jsn: unknown; did you mean json\? .*csv, json, parquet, pytest-benchmark, latex"
    ):
        exported(folder, "jsn")


def test_nothing_to_export(make: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no such suite file or folder"):
        exported(tmp_path / "nowhere", "csv")
    with pytest.raises(BenchError, match="no results there"):
        exported(tmp_path, "csv")
    failed = [make.result_of(trial, status="oom") for trial in make.Plan().trials()]
    with pytest.raises(BenchError, match="no trial is ok"):
        exported(store(tmp_path / "failed", failed), "pytest-benchmark")


def test_a_file_that_cannot_be_written(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(BenchError, match="cannot be written"):
        exported(folder, "csv", folder / "file" / "below")


@pytest.mark.parametrize("form", ["csv", "json", "latex", "pytest-benchmark", "parquet"])
def test_output_that_is_not_whole_is_said(
    folder: Path, form: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk, also for what is small enough to wait in a buffer; that nobody reads on is no mistake."""
    for device, code in ((os.open("/dev/full", os.O_WRONLY), 1), (pipe_without_reader(), 0)):
        stream = io.TextIOWrapper(io.BufferedWriter(Forgiving(device, "w")), encoding="utf-8")
        monkeypatch.setattr(sys, "stdout", stream)
        assert exported(folder, form) == code
        said = "the output cannot be written (No space left on device): it is not whole; try --output FILE\n"
        assert capfd.readouterr().err.endswith(said) == bool(code)
        stream.close()


def pipe_without_reader() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_the_command_line(folder: Path) -> None:
    words = [sys.executable, "-m", "bench", "export", str(folder), "--format", "json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=False)
    assert (done.returncode, len(json.loads(done.stdout))) == (0, 30)
