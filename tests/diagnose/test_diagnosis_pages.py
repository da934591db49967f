"""bench diagnose: pages with every figure, models side by side, and files of strangers that lead elsewhere."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from bench.analysis import artifacts as stored
from bench.base.records import Component, Result
from bench.diagnose import answers, draw, tables, write
from bench.diagnose.naming import Names
from bench.errors import BenchError
from bench.present.format import sureness
from bench.results.store import Store, newest_ok

SUITE = """
name = "looked-at"
[grid]
dataset = [{ name = "synthetic", train = 320, test = 120 }]
model = ["linear", "cnn"]
seed = [0]
[train]
epochs = 1
threads = 1
"""
FIGURES = ("confusion", "errors", "confusions", "calibration", "curves", "first-batch", "templates", "weights")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results with the files of two trials, made by an ordinary run."""
    place = tmp_path_factory.mktemp("diagnosis")
    (place / "suite.toml").write_text(SUITE)
    command = [sys.executable, "-m", "bench", "run", "suite.toml", "--results", "results"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place / "results" / "looked-at"


@pytest.fixture
def folder(measured: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(measured, tmp_path / "looked-at"))


def results_of(folder: Path) -> tuple[Store, list[Result]]:
    store = Store(folder)
    store.refresh()
    return store, store.results


def files_of(folder: Path) -> list[Path]:
    return sorted((folder / "artifacts").rglob("*.h5"))


def test_each_trial_has_a_page_with_every_figure_and_the_models_one_together(folder: Path) -> None:
    store, results = results_of(folder)
    first, *pages = write.pages(store, results, trial=None)
    assert sorted(page.stem for page in pages) == sorted(result.trial_id for result in results)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for name in FIGURES:
            picture = page.with_name(f"{page.stem}-{name}.png")
            assert f"({picture.name})" in text
            assert picture.stat().st_size > 1000
            assert "mathdefault" not in picture.with_suffix(".svg").read_text(encoding="utf-8")
    together = first.read_text(encoding="utf-8")
    assert "McNemar" in together
    assert all(f"({result.trial_id}.md)" in together for result in results)


def test_a_cell_is_a_page_and_what_varies_is_in_every_name(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("linear"),), seeds=(0, 1), settings={"train.weight_decay": (0.0, 0.01, 0.1)})
    results = make.run_of(plan)
    chosen = write._one_a_cell(results)
    assert [(each.trial.train.weight_decay, each.trial.seed) for each in chosen] == [(0.0, 0), (0.01, 0), (0.1, 0)]
    names = Names.of(results)
    assert [names.short(each.trial) for each in chosen] == [f"linear, weight decay {value}" for value in (0, 0.01, 0.1)]
    titles = [names.title(each.trial) for each in chosen]
    assert titles[1] == "linear on digits, batch size 64, seed 0, cpu, weight decay 0.01"
    assert len(set(titles)) == 3
    assert Names.of(chosen[:1]).short(chosen[0].trial) == "linear"  # nothing varies
    two = make.run_of(make.Plan(models=(Component("linear"),), seeds=(0,), batch_sizes=(16, 32)))
    assert [Names.of(two).short(each.trial) for each in two] == ["linear, batch size 16", "linear, batch size 32"]
    assert Names.of(two).title(two[0].trial).count("batch size") == 1


