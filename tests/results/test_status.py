"""Status files: a run that goes on is told from one that was killed, here and elsewhere; damaged ones do no harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bench.base.privacy import published
from bench.results import status
from bench.results.check import check
from bench.results.status import (
    GRACE_SECONDS,
    Process,
    Status,
    here,
    now,
    remove_status,
    status_path,
    statuses,
    sweep,
    write_status,
)  # fmt: skip

RUN = "20260101T000000Z-00000000"


def told(process: Process | None = None, **changes: object) -> Status:
    moment = now().isoformat()
    found = Status(RUN, process or Process.own(), "running", moment, moment, 3, limit_seconds=60.0, trials=("a" * 16,))
    return replace(found, **changes)  # type: ignore[arg-type]


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until the test ends it."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def of(process: subprocess.Popen[bytes]) -> Process:
    started = status._started(process.pid)
    assert started
    return Process(here(), process.pid, started)


def test_a_process_lives_until_it_is_killed(other: subprocess.Popen[bytes]) -> None:
    known = of(other)
    assert known.lives() is True
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert known.lives() is False  # nobody has taken up its end yet: a zombie is no run
    other.wait()
    assert known.lives() is False


def test_another_process_that_got_the_number_is_not_the_run() -> None:
    assert Process.own().lives() is True
    assert replace(Process.own(), started="1").lives() is False


def test_of_another_machine_its_age_tells() -> None:
    far = told(Process("f" * 16, 1, "1"))
    heard = datetime.fromisoformat(far.written_at)
    assert far.process.lives() is None
    for seconds, alive in ((0, True), (60 + GRACE_SECONDS - 1, True), (60 + GRACE_SECONDS + 1, False)):
        assert far.alive(at=heard + timedelta(seconds=seconds)) is alive
    assert replace(far, limit_seconds=None, phase="waiting").alive(at=heard + timedelta(days=1))


def test_what_is_written_is_read_and_gone_with_the_run(tmp_path: Path) -> None:
    path = status_path(tmp_path, RUN)
    for word in (told(), told(trials=("b" * 16,))):
        write_status(path, word)
        assert statuses(tmp_path) == [word]
    assert [path.name for path in (tmp_path / "status").iterdir()] == [f"{RUN}.json"]
    remove_status(path)
    assert not (tmp_path / "status").exists()


def test_it_names_neither_host_nor_user(tmp_path: Path) -> None:
    write_status(status_path(tmp_path, RUN), told())
    text = (tmp_path / f"status/{RUN}.json").read_text()
    assert published(text) == text
    boot = Path("/proc/sys/kernel/random/boot_id")
    assert not boot.exists() or boot.read_text().strip() not in text


def test_a_run_goes_on_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("a file where the folder would be")
    write_status(status_path(tmp_path, RUN), told())
    remove_status(status_path(tmp_path, RUN))
    assert statuses(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schema": 1}', "[" * 100_000, '{"run_id": 1, "process": 2}'],
)
def test_damaged_files_say_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "status").mkdir()
    (tmp_path / f"status/{RUN}.json").write_text(text)
    assert statuses(tmp_path) == []
    sweep(tmp_path)
    assert (tmp_path / f"status/{RUN}.json").exists()


def test_sweeping_takes_what_the_dead_left_and_nothing_else(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    words = {"alive": told(), "far": told(Process("f" * 16, 1, "1")), "dead": told(of(other))}
    other.kill()
    other.wait()
    victim = tmp_path / "victim.json"
    victim.write_text("{}")
    for name, word in words.items():  # a file may say that it is another one
        write_status(status_path(tmp_path, name), replace(word, run_id="../victim"))
    (tmp_path / f"status/.dead.json.{other.pid}").write_text("half")
    sweep(tmp_path)
    assert sorted(path.stem for path in (tmp_path / "status").iterdir()) == ["alive", "far"]
    assert victim.exists()


def test_check_knows_the_file(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    (tmp_path / "trials").mkdir()
    write_status(status_path(tmp_path, RUN), told(of(other)))
    assert check(tmp_path, plan=None).findings == []
    other.kill()
    other.wait()
    (found,) = check(tmp_path, plan=None).findings
    assert (found.kind, found.where) == ("orphaned", f"status/{RUN}.json")
    path = tmp_path / f"status/{RUN}.json"
    value = json.loads(path.read_text())
    for kind, text in {
        "newer": json.dumps(value | {"schema": 99}),
        "damaged": json.dumps(value | {"process": None}),
    }.items():
        path.write_text(text)
        assert [found.kind for found in check(tmp_path, plan=None).findings] == [kind]
