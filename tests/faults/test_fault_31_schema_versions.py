"""Row 31: results of an older schema are migrated on reading, of a newer one refused with the version to install.

tests/results/golden holds a file of each version, as a run of that version wrote it. A change of the shape of a result
makes the tests below red; then: raise SCHEMA, say in its history what changed, write the step of the migration, run a
suite of two trials of which one is skipped, and put its trials/*.jsonl there as results-<SCHEMA>.jsonl.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import SCHEMA, Environment, Result, Trial
from bench.errors import BenchError
from bench.results.store import Store
from bench.results.validate import STEPS, migrate, read_result
from bench.suite.stored import suite_from_json

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/results/golden"
VERSIONS = range(1, SCHEMA + 1)
# What each schema has that the one before had not.
ADDED = {2: {"artifact_sha256", "bench"}, 3: {"notes"}, 4: {"group_id", "answers"}, 5: set()}  # 5: in the trial


def golden(version: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / f"results-{version}.jsonl").read_text().splitlines()]


def folder_of(tmp_path: Path, *lines: dict[str, Any]) -> Path:
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read(version: int, tmp_path: Path) -> None:
    lines = golden(version)
    assert {line["schema"] for line in lines} == {version}
    store = Store(folder_of(tmp_path, *lines))
    store.refresh()
    assert store.damaged == 0
    results = {result.trial_id: result for result in (*store.results, *store.searches)}
    assert len(results) == len(lines) >= 3
    assert len(store.searches) == sum("search" in line["trial"] for line in lines) == (2 if version == 5 else 0)
    assert not [result for result in store.results if result.trial.search is not None]
    for line in lines:
        result = results[line["trial_id"]]
        again = result.to_json()
        assert again["schema"] == SCHEMA
        for key in line.keys() - {"schema", "bench"}:  # nothing that was written is lost or changed
            assert again[key] == line[key], key
        assert result.trial_id == result.trial.trial_id
        assert result.environment_id == result.environment.identity(threads=result.threads)


def test_there_is_a_step_from_every_older_version() -> None:
    assert set(STEPS) == set(VERSIONS) - {SCHEMA}


@pytest.mark.parametrize("version", list(VERSIONS)[1:])
def test_a_version_adds_what_its_history_says(version: int) -> None:
    before, now = set(golden(version - 1)[0]), set(golden(version)[0])
    assert now - before == ADDED[version]
    assert not before - now
    assert migrate(golden(version - 1)[0])["schema"] == SCHEMA


def test_the_shape_of_a_result_is_that_of_the_golden_file() -> None:
    """Red where a field came, went or changed its place without a new schema."""
    for line in golden(SCHEMA):
        assert set(line) == {"schema", "bench"} | {f.name for f in fields(Result)}
        assert set(line["trial"]) == set(Trial.from_json(line["trial"]).to_json())
        assert set(line["environment"]) == {f.name for f in fields(Environment)}
        assert read_result(line).to_json() | {"bench": line["bench"]} == line
    ok = next(line for line in golden(SCHEMA) if line["status"] == "ok" and "search" not in line["trial"])
    assert len(ok["artifact_sha256"]) == 64
    assert len(ok["group_id"]) == 16
    assert len(ok["samples"]["block_round"]) == len(ok["samples"]["block_seconds"])
    assert (
        {type(value) for value in ok["samples"].values()} == {type(value) for value in ok["curves"].values()} == {list}
    )


def test_an_old_folder_is_reported_and_checked(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *golden(1))
    (folder / "suite.json").write_bytes((GOLDEN / "suite-1.json").read_bytes())
    done = bench("check", folder)
    assert (done.returncode, done.stdout.splitlines()[0].endswith("3 results in 1 file, 3 of an older schema")) == (
        0,
        True,
    )
    assert bench("report", folder).returncode == 0
    assert "linear" in (folder / "report/tables/trials.csv").read_text()
    assert [json.loads(line) for line in (folder / "trials/a.jsonl").read_text().splitlines()] == golden(1)


def test_a_newer_one_is_refused_with_the_version_to_install(tmp_path: Path) -> None:
    newer = golden(SCHEMA)[0] | {"schema": SCHEMA + 1, "bench": "9.1.0", "something": "new"}
    folder = folder_of(tmp_path, *golden(SCHEMA), newer)
    done = bench("report", folder)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "a.jsonl: written by a newer version of bench" in line
    assert line.endswith("install that version: pip install --upgrade 'bench-models>=9.1.0'")
    checked = bench("check", folder)
    assert checked.returncode == 1
    assert "newer       trials/a.jsonl, line " in checked.stdout


@pytest.mark.parametrize("wrote", ["1.0'; rm -rf ~ #", 3, None, "1" * 500])
def test_the_version_to_install_is_no_text_of_a_stranger(tmp_path: Path, wrote: object) -> None:
    newer = golden(SCHEMA)[0] | {"schema": SCHEMA + 1, "bench": wrote}
    with pytest.raises(BenchError, match="pip install --upgrade bench-models$"):
        Store(folder_of(tmp_path, newer)).refresh()


def test_the_first_suite_json_is_read() -> None:
    suite = suite_from_json(json.loads((GOLDEN / "suite-1.json").read_bytes()))
    assert suite.count() == 6
    assert {line["trial_id"] for line in golden(1)} <= {trial.trial_id for trial in suite.trials()}
