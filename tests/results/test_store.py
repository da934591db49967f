"""The store: whole or absent at whichever byte it is cut, nothing twice, a newer schema refused."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.records import SCHEMA, Component, Environment, Result, Trial, canonical_json
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


def test_a_record_cut_at_any_byte_is_whole_or_absent(tmp_path: Path) -> None:
    store = written(tmp_path, result(0), result(1))
    file = store.trials_folder / "run-a.jsonl"
    text = file.read_bytes()
    first_end = text.index(b"\n") + 1
    for cut in range(len(text) + 1):
        file.write_bytes(text[:cut])
        found = Store(tmp_path)
        seeds = [one.trial.seed for one in found.refresh()]
        whole = (cut >= first_end - 1) + (cut >= len(text) - 1)
        assert seeds == [0, 1][:whole]
        partial = cut not in (0, first_end - 1, first_end, len(text) - 1, len(text))
        assert found.damaged == partial


def test_a_line_that_grows_between_two_readings_is_read_once(tmp_path: Path) -> None:
    store = written(tmp_path, result(0))
    file = store.trials_folder / "run-a.jsonl"
    line = canonical_json(result(1).to_json()).encode() + b"\n"
    store.refresh()
    with file.open("ab") as growing:
        growing.write(line[:50])
        growing.flush()
        assert store.refresh() == []
        assert store.damaged == 1
        growing.write(line[50:])
    assert [one.trial.seed for one in store.refresh()] == [1]
    assert store.damaged == 0


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


def test_a_full_disk_leaves_what_was_there_intact(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        store = Store(tmp_path)
        writer = store.writer("run-a")
        count = 0
        with pytest.raises(OSError, match="No space left"):
            for seed in range(1000):
                writer.append(result(seed))
                count += 1
        writer.close()
        store.refresh()
        assert [one.trial.seed for one in store.results] == list(range(count))
        assert count > 0
        assert store.damaged == 0
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_written_is_found_out_before(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        code = (
            "import os, sys; from pathlib import Path; from bench.results.store import Store\n"
            "os.setuid(65534)\n"
            "Store(Path(sys.argv[1]) / 'x').writable()"
        )
        tmp_path.chmod(0o755)
        for parent in tmp_path.parents[:3]:
            parent.chmod(parent.stat().st_mode | 0o055)
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
        assert "results cannot be written there" in done.stderr
        assert "--results" in done.stderr
    else:
        tmp_path.chmod(0o500)
        with pytest.raises(BenchError, match="results cannot be written there"):
            Store(tmp_path / "x").writable()


def test_a_result_that_is_not_ok_has_a_reason_and_metrics_are_finite() -> None:
    with pytest.raises(BenchError, match="has a reason"):
        replace(result(0), status="failed")
    with pytest.raises(BenchError, match="no finite number"):
        replace(result(0), metrics={"test_loss": float("nan")})