def test_captions_of_errors_have_their_place_and_are_never_certain(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, results = results_of(folder)
    path = store.artifact_path(results[0].run_id, results[0].trial_id)
    with h5py.File(path, "r+") as file:
        file["diagnosis/errors/confidence"][0] = 1.0
        first = int(file["diagnosis/errors/index"][0])
    drawn: list[Any] = []
    monkeypatch.setattr(draw, "image_grid", lambda images, captions, **_: drawn.append(captions))
    found = stored.read(results[0], path)
    draw.errors(found, title="", subtitle="")
    draw.first_batch(found, title="", subtitle="")
    assert drawn[0][0].splitlines()[2:] == ["> 99.99 %", f"#{first}"]
    assert not any("100" in caption.partition("#")[0] for captions in drawn for caption in captions)


@pytest.mark.parametrize(
    ("probability", "text"),
    [(1.0, "> 99.99 %"), (0.99996, "> 99.99 %"), (0.9998, "99.98 %"), (0.5, "50.00 %"), (0.00001, "< 0.01 %")],
)
def test_nothing_is_certain(probability: float, text: str) -> None:
    assert sureness(probability) == text


def test_confusions_are_told_as_the_page_tells_them(folder: Path) -> None:
    """assets/matrix.js: true class for answer, `Most often taken: 5 for 3 (38)`."""
    store, results = results_of(folder)
    found = stored.read(results[0], store.artifact_path(results[0].run_id, results[0].trial_id))
    wrong = found.confusion - np.diag(found.confusion.diagonal())
    label, answer = (found["confusions/label"][0], found["confusions/answer"][0])
    said = f"Most often taken: {found.class_names[label]} for {found.class_names[answer]} ({wrong[label, answer]})"
    assert said in write._answer(found)
    assert wrong[label, answer] == wrong.max()
    page = Path(write.__file__).parents[1] / "report" / "assets" / "matrix.js"
    assert "`Most often taken: ${" in page.read_text("utf-8")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_files_of_a_trial_hold_every_answer(folder: Path) -> None:
    store, results = results_of(folder)
    found = stored.read(results[0], store.artifact_path(results[0].run_id, results[0].trial_id))
    said = write._files_block(found, folder)
    names, place = found.class_names, folder / results[0].trial_id
    counts, shares, wrong, classes = (
        rows_of(place.with_name(f"{place.name}-{name}.csv"))
        for name in ("confusion-counts", "confusion-shares", "errors", "classes")
    )
    assert all(f"({place.name}-{name}.csv)" in said for name in ("confusion-counts", "errors", "classes"))
    assert [[int(row[f"answered_{each}"]) for each in names] for row in counts] == found.confusion.tolist()
    assert [row["true"] for row in counts] == list(names)
    assert sum(float(row[f"answered_{row['true']}"]) for row in shares) == pytest.approx(
        sum(float(row["recall"]) for row in classes[:-1])
    )
    assert sorted(int(row["index"]) for row in wrong) == np.flatnonzero(~found.right).tolist()
    sure = [float(row["confidence"]) for row in wrong]
    assert sure == sorted(sure, reverse=True)
    for row in wrong:
        index, all_of_them = int(row["index"]), [float(row[f"probability_{name}"]) for name in names]
        assert row["true"] == names[found.labels[index]]
        assert row["answer"] == names[int(np.argmax(all_of_them))]
        assert sum(all_of_them) == pytest.approx(1)
        assert np.diff(np.log(all_of_them)) == pytest.approx(np.diff(found.logits[index].astype(float)), abs=1e-6)
    assert max(all_of_them) == float(row["confidence"])


def test_the_worst_partner_of_a_class_is_what_it_was_most_often_taken_for(folder: Path) -> None:
    store, results = results_of(folder)
    found = stored.read(results[0], store.artifact_path(results[0].run_id, results[0].trial_id))
    matrix = np.diag([9] * len(found.class_names))
    matrix[2, 5], matrix[2, 7], matrix[4, 2] = 3, 4, 1
    told = answers.partners(replace(found, confusion=matrix))
    assert told == ["none", "none", f"{found.class_names[7]} (4)", "none", f"{found.class_names[2]} (1)", *["none"] * 5]


def test_the_command_says_where_the_page_of_a_trial_lies(folder: Path) -> None:
    _, results = results_of(folder)
    trial = results[0].trial_id
    command = [sys.executable, "-m", "bench", "diagnose", str(folder), trial[:6]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(folder / "report" / "diagnosis" / f"{trial}.md")]


def test_an_unknown_trial_and_a_folder_without_files_are_one_line(folder: Path) -> None:
    store, results = results_of(folder)
    with pytest.raises(BenchError, match="'zz': no such trial"):
        write.pages(store, results, trial="zz")
    with pytest.raises(BenchError, match="2 trials begin with it"):
        newest_ok(results, "")
    shutil.rmtree(folder / "artifacts")
    with pytest.raises(BenchError, match="the trial's file is not there; .* run the suite again with --fresh"):
        write.pages(store, results, trial=None)


def test_a_trial_that_was_not_diagnosed_says_how_to_get_it(folder: Path) -> None:
    for path in files_of(folder):
        with h5py.File(path, "r+") as file:
            del file["diagnosis"]
    store, results = results_of(folder)
    with pytest.raises(BenchError, match="has no diagnosis; run the suite with"):
        write.pages(store, results, trial=None)


def test_a_file_that_is_cut_off_is_one_line(folder: Path) -> None:
    path = files_of(folder)[0]
    path.write_bytes(path.read_bytes()[:1000])
    store, results = results_of(folder)
    with pytest.raises(BenchError, match="no file of a trial, cut off, or without a diagnosis"):
        write.pages(store, results, trial=path.stem)


def test_a_link_to_another_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    store, results = results_of(folder)
    result = results[0]
    path = store.artifact_path(result.run_id, result.trial_id)
    with h5py.File(secret, "w") as file, h5py.File(path, "r") as whole:
        file["logits"] = whole["test/logits"][()]
    with h5py.File(path, "r+") as file:
        del file["test/logits"]
        file["test/logits"] = h5py.ExternalLink(str(secret), "/logits")
    with pytest.raises(BenchError, match="is a link"):
        stored.read(result, path)


def test_an_array_that_claims_more_than_can_be_is_not_read(folder: Path) -> None:
    store, results = results_of(folder)
    result = results[0]
    path = store.artifact_path(result.run_id, result.trial_id)
    with h5py.File(path, "r+") as file:
        del file["diagnosis/errors/images"]
        file["diagnosis/errors"].create_dataset("images", shape=(10**6, 10**4), dtype="u1", chunks=(1000, 1000))
    with pytest.raises(BenchError, match="claims 10,000,000,000 values"):
        stored.read(result, path)


def test_the_tables_say_what_the_arrays_say(folder: Path) -> None:
    store, results = results_of(folder)
    found = [stored.read(result, store.artifact_path(result.run_id, result.trial_id)) for result in results]
    for each, result in zip(found, results, strict=True):
        rows = tables.by_class(each).rows
        assert [row[0].text for row in rows] == [*each.class_names, "mean"]
        assert rows[-1][-1].number == each.confusion.sum() == len(each.labels)
        assert rows[-1][3].number == pytest.approx(result.metrics["test_macro_f1"])
    first, second = (each.right for each in found)
    pair = tables.pairs(found, ["a", "b"]).rows[0]
    assert [cell.number for cell in pair[2:6]] == [
        np.sum(first & second), np.sum(first & ~second), np.sum(~first & second), np.sum(~first & ~second),
    ]  # fmt: skip
    mean, low, high = re.fullmatch(r"(.+) \[(.+), (.+)\]", pair[6].text.replace("−", "-")).groups()  # type: ignore[union-attr]
    assert pair[6].number == pytest.approx(first.mean() - second.mean())
    assert float(low) <= float(mean) <= float(high)


def test_a_file_that_cannot_be_read_is_said_and_the_others_have_pages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, results = results_of(folder)
    damaged, whole = results
    path = store.artifact_path(damaged.run_id, damaged.trial_id)
    path.write_bytes(path.read_bytes()[:2000])
    monkeypatch.setattr(
        write, "_trial_page", lambda found, folder, what: folder / found.result.trial_id
    )  # draws for seconds
    said: list[str] = []
    assert [page.name for page in write.pages(store, results, trial=None, say=said.append)] == [whole.trial_id]
    (line,) = said
    assert line.startswith(f"left out: {path}: no file of a trial, cut off")
    with pytest.raises(BenchError, match="no file of a trial, cut off"):
        write.pages(store, results, trial=damaged.trial_id)
