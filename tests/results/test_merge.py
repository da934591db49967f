"""`bench merge`: shards together are the whole, nothing is lost or counted twice, and what cannot be one is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.base.records import Component, TrainSettings
from bench.cli.merge import merge as command
from bench.errors import BenchError
from bench.present.tables import frame_csv
from bench.results.frame import trials_frame
from bench.results.merge import merge
from bench.results.store import Store
from bench.suite.plan import Axis, Rule, Suite
from bench.suite.stored import suite_from_json, suite_to_json


def suite(devices: tuple[str, ...] = ("cpu",), seeds: tuple[int, ...] = (0, 1, 2, 3, 4), **changes: Any) -> Suite:
    axes = (
        Axis("dataset", (Component("digits"),)),
        Axis("model", (Component("linear"), Component("mlp"), Component("cnn"))),
        Axis("seed", seeds),
        Axis("batch_size", (64, 256)),
        Axis("device", devices),
    )
    return replace(Suite("mine", "Mine", axes), **changes)


def stored(folder: Path, make: ModuleType, plan: Suite | None, *, name: str = "", **changes: Any) -> Path:
    """A folder as a run of `plan` leaves it; `name` is that of its file."""
    store = Store(folder)
    writer = store.writer(name or folder.name)
    for trial in (plan or suite()).trials():
        writer.append(make.result_of(trial, run_id=folder.name, **changes))
    writer.close()
    if plan is not None:
        store.save_suite(suite_to_json(plan))
    return folder


def table(folder: Path) -> str:
    """trials.csv of a folder, without the run that a result is from."""
    store = Store(folder)
    store.refresh()
    stored = store.load_suite()
    assert stored is not None
    return frame_csv(trials_frame(store.results, suite_from_json(stored)).assign(run_id=""))


def test_shards_merged_are_the_whole(make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = stored(tmp_path / "whole", make, suite())
    shards = [stored(tmp_path / f"s{k}", make, suite(shard=f"{k}/3")) for k in (1, 2, 3)]
    out = tmp_path / "out"
    assert command(out, shards) == 0
    assert table(out) == table(whole)
    assert table(out).count("\n") == 1 + 30
    assert Store(out).load_suite() == Store(whole).load_suite()
    said = capsys.readouterr().out
    assert f"{out}: 30 results in 3 files; 3 files copied" in said
    assert "the merged folder has the whole plan" in said


def test_a_shard_that_is_not_there_is_missing(make: ModuleType, tmp_path: Path) -> None:
    shards = [stored(tmp_path / f"s{k}", make, suite(shard=f"{k}/3")) for k in (1, 3)]
    merge(tmp_path / "out", shards)
    assert table(tmp_path / "out").count(",missing,") == 10


def test_again_changes_nothing_and_the_target_may_be_a_source(make: ModuleType, tmp_path: Path) -> None:
    a, b = (stored(tmp_path / f"s{k}", make, suite(shard=f"{k}/2")) for k in (1, 2))
    once = merge(tmp_path / "out", [a, b])
    again = merge(tmp_path / "out", [a, b, b])
    assert (once.copied, again.copied) == (2, 0)
    assert (again.results, again.twice) == (30, 30)
    into = merge(a, [a, b])
    assert (into.results, into.copied, into.twice) == (30, 1, 0)
    assert table(a) == table(tmp_path / "out")


def test_machines_with_other_devices_join_their_plans(make: ModuleType, tmp_path: Path) -> None:
    a = stored(tmp_path / "a", make, suite(("cpu",)))
    b = stored(tmp_path / "b", make, suite(("cuda",)), environment=make.OTHER_MACHINE)
    done = merge(tmp_path / "out", [a, b])
    assert table(tmp_path / "out").count(",ok,") == 60
    assert "missing" not in table(tmp_path / "out")
    assert done.notes == ["the values of device are joined: cpu, cuda"]


def test_two_suites_and_two_plans_are_refused_before_anything_is_written(make: ModuleType, tmp_path: Path) -> None:
    a = stored(tmp_path / "a", make, suite())
    other = stored(tmp_path / "b", make, suite(name="other"))
    epochs = stored(tmp_path / "c", make, suite(train=TrainSettings(epochs=3)))
    grid = stored(tmp_path / "d", make, suite(("cuda",), (7,)))
    ruled = [stored(tmp_path / f"r{device}", make, suite((device,), exclude=(Rule({"device": frozenset()}),)))
             for device in ("cpu", "cuda")]  # fmt: skip
    out = tmp_path / "out"
    with pytest.raises(BenchError, match="two suites: .*a is of mine, .*b of other"):
        merge(out, [a, other])
    with pytest.raises(BenchError, match=r"two plans: .* train: \{\} against \{\"epochs\":3\}; .*--plan"):
        merge(out, [a, epochs])
    with pytest.raises(BenchError, match="seed: 0, 1, 2, 3, … against 7; device: cpu against cuda"):
        merge(out, [a, grid])
    with pytest.raises(BenchError, match="two plans"):
        merge(out, ruled)
    assert not out.exists()
    merge(out, [a, epochs], plan=epochs)
    assert Store(out).load_suite() == Store(epochs).load_suite()
    with pytest.raises(BenchError, match="--plan"):
        merge(out, [a, epochs], plan=tmp_path)


def test_damaged_lines_are_copied_as_they_are_and_counted(
    make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = (stored(tmp_path / f"s{k}", make, suite(shard=f"{k}/2")) for k in (1, 2))
    file = a / "trials/s1.jsonl"
    file.write_bytes(b"not json\n" + file.read_bytes()[:-40])
    command(tmp_path / "out", [a, b])
    assert f"{a}: 14 results in 1 file, 2 damaged lines left out" in capsys.readouterr().out
    assert (tmp_path / "out/trials/s1.jsonl").read_bytes() == file.read_bytes()


def test_files_of_one_name(make: ModuleType, tmp_path: Path) -> None:
    a = stored(tmp_path / "a", make, suite(), name="run")
    b = stored(tmp_path / "b", make, suite(), name="run", environment=make.OTHER_MACHINE)
    (tmp_path / "older/trials").mkdir(parents=True)
    (tmp_path / "older/trials/run.jsonl").write_bytes((a / "trials/run.jsonl").read_bytes()[:5000])
    done = merge(tmp_path / "out", [tmp_path / "older", a, b])
    assert done.results == 60
    assert any("two different files of this name" in note for note in done.notes)
    assert any("the longer one is kept" in note for note in done.notes)
    assert any("1 of 3 folders without a plan" in note for note in done.notes)
    assert merge(tmp_path / "out", [a, b]).copied == 0


def test_artifacts_and_logs_come_along_and_two_of_one_trial_are_refused(make: ModuleType, tmp_path: Path) -> None:
    a, b = (stored(tmp_path / name, make, suite()) for name in "ab")
    for folder in (a, b):
        (folder / f"logs/{folder.name}").mkdir(parents=True)
        (folder / f"logs/{folder.name}/x.log").write_text(folder.name)
    merge(tmp_path / "out", [a, b])
    assert (tmp_path / "out/logs/b/x.log").read_text() == "b"
    (b / "logs/a").mkdir()
    (b / "logs/a/x.log").write_text("another")
    with pytest.raises(BenchError, match="both are of one trial of one run"):
        merge(tmp_path / "out", [a, b])


def test_a_folder_without_results_says_so(make: ModuleType, tmp_path: Path) -> None:
    stored(tmp_path / "results/mine", make, suite())
    with pytest.raises(BenchError, match=r"no results there .*did you mean one of its folders: mine\?"):
        merge(tmp_path / "out", [tmp_path / "results"])


def test_without_any_plan_the_results_are_merged_all_the_same(make: ModuleType, tmp_path: Path) -> None:
    a = stored(tmp_path / "a", make, None)
    done = merge(tmp_path / "out", [a])
    assert done.results == 30
    assert Store(tmp_path / "out").load_suite() is None
