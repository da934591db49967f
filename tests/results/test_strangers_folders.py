"""A folder of results from a stranger: links and pipes in it lead nowhere, whatever command reads it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from bench.cli.check import check
from bench.cli.compare import compare
from bench.cli.diagnose import diagnose
from bench.cli.export import export
from bench.cli.history import history
from bench.cli.merge import merge
from bench.cli.publish import publish
from bench.cli.report import report
from bench.cli.status import status
from bench.errors import BenchError
from bench.lr_find.write import write as lr_find_write
from bench.results.store import Store
from bench.suite.stored import suite_to_json

SECRET = "the secret of another folder"
RUN = "20260101T000000Z-00000000"


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """A pipe that is waited for ends the test, not the session."""

    def late(*_: object) -> None:
        raise TimeoutError("it waits for a pipe")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models, two seeds, a plan; logs and artifacts of each trial."""
    monkeypatch.setenv("BENCH_LOCK", str(tmp_path / "lock"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.report.render._draw", lambda *_: None)  # drawing takes seconds
    monkeypatch.setattr("bench.present.style.save", lambda *_: None)
    folder = tmp_path / "shared" / "baseline"
    plan = make.Plan(models=(make.Component("linear"), make.Component("mlp")), seeds=(0, 1))
    store = Store(folder)
    store.save_suite(suite_to_json(plan))
    writer = store.writer(RUN)
    for result in make.run_of(plan):
        writer.append(result)
        log, artifact = (find(RUN, result.trial_id) for find in (store.log_path, store.artifact_path))
        for path in (log, artifact):
            path.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("printed\n")
        with h5py.File(artifact, "w") as file:
            file["test/confusion_matrix"] = np.array([[3, 1], [0, 4]])
            file["test/confusion_matrix"].attrs["class_names"] = ["no", "yes"]
    writer.close()
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of the user's, which nobody but the user writes to."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").write_text(SECRET)
    return mine


def untouched(mine: Path) -> bool:
    return [path.name for path in mine.iterdir()] == ["precious"] and (mine / "precious").read_text() == SECRET


def refused(call: Callable[[], Any]) -> str:
    """The one line of a refusal; empty where the command went on without what it does not follow."""
    try:
        call()
    except BenchError as error:
        return str(error)
    return ""


def in_place(path: Path, put: Callable[[Path], Any]) -> None:
    """Put a link or a pipe where a file or folder is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path)


def damaged_line(folder: Path) -> Path:
    path = folder / "trials" / f"{RUN}.jsonl"
    with path.open("a") as file:
        file.write("* * * * * root evil\n")
    return path


@pytest.mark.parametrize("kind", ["link", "hard link", "to nowhere", "pipe", "folder"])
def test_repair_writes_to_no_other_file(kind: str, folder: Path, mine: Path) -> None:
    path = damaged_line(folder)
    copy = path.with_name(f"{path.name}.damaged")
    ways: dict[str, Callable[[Path], Any]] = {
        "link": lambda path: path.symlink_to(mine / "precious"),
        "hard link": lambda path: path.hardlink_to(mine / "precious"),
        "to nowhere": lambda path: path.symlink_to(mine / "new"),
        "pipe": os.mkfifo,
        "folder": Path.mkdir,
    }
    ways[kind](copy)
    before = path.read_bytes()
    assert copy.name in refused(lambda: check(folder, repair=True))
    assert untouched(mine)
    assert path.read_bytes() == before  # what was not copied is not blanked


def test_repair_goes_into_no_linked_folder(folder: Path, mine: Path) -> None:
    outside = damaged_line(folder)
    shutil.move(folder / "trials", mine.parent / "elsewhere")
    (folder / "trials").symlink_to(mine.parent / "elsewhere")
    before = (mine.parent / "elsewhere" / outside.name).read_bytes()
    refused(lambda: check(folder, repair=True))
    assert [path.name for path in (mine.parent / "elsewhere").iterdir()] == [outside.name]
    assert (mine.parent / "elsewhere" / outside.name).read_bytes() == before


COMMANDS: dict[str, Callable[[Path], Any]] = {
    "report": lambda folder: report(folder, results=folder.parent),
    "check": lambda folder: check(folder),
    "repair": lambda folder: check(folder, repair=True),
    "export": lambda folder: export(folder),
    "history": lambda folder: history(folder),
    "merge": lambda folder: merge(folder.parent / "merged", [folder]),
    "compare": lambda folder: compare(folder, by="model", output=folder.parent / "compared"),
    "diagnose": lambda folder: diagnose(folder),
    "status": lambda folder: status(folder),
    "lr-find": lambda folder: lr_find_write(folder / "lr-find", [], title="x"),
    "publish": lambda folder: publish([folder, folder.parent / "page.md"]),
}
ODD = ["trials/x.jsonl", "status/a.json", "doctor/0123456789abcdef.json", "report/report.md", "report/index.html",
       "report/plots/accuracy-digits-cpu.png", "report/tables/trials.csv"]  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_pipe_holds_no_command_up(name: str, folder: Path) -> None:
    (folder.parent / "page.md").write_text("<!-- bench:answer -->\n<!-- /bench -->\n")
    inner = [path for part in ("logs", "artifacts") for path in (folder / part).rglob("*") if path.is_file()]
    for path in (*inner, *(folder / place for place in ODD)):
        in_place(path, os.mkfifo)
    said = refused(lambda: COMMANDS[name](folder))
    assert ("artifact" in said or "no diagnosis" in said) if name == "diagnose" else not said


LINKED = [("report", "report"), ("report", "report/plots"), ("report", "report/tables"), ("history", "report"),
          ("history", "report/history"), ("publish", "report/plots"), ("lr-find", "lr-find")]  # fmt: skip


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # the name of a socket is short


THINGS = {"pipe": os.mkfifo, "socket": a_socket, "file": Path.touch}
PLACES = {
    "report": ("report", report),
    "tables": ("report/tables", report),
    "history": ("report/history", history),
}


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("name", PLACES)
def test_what_stands_in_the_place_of_a_folder_is_named_in_a_sentence(name: str, thing: str, folder: Path) -> None:
    """And no number or name of an error of the system, which says nothing of what to do."""
    place, command = PLACES[name]
    in_place(folder / place, THINGS[thing])
    with pytest.raises(
        BenchError, match=r"cannot be written there \(a file stands where a folder is needed\); "
    ) as told:
        command(folder)
    assert "Errno" not in str(told.value)


@pytest.mark.parametrize("thing", ["pipe", "socket", "folder"])
def test_what_stands_in_the_place_of_an_artifact_is_named_in_a_sentence(thing: str, folder: Path) -> None:
    for artifact in list(folder.rglob("*.h5")):
        in_place(artifact, Path.mkdir if thing == "folder" else THINGS[thing])
    with pytest.raises(BenchError, match=r"\(is not a plain file\); run the suite again|is a link or a pipe") as told:
        diagnose(folder)
    assert "Errno" not in str(told.value)


@pytest.mark.parametrize("thing", ["pipe", "socket"])
def test_what_is_no_file_is_named_once_and_holds_nothing_up(
    thing: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever it lies: under trials, report, logs, or beside them."""
    report(folder)
    names = ["trials/x.jsonl", "report/x.md", "report/tables/x.csv", f"logs/{RUN}/x", "x"]
    for name in names:
        in_place(folder / name, THINGS[thing])
    capsys.readouterr()
    assert check(folder) == 1
    said = capsys.readouterr().out
    assert [said.count(f"foreign     {name}\n") for name in names] == [1] * len(names)
    assert f"{len(names)} foreign\n" in said
    for call in (report, status, history, lambda it: merge(folder.parent / "merged", [it])):
        call(folder)


@pytest.mark.parametrize(("name", "place"), LINKED)
def test_nothing_is_written_into_a_linked_folder(name: str, place: str, folder: Path, mine: Path) -> None:
    (folder.parent / "page.md").write_text("<!-- bench:answer -->\n<!-- /bench -->\n")
    in_place(folder / place, lambda path: path.symlink_to(mine))
    refused(lambda: COMMANDS[name](folder))
    assert untouched(mine)


@pytest.mark.parametrize("name", ["report.md", "report/history/history-train_samples_per_second.csv"])
def test_a_linked_file_is_replaced_and_not_written_through(name: str, folder: Path, mine: Path) -> None:
    path = folder / "report" / "report.md" if name == "report.md" else folder / name
    in_place(path, lambda path: path.symlink_to(mine / "precious"))
    COMMANDS["report" if name == "report.md" else "history"](folder)
    assert untouched(mine)
    assert path.is_file()
    assert not path.is_symlink()


@pytest.mark.parametrize("part", ["artifacts", "logs"])
@pytest.mark.parametrize("what", ["file", "folder", "run"])
def test_merge_copies_nothing_from_elsewhere(part: str, what: str, folder: Path, mine: Path) -> None:
    one = next(path for path in (folder / part).rglob("*") if path.is_file())
    target, path = {"file": (mine / "precious", one), "folder": (mine, folder / part), "run": (mine, one.parent)}[what]
    in_place(path, lambda path: path.symlink_to(target))
    refused(lambda: COMMANDS["merge"](folder))
    merged = folder.parent / "merged"
    assert not [path for path in merged.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize("part", ["trials", "artifacts", "logs"])
def test_merge_writes_nothing_into_a_linked_folder(part: str, folder: Path, mine: Path) -> None:
    merged = folder.parent / "merged"
    merged.mkdir()
    (merged / part).symlink_to(mine)
    assert "is a link" in refused(lambda: COMMANDS["merge"](folder))
    assert untouched(mine)


def test_a_linked_log_is_not_shown(folder: Path, mine: Path) -> None:
    for log in (folder / "logs").rglob("*.log"):
        in_place(log, lambda path: path.symlink_to(mine / "precious"))
    COMMANDS["report"](folder)
    assert SECRET not in (folder / "report/index.html").read_text()
    assert "printed\\n" not in (folder / "report/index.html").read_text()


@pytest.mark.parametrize("place", ["trials", f"trials/{RUN}.jsonl"])
def test_linked_results_are_not_read(place: str, folder: Path, mine: Path) -> None:
    shutil.move(folder / place, mine.parent / "elsewhere")
    (folder / place).symlink_to(mine.parent / "elsewhere")
    assert "link" in refused(lambda: COMMANDS["export"](folder))


def test_the_folder_that_the_user_names_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results/baseline").symlink_to(folder)
    report(tmp_path / "results/baseline", results=tmp_path / "results")
    assert (folder / "report/report.md").is_file()
    COMMANDS["history"](tmp_path / "results/baseline")
    assert check(tmp_path / "results/baseline") == check(folder)
