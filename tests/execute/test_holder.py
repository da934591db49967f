"""A run that waits says whose run holds the machine, how long it still takes, and how not to wait."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bench.base.records import Component
from bench.cluster import node
from bench.doctor import examine
from bench.execute import holder as holders
from bench.execute import pilot
from bench.execute.holder import WAITING, Holder, holder_of, waiting_lines
from bench.execute.lock import MeasureLock, measuring
from bench.execute.progress import Voice
from bench.lr_find import sweep
from bench.planning.progress import look
from bench.planning.text import status_text
from bench.results.status import Process, Status, now, status_path, write_status
from bench.results.store import Store
from bench.suite.stored import suite_to_json

RUN = "20260101T000000Z-00000000"
OWN = f"process {os.getpid()}"


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MeasureLock]:
    """The lock of this machine; nobody has it."""
    monkeypatch.setenv("BENCH_LOCK", str(tmp_path / "lock"))
    found = MeasureLock()
    yield found
    found.release()


def held(lock: MeasureLock, holder: Holder | None = None) -> str:
    """What one that waits reads while `holder` has the lock, in one line."""
    lock.holder = holder
    assert lock.try_acquire()
    return said(lock)


def said(lock: MeasureLock) -> str:
    lines = waiting_lines(lock.path)
    assert max(map(len, lines)) <= 80
    return " ".join(" ".join(lines).split())


def results_of_a_run(folder: Path, make: ModuleType, *, done: int, **changes: Any) -> Holder:
    """A plan of six trials, so many of them done in 10 s each, and the status file of a run in this process."""
    plan = make.Plan(name="mine", models=(Component("mlp"),), seeds=range(6))
    trials, store = list(plan.trials()), Store(folder)
    store.save_suite(suite_to_json(plan))
    results = [make.result_of(trial, metrics={"total_seconds": 10.0, "fit_seconds": 5.0}) for trial in trials[:done]]
    writer = store.writer(RUN)
    for result in results:
        writer.append(result)
    writer.close()
    moment = now().isoformat()
    phase = changes.pop("phase", "running")
    ids = {"environments": (results[0].environment_id,), "codes": (results[0].code_id,)} if results else {}
    write_status(status_path(folder, RUN), Status(RUN, Process.own(), phase, moment, moment, 6, **(ids | changes)))
    return Holder("bench run", "mine", str(folder))


def test_a_run_is_named_with_its_suite_its_time_and_what_is_left(
    lock: MeasureLock, tmp_path: Path, make: ModuleType
) -> None:
    holder = results_of_a_run(tmp_path / "mine", make, done=3)
    text = held(lock, holder)
    _, found = look(Store(tmp_path / "mine"))
    shown = re.search(r"\d\S* (s|min|h) \[.*\]$", status_text("mine", found, pretty=False))
    assert shown is not None
    left = shown[0]
    assert found.all.seconds_left is not None
    assert found.all.seconds_left.value == 30.0
    clock = f"{now().astimezone():%H:%M}"
    assert text == (
        f"{WAITING}: suite mine · since {clock} · {left} left · bench run, {OWN} not to wait: end that one (kill "
        f"{os.getpid()}; what is done is stored, the same command goes on from there), or stop this one (Ctrl-C) and "
        "run it later or on another machine; every executor waits, inline too"
    )


@pytest.mark.parametrize(
    ("done", "changes", "left"),
    [
        (0, {}, "how long it still takes is not known yet · "),  # nothing of it has ended
        (3, {"budget_seconds": 1800.0}, "at most 30 min left of its budget · "),
        (3, {"phase": "waiting"}, "it waits until the machine is quiet · "),
        (3, {"process": Process("f" * 16, 4711, "1")}, ""),  # another run's status: this one has not begun
    ],
)
def test_what_is_left_is_said_as_far_as_it_is_known(
    done: int, changes: dict[str, Any], left: str, lock: MeasureLock, tmp_path: Path, make: ModuleType
) -> None:
    process = changes.pop("process", None)
    holder = results_of_a_run(tmp_path / "mine", make, done=done, **changes)
    if process is not None:
        path = status_path(tmp_path / "mine", RUN)
        path.write_text(json.dumps(json.loads(path.read_text()) | {"process": asdict(process)}))
    clock = f"{now().astimezone():%H:%M}"
    assert f"suite mine · since {clock} · {left}bench run, {OWN} " in held(lock, holder)


@pytest.mark.parametrize("damage", ["gone", "no plan", "plan", "status", "link"])
def test_a_folder_of_results_that_says_nothing_breaks_nothing(
    damage: str, lock: MeasureLock, tmp_path: Path, make: ModuleType
) -> None:
    folder = tmp_path / "mine"
    holder = results_of_a_run(folder, make, done=3)
    if damage == "gone":
        folder.rename(tmp_path / "elsewhere")
    elif damage == "link":
        (folder / "suite.json").rename(tmp_path / "theirs")
        (folder / "suite.json").symlink_to(tmp_path / "theirs")
    elif damage == "no plan":
        (folder / "suite.json").unlink()
    else:
        (folder / "suite.json" if damage == "plan" else status_path(folder, RUN)).write_text('{"grid": 3}')
    text = held(lock, holder)
    assert text.startswith(f"{WAITING}: suite mine · since ")
    assert f" · bench run, {OWN} not to wait: end that one" in text
    assert "left" not in text


def test_a_run_since_another_day_says_the_day(lock: MeasureLock, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (now() - timedelta(days=3)).astimezone()
    with monkeypatch.context() as patch:
        patch.setattr(holders, "now", lambda: before)
        held(lock, Holder("bench doctor"))
    assert f"{WAITING}: since {before:%Y-%m-%d %H:%M} · bench doctor, {OWN} " in said(lock)


class Fake:
    """An executor that starts nothing, and what runs on it: each looks who has the lock."""

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass


def doctor() -> None:
    examine.examine(Voice(quiet=True))


def lr_find() -> None:
    sweep.sweep(None, None, voice=Voice(quiet=True))  # type: ignore[arg-type]


def plan() -> None:
    prepared = SimpleNamespace(suite=SimpleNamespace(name="mine"))
    pilot._Pilot(prepared, Voice(quiet=True)).run([], None)  # type: ignore[arg-type]


def ray_node() -> None:
    list(node.run_group({"plugins": [], "places": {}}))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (doctor, "bench doctor"),
        (lr_find, "suite mine … bench lr-find"),
        (plan, "suite mine … bench plan"),
        (ray_node, "trials of a run on Ray"),
    ],
)
def test_every_command_that_measures_is_named(
    command: Callable[[], None], words: str, lock: MeasureLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    class Looked(Exception):
        pass

    def looks(*_: Any, **__: Any) -> Any:
        seen.append(said(lock))
        raise Looked

    prepared = SimpleNamespace(suite=SimpleNamespace(name="mine", trials=lambda: iter(())))
    for path in ("doctor.examine.ask_catalogue", "execute.pilot.replace", "lr_find.sweep._swept", "cluster.node._here",
                 "cluster.node.catalogue"):  # fmt: skip
        monkeypatch.setattr(f"bench.{path}", looks)
    monkeypatch.setattr(pilot, "sampled", lambda _: ([], 0))
    for name, value in {"read": None, "prepare": prepared, "cells_of": [(None, ())], "_refuse": None, "names_of": ["a"],
                        "Curve": None}.items():  # fmt: skip
        monkeypatch.setattr(sweep, name, lambda *_, value=value, **__: value)
    with pytest.raises(Looked):
        command()
    first, _, last = words.rpartition(" … ")
    assert f"{WAITING}: {first}" in seen[0]
    assert f" · {last}, {OWN} " in seen[0]
    assert "what is done is stored" not in seen[0]
    assert holder_of(lock.path) is None


def test_the_note_goes_with_the_lock_however_that_ends(lock: MeasureLock) -> None:
    @contextmanager
    def failing() -> Iterator[None]:
        with measuring(Fake(), Voice(quiet=True), holder=Holder("bench doctor")):  # type: ignore[arg-type]
            assert holder_of(lock.path) is not None
            yield

    with pytest.raises(KeyboardInterrupt), failing():
        raise KeyboardInterrupt
    assert holder_of(lock.path) is None
    assert not holders._note_path(lock.path).exists()


def note_of(lock: MeasureLock, **changes: Any) -> Path:
    """A note of this process, though it may not have the lock."""
    holders.leave_note(Holder("bench run", "mine"), lock.path)
    path = holders._note_path(lock.path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"process": {"place": Process.own().place, "pid": 2**22 + 7, "started": "1"}},  # it was killed
        {"process": {**asdict(Process.own()), "started": "1"}},  # killed, and its number is another one's now
        {"process": {"place": "f" * 16, "pid": os.getpid(), "started": Process.own().started}},  # before a restart
        {"process": asdict(Process.own()) | {"pid": os.getppid()}},
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": 3},
        {"suite": ["mine"]},
        {"command": None},
    ],
)
def test_a_stale_or_damaged_note_is_none(changes: dict[str, Any], lock: MeasureLock) -> None:
    note_of(lock, **changes)
    assert held(lock).startswith(f"{WAITING} ({OWN}) not to wait: end that one (kill {os.getpid()}), or stop this one")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 60_000, b" " * 100_000 + b"{}"])
def test_a_note_that_cannot_be_read_is_none(content: bytes, lock: MeasureLock) -> None:
    note_of(lock).write_bytes(content)
    assert held(lock).startswith(f"{WAITING} ({OWN}) ")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_stands_in_the_notes_place_is_neither_followed_nor_waited_for(
    kind: str, lock: MeasureLock, tmp_path: Path
) -> None:
    path, theirs = note_of(lock), tmp_path / "theirs"
    content = path.read_text()
    path.unlink()
    theirs.write_text(content)
    if kind == "link":
        path.symlink_to(theirs)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert held(lock).startswith(f"{WAITING} ({OWN}) ")
    lock.release()
    assert "suite mine" in held(lock, Holder("bench run", "mine")) or kind != "link"
    assert theirs.read_text() == content


def test_a_folder_of_notes_that_is_a_link_is_not_followed(lock: MeasureLock, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    holders._note_path(lock.path).parent.symlink_to(tmp_path / "theirs")
    assert held(lock, Holder("bench run", "mine")).startswith(f"{WAITING} ({OWN}) ")
    assert list((tmp_path / "theirs").iterdir()) == []


def test_notes_are_the_users_own(lock: MeasureLock) -> None:
    held(lock, Holder("bench run", "mine", "/home/anna/secret"))
    assert stat.S_IMODE(holders._note_path(lock.path).parent.stat().st_mode) == 0o700


def test_a_note_of_another_user_is_none(lock: MeasureLock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is their process for us to end."""
    held(lock, Holder("bench run", "mine"))
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr("bench.execute.holder.pwd.getpwuid", lambda uid: SimpleNamespace(pw_name="anna"))
    assert said(lock).startswith(
        f"{WAITING} ({OWN} of the user anna) not to wait: ask anna to end that one, or stop this one (Ctrl-C)"
    )


def test_a_cache_that_cannot_be_written_costs_the_note_only(
    lock: MeasureLock, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.execute.holder.files.write", full)
    assert held(lock, Holder("bench run", "mine")).startswith(f"{WAITING} ({OWN}) ")


def test_where_the_kernel_does_not_tell_the_note_is_believed(
    lock: MeasureLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "text_of", lambda path: "")
    assert held(lock, Holder("bench run", "mine")).startswith(f"{WAITING}: suite mine · since ")
    lock.release()
    assert held(lock).startswith(f"{WAITING} not to wait: stop this one (Ctrl-C) and run it later")
