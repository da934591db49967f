"""Faults 5 and 6, a full disk and a folder that cannot be written: nothing before it is lost, and one line says it."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.base.files import write
from bench.base.records import Result
from bench.results.store import Store

TinyDisk = Callable[..., Path]


def seeds(make: ModuleType, count: int) -> list[Result]:
    return list(make.run_of(make.Plan(models=(make.Component("mlp"),), seeds=range(count))))


def test_a_full_disk_leaves_what_was_there_intact(make: ModuleType, tiny_disk: TinyDisk) -> None:
    disk = tiny_disk("16k")
    store = Store(disk)
    writer = store.writer("run-a")
    count = 0
    with pytest.raises(OSError, match="No space left"):
        for result in seeds(make, 100):
            writer.append(result)
            count += 1
    writer.close()
    store.refresh()
    assert [one.trial.seed for one in store.results] == list(range(count))
    assert count > 0
    assert store.damaged == 0


def test_a_line_that_does_not_fit_is_cut_off_again(make: ModuleType, tmp_path: Path) -> None:
    """The same without root: the kernel lets no file of this process grow beyond a limit (RLIMIT_FSIZE)."""
    store = Store(tmp_path)
    writer = store.writer("run-a")
    first, second = seeds(make, 2)
    writer.append(first)
    size = (store.trials_folder / "run-a.jsonl").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            writer.append(second)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (store.trials_folder / "run-a.jsonl").stat().st_size == size
    writer.append(second)
    writer.close()
    assert [one.trial.seed for one in store.refresh()] == [0, 1]
    assert store.damaged == 0


def test_a_plan_that_does_not_fit_leaves_the_old_one(tiny_disk: TinyDisk) -> None:
    path = tiny_disk("16k") / "suite.json"
    write(path, "old")
    with pytest.raises(OSError, match="No space left"):
        write(path, "x" * 100_000)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]  # what was written aside is gone: the disk has its room again


def test_a_run_on_a_full_disk_says_so_in_one_line_and_goes_on_when_there_is_room(
    project: Any, tiny_disk: TinyDisk
) -> None:
    disk = tiny_disk("16m")
    suite = project.suite("good", "chatty", seeds="0, 1, 2")
    # Not for timing alone, which goes on printing for so long as a fast machine has time.
    command = ("run", suite, "--results", disk, "--no-report", "--set", "measure.timing_seconds=0")
    before: dict[Path, bytes] = {}
    # All of some trials fits; not a byte; a record or two, and no arrays of a trial.
    for free in (60_000, 0, 5_000):
        space = os.statvfs(disk)
        (disk / "ballast").write_bytes(bytes(max(0, space.f_bavail * space.f_frsize - free)))
        done = project.bench(*command)
        assert done.code == 2
        assert "Traceback" not in done.err
        last = done.err.splitlines()[-1]
        assert "No space left on device" in last
        assert "make room" in last or "choose another folder" in last
        assert {path: path.read_bytes() for path in before} == before
        before = {path: path.read_bytes() for path in (disk / "mine/trials").glob("*.jsonl")}
        assert any(before.values())
        assert not list(disk.rglob("*.part"))
        (disk / "ballast").unlink()
    again = project.bench(*command)
    assert again.code == 0, again.err
    store = Store(disk / "mine")
    store.refresh()
    ids = [result.trial_id for result in store.results if result.status == "ok"]
    assert len(ids) == len(set(ids)) == 6
    assert {result.status for result in store.results} <= {"ok", "interrupted"}
    assert store.damaged == 0


def refused_quickly(project: Any, *command: object, **how: Any) -> str:
    """The one line of a run that is refused before anything is started, in under a second.

    A second of the processor: that is what it takes on an idle core, and what others do to the wall clock is not its.
    """
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "bench", *map(str, command)],
        capture_output=True, text=True, cwd=project.folder, check=False, **how,
    )  # fmt: skip
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 1
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return str(done.stderr)


@pytest.mark.parametrize("there", [True, False], ids=["a folder", "a folder to be made"])
def test_a_disk_that_is_read_only_is_found_out_before(
    there: bool, project: Any, tiny_disk: TinyDisk, fresh_cache: Path
) -> None:
    disk = tiny_disk("64k")
    if there:
        (disk / "mine/trials").mkdir(parents=True)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    line = refused_quickly(project, "run", project.suite("good"), "--results", disk)
    assert line.startswith(f"{disk}")
    assert os.strerror(errno.EROFS) in line
    assert "choose another folder with --results" in line
    assert not list(fresh_cache.iterdir())  # no worker was asked what there is


def no_longer_root() -> None:
    """Root writes wherever it wants, unless it has lost the capability: CAP_DAC_OVERRIDE is 1, PR_CAPBSET_DROP 24."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1)


def test_a_folder_that_may_not_be_written_is_found_out_before(project: Any, fresh_cache: Path) -> None:
    suite, results = project.suite("good"), project.folder / "locked"
    results.mkdir(mode=0o500)
    line = refused_quickly(project, "run", suite, "--results", results, preexec_fn=no_longer_root)
    assert line == (
        f"{results}/mine: results cannot be written there (Permission denied); choose another folder with --results\n"
    )
    assert not list(fresh_cache.iterdir())


def test_a_file_in_the_place_of_the_folder_is_found_out_before(project: Any, fresh_cache: Path) -> None:
    (project.folder / "results").write_text("")
    line = refused_quickly(project, "run", project.suite("good"), "--results", project.results)
    assert line.startswith(f"{project.results}/mine: results cannot be written there (a file stands")


def test_a_results_folder_that_is_removed_during_a_run_stops_it(project: Any) -> None:
    """By the second of four trials; the others are not trained for nothing, and the one line says what happened."""
    suite = project.suite("good", seeds="0, 1, 2, 3")
    code = f"""
import pathlib, shutil
def remove():
    folder = pathlib.Path({str(project.results / "mine")!r})
    if list(folder.glob("trials/*.jsonl")):
        shutil.rmtree(folder)
make("removes", remove)
"""
    models = project.folder / "models.py"
    models.write_text(models.read_text() + code)
    suite.write_text(suite.read_text().replace('["good"]', '["removes"]'))
    done = project.run(suite)
    assert done.code == 2
    last = done.err.splitlines()[-1]
    assert ".jsonl: was removed, renamed or replaced while the run wrote to it" in last
    assert "run the same command again" in last
    assert "Traceback" not in done.err
    assert done.err.count(" ok ") <= 1
