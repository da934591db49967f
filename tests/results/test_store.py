"""The store: whole or absent at whichever byte it is cut, nothing twice, a newer schema refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.base.records import SCHEMA, Component, Environment, Result, Trial, canonical_json
from bench.errors import BenchError
from bench.results.store import Store, newest


def result(seed: int = 0, *, run_id: str = "run-a", finished_at: str = "2026-01-01", status: str = "ok") -> Result:
    trial = Trial(Component("digits"), Component("mlp", {"hidden": [8, 8]}), seed, 64, "cpu")
    return Result(
        trial=trial,
        trial_id=trial.trial_id,
        run_id=run_id,
        environment_id="e" * 16,
        code_id="c" * 16,
        status=status,  # type: ignore[arg-type]
        reason="" if status == "ok" else "because",
        metrics={"test_accuracy": 0.5, "parameters": 650},
        curves={"epoch": [1, 2], "test_loss": [0.5, None]},
        validity_notes=("few samples",),
        notes=("it is odd",),
        environment=Environment({"cpu": "x"}),
        finished_at=finished_at,
    )


def written(folder: Path, *results: Result) -> Store:
    store = Store(folder)
    for one in results:
        writer = store.writer(one.run_id)
        writer.append(one)
        writer.close()
    return store


def test_what_was_written_is_read(tmp_path: Path) -> None:
    first, second = result(0), result(1)
    store = written(tmp_path, first, second)
    assert store.refresh() == [first, second]
    assert store.damaged == 0


def test_refresh_reads_only_what_is_new(tmp_path: Path) -> None:
    store = written(tmp_path, result(0))
    assert len(store.refresh()) == 1
    assert store.refresh() == []
    written(tmp_path, result(1), result(2, run_id="run-b"))
    assert [one.trial.seed for one in store.refresh()] == [1, 2]
    assert len(store.results) == 3


@pytest.mark.parametrize(
    "line", [b"{}", b"null", b"[1]", b"\xff\xfe", b'{"schema": "x"}', b'{"schema": 1}', b"[" * 5000]
)
def test_a_foreign_line_is_left_out_and_counted(tmp_path: Path, line: bytes) -> None:
    store = written(tmp_path, result(0))
    with (store.trials_folder / "other.jsonl").open("wb") as file:
        file.write(line + b"\n")
    assert len(store.refresh()) == 1
    assert store.damaged == 1


def test_merging_is_copying_files_together_and_a_copy_counts_once(tmp_path: Path) -> None:
    store = written(tmp_path, result(0), result(1))
    file = store.trials_folder / "run-a.jsonl"
    (store.trials_folder / "another name.jsonl").write_bytes(file.read_bytes())
    assert len(store.refresh()) == 2


def test_a_newer_schema_is_refused_with_what_to_install(tmp_path: Path) -> None:
    store = written(tmp_path, result(0))
    value = result(1).to_json() | {"schema": SCHEMA + 1}
    (store.trials_folder / "new.jsonl").write_text(canonical_json(value) + "\n")
    with pytest.raises(BenchError, match=r"new\.jsonl: written by a newer version .* pip install --upgrade"):
        store.refresh()


def test_the_newest_result_of_a_key_counts() -> None:
    old, new = result(0, finished_at="2026-01-01"), result(0, run_id="run-b", finished_at="2026-01-02", status="failed")
    assert list(newest([new, old]).values()) == [new]
    other = replace(old, code_id="d" * 16)
    assert len(newest([old, new, other])) == 2


def test_a_result_that_is_not_ok_has_a_reason_and_metrics_are_finite() -> None:
    with pytest.raises(BenchError, match="has a reason"):
        replace(result(0), status="failed")
    with pytest.raises(BenchError, match="not a finite number"):
        replace(result(0), metrics={"test_loss": float("nan")})


def test_a_file_that_is_cut_under_its_writer_loses_one_record_and_no_more(tmp_path: Path) -> None:
    writer = Store(tmp_path).writer("run-a")
    writer.append(result(0))
    os.truncate(writer.path, writer.path.stat().st_size - 20)
    for seed in (1, 2):
        writer.append(result(seed))
    writer.close()
    store = Store(tmp_path)
    assert [one.trial.seed for one in store.refresh()] == [1, 2]
    assert store.damaged == 1


def replaced(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


LOST: dict[str, Callable[[Path], object]] = {
    "the folder removed": lambda path: shutil.rmtree(path.parents[1]),
    "the folder renamed": lambda path: path.parents[1].rename(path.parents[2] / "elsewhere"),
    "trials/ removed": lambda path: shutil.rmtree(path.parent),
    "trials/ replaced": lambda path: (shutil.rmtree(path.parent), path.parent.mkdir()),
    "the file removed": Path.unlink,
    "the file replaced": replaced,
    "a link in its place": lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")),
    "emptied": lambda path: os.truncate(path, 0),
    "an earlier line cut": lambda path: os.truncate(path, path.stat().st_size // 3),
}


@pytest.mark.parametrize("how", LOST)
def test_a_run_whose_file_is_lost_stops_before_the_next_trial_is(how: str, tmp_path: Path) -> None:
    writer = Store(tmp_path / "results/mine").writer("run")
    writer.refuse_lost()  # nothing is there yet
    for seed in range(3):
        writer.append(result(seed))
    LOST[how](writer.path)
    for refuse in (writer.refuse_lost, lambda: writer.append(result(3))):
        with pytest.raises(
            BenchError, match=r"run.jsonl: was (removed, renamed or replaced|cut from [\d,]+ to [\d,]+ byt)"
        ):
            refuse()
    if how == "the folder renamed":  # and put back
        (tmp_path / "results/elsewhere").rename(tmp_path / "results/mine")
        writer.append(result(3))
        assert len(Store(tmp_path / "results/mine").refresh()) == 4
    writer.close()
