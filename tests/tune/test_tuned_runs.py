"""Suites with [tune] as a user runs them: the test set takes no part, a killed run chooses as an unbroken one, what is
printed can be pasted, and the counts add up."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.results.searches import Search, searches_of
from bench.results.store import Store
from bench.suite.stored import suite_from_json

SUITE = """
name = "mine"
[grid]
dataset = [{ name = "hdf5", path = "DATA.h5", test_path = "DATA-test.h5" }]
model = ["linear", "mlp"]
seed = [5, 6]
device = ["cpu"]
[train]
epochs = 4
threads = 1
[measure]
timing_seconds = 0
"""
TUNE = """
[tune]
trials = 9
"train.learning_rate" = { low = 1e-4, high = 10, log = true }
"train.momentum" = [0.0, 0.9]
"mlp.hidden" = { low = 4, high = 32, log = true }
"""


def write(path: Path, images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> None:
    with h5py.File(path, "w") as file:
        file["images"], file["labels"] = images, labels


@pytest.fixture
def suite(project: Any) -> Path:
    """A suite on `plain`; `shuffled` differs from it in the labels of its test images alone."""
    draw = np.random.default_rng(0)
    labels = np.arange(400) % 4
    images = (40 * labels[:, None] + draw.integers(0, 90, (400, 36))).astype(np.uint8).reshape(400, 1, 6, 6)
    for name, tests in (("plain", labels[300:]), ("shuffled", draw.permutation(labels[300:]))):
        write(project.folder / f"{name}.h5", images[:300], labels[:300])
        write(project.folder / f"{name}-test.h5", images[300:], tests)
    path: Path = project.folder / "mine.toml"
    path.write_text(SUITE.replace("DATA", "plain") + TUNE)
    return path


def found_in(folder: Path) -> tuple[Search, ...]:
    store = Store(folder)
    store.refresh()
    return searches_of(suite_from_json(store.load_suite()), store.searches)


def choices(folder: Path) -> list[Any]:
    """Settings, accuracies and what became of each, to the last digit; and what won."""
    return [
        (each.model, each.number, dict(each.settings), each.validation_accuracy, each.status, each.is_chosen)
        for search in found_in(folder)
        for each in search.tried
    ]


def lines_of(folder: Path) -> Iterator[dict[str, Any]]:
    for path in folder.glob("trials/*.jsonl"):
        yield from map(json.loads, path.read_text().splitlines())


def test_shuffled_test_labels_change_no_choice_and_what_is_printed_can_be_pasted(project: Any, suite: Path) -> None:
    first = project.run(suite, "--executor", "inline")
    assert first.code == 0, first.err
    plain = project.results / "mine"
    other = project.folder / "other.toml"
    other.write_text((SUITE.replace("DATA", "shuffled") + TUNE).replace('"mine"', '"other"'))
    assert project.bench("tune", other, "--results", project.results, "--executor", "inline").code == 0
    assert choices(project.results / "other") == choices(plain)
    assert len(choices(plain)) == 18
    assert any(status == "given up" for *_, status, _ in choices(plain))

    printed = project.bench("tune", suite, "--results", project.results, "--executor", "inline")
    assert printed.code == 0, printed.err
    assert printed.out.count("[[override]]") == sum(
        not each.chosen.is_default for each in found_in(plain) if each.chosen
    )
    blocks = printed.out[printed.out.index("[[override]]") :]
    pasted = project.folder / "pasted.toml"
    pasted.write_text(SUITE.replace("DATA", "plain") + blocks)
    again = project.bench("run", pasted, "--results", project.results, "--dry-run")
    assert "0 to train · 4 there already" in again.err + again.out


@pytest.mark.parametrize("after", [2, 11])
def test_killed_in_a_search_and_run_again_it_has_the_same_choices(project: Any, suite: Path, after: int) -> None:
    assert project.bench("tune", suite, "--results", project.results).code == 0
    whole = choices(project.results / "mine")
    trained = len(list(lines_of(project.results / "mine")))
    shutil.rmtree(project.results)
    process = project.start("run", suite, "--results", project.results, "--no-report")
    stop = time.monotonic() + 60
    while len(list(lines_of(project.results / "mine"))) < after and time.monotonic() < stop:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert after <= len(list(lines_of(project.results / "mine"))) < trained
    ended = project.run(suite)
    assert ended.code == 0, ended.err
    assert choices(project.results / "mine") == whole
    results = list(lines_of(project.results / "mine"))
    search = [each["trial_id"] for each in results if "search" in each["trial"]]
    assert len(search) == len(set(search)) == trained


def test_counts_add_up_and_the_search_is_in_no_table_of_trials(project: Any, suite: Path) -> None:
    done = project.run(suite)
    assert done.code == 0, done.err
    folder = project.results / "mine"
    searches, results = found_in(folder), list(lines_of(folder))
    own = [each for each in results if "search" in each["trial"]]
    assert sum(len(search.tried) for search in searches) == len(own) == 18
    seconds = sum(each["metrics"]["total_seconds"] for each in own)
    assert sum(search.seconds for search in searches) == pytest.approx(seconds)
    rows = project.rows()
    assert len(rows) == 4  # both models and seeds, at what was chosen
    for search in searches:
        ids = {row["trial_id"] for row in rows if row["model"] == search.default.model.name}
        assert search.tuned.trial_id in ids
    assert not {row["trial_id"] for row in rows} & {each["trial_id"] for each in own}
    stored = {each["trial_id"] for each in results}
    assert {search.default.trial_id for search in searches} <= stored
    assert "0 to train" in project.run(suite).err
    assert project.bench("check", folder).code == 0
