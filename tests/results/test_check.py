"""`bench check`: each kind of fault is found where it lies, nothing is changed, and `--repair` loses no good line."""

# ruff: noqa: E501  # a table of faults reads best with one a line

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.base.checkpoint_file import BEST, LAST, Label
from bench.base.records import Json
from bench.cli.check import check as command
from bench.errors import BenchError
from bench.results.check import check
from bench.results.store import Store

GOLDEN = Path(__file__).parent / "golden"
RUN = "20260101T000000Z-00000000"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with nothing wrong: three results, of which one names its artifact; a log; a report."""
    monkeypatch.setenv("BENCH_LOCK", str(tmp_path / "lock"))
    folder = tmp_path / "smoke"
    (folder / "trials").mkdir(parents=True)
    shutil.copy(GOLDEN / "suite-1.json", folder / "suite.json")
    lines = [json.loads(line) | {"run_id": RUN} for line in (GOLDEN / "results-1.jsonl").read_text().splitlines()]
    artifact = folder / f"artifacts/{RUN}/{lines[0]['trial_id']}.h5"
    log = folder / f"logs/{RUN}/{lines[0]['trial_id']}.log"
    for path in (artifact, log, folder / "report/tables/models.csv"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"what a trial left")
    lines[0] |= {"schema": 2, "bench": "0.1.0", "artifact_sha256": hashlib.sha256(artifact.read_bytes()).hexdigest()}
    write(folder, lines)
    return folder


def write(folder: Path, lines: list[Json]) -> None:
    (folder / "trials/a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def read(folder: Path) -> list[Json]:
    return [json.loads(line) for line in (folder / "trials/a.jsonl").read_text().splitlines()]


def run(target: Path, *, repair: bool = False) -> int:
    return command(target, repair=repair)


def test_a_folder_with_nothing_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder) == 0
    out = capsys.readouterr().out
    assert "3 results in 1 file, 3 of an older schema" in out
    assert out.endswith("nothing is wrong with it\n")


def edit(folder: Path, **changes: Json) -> None:
    first, *others = read(folder)
    write(folder, [first | changes, *others])


def append(folder: Path, content: bytes) -> None:
    with (folder / "trials/a.jsonl").open("ab") as file:
        file.write(content)


def artifact(folder: Path) -> Path:
    return next((folder / "artifacts").rglob("*.h5"))


def put(folder: Path, name: str, content: bytes = b"x") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


OTHER_TRIAL = "0123456789abcdef"
# What is done to the folder, and what is said: kind, where, what.
FAULTS: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    "cut": (lambda f: append(f, b'{"schema": 2, "tri'), "damaged", "trials/a.jsonl, line 4", "cut off or damaged"),
    "noise": (lambda f: append(f, b"\xff\x00\n"), "damaged", "line 4", "no valid JSON from byte 0"),
    "type": (lambda f: edit(f, metrics={"test_loss": "x"}), "damaged", "line 1", "metrics.test_loss"),
    "path": (lambda f: edit(f, run_id="../../x"), "damaged", "line 1", "run_id: '../../x' is not what bench writes there"),
    "edited": (lambda f: edit(f, trial_id=OTHER_TRIAL), "damaged", "line 1", "its trial_id is 0123456789abcdef"),
    "code": (lambda f: edit(f, code={"model": "x"}), "damaged", "line 1", "its code_id"),
    "artifact": (lambda f: os.truncate(artifact(f), 3), "damaged", f"artifacts/{RUN}/", "SHA-256"),
    "plan": (lambda f: os.truncate(f / "suite.json", 99), "damaged", "suite.json", "run the suite again"),
    "doctor": (lambda f: put(f, "doctor/0123456789abcdef.json"), "damaged", "doctor/", "not an outcome"),
    "copy": (lambda f: shutil.copy(f / "trials/a.jsonl", f / "trials/b.jsonl"), "duplicated", "trials/b.jsonl, line 3",
             "the same result as in trials/a.jsonl, line 3"),
    "twice": (lambda f: write(f, [*read(f), read(f)[0] | {"finished_at": "2030"}]), "duplicated", "line 4", "another result"),
    "no artifact": (lambda f: artifact(f).unlink(), "orphaned", f"artifacts/{RUN}/", "not there; a result names it"),
    "no result": (lambda f: put(f, f"logs/{RUN}/{OTHER_TRIAL}.log"), "orphaned", f"{OTHER_TRIAL}.log", "no result belongs"),
    "killed": (lambda f: put(f, f"artifacts/{RUN}/{OTHER_TRIAL}.part"), "orphaned", ".part", "a trial that was killed"),
    "aside": (lambda f: put(f, "report/.new-abc/report.md"), "orphaned", "report/.new-abc", "a command that was killed"),
    "unknown": (lambda f: put(f, "notes\x1b.txt"), "foreign", "notes\\x1b.txt", "not a file that bench writes"),
    "link": (lambda f: (f / "trials/x").symlink_to("/"), "foreign", "trials/x", "a link; it was not followed"),
    "pipe": (lambda f: os.mkfifo(f / "trials/p.jsonl"), "foreign", "trials/p.jsonl", "not a regular file"),
    "linked results": (lambda f: (f / "trials/l.jsonl").symlink_to("/dev/zero"), "foreign", "trials/l.jsonl", "a link"),
    "newer": (lambda f: edit(f, schema=99, bench="9.9.0"), "newer", "line 1", "'bench-models>=9.9.0'"),
    "newer plan": (lambda f: put(f, "suite.json", b'{"schema": 99}'), "newer", "suite.json", "has schema 99"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_finds(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    do, kind, where, what = FAULTS[name]
    do(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run(folder) == 1
    lines = capsys.readouterr().out.splitlines()
    found = [" ".join(" ".join(lines[at : at + 4]).split()) for at in range(len(lines)) if lines[at].startswith(kind)]
    assert any(where in text and what in text for text in found), lines
    assert not [line for line in lines if len(line) > 80 and "/" not in line]
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def other_setting(folder: Path) -> None:
    """Stopped with Ctrl-C, then run with another setting: the plan is another one, the old results stay."""
    suite = json.loads((folder / "suite.json").read_bytes())
    (folder / "suite.json").write_text(json.dumps(suite | {"train": {**suite["train"], "learning_rate": 0.0625}}))
    lines = read(folder)
    lines[2] |= {"status": "interrupted", "reason": "the run was stopped by SIGINT"}
    write(folder, lines)


def without_files(name: str) -> bytes:
    lines = [json.loads(line) | {"artifact_sha256": ""} for line in (GOLDEN / name).read_text().splitlines()]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


# What ordinary users do: it is told, and is no fault.
NOTES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "another setting": (other_setting, "trials/a.jsonl", "3 results of trials that are not in this plan"),
    "its checkpoint": (lambda f: checkpoint(f, "f" * 16), "checkpoints/", "of a trial that is not in this plan"),
    "copied without files": (lambda f: shutil.rmtree(f / "artifacts"), "artifacts", "not there; 1 result names"),
    "copied without its plan": (lambda f: (f / "suite.json").unlink(), "suite.json", "the results have no plan"),
    "stopped before a result": (lambda f: (write(f, []), shutil.rmtree(f / "artifacts"), shutil.rmtree(f / "logs")),
                                "suite.json", "a plan without a result"),
    "results of another suite": (lambda f: put(f, "trials/c.jsonl", without_files("results-2.jsonl")), "trials/c.jsonl",
                                 "4 results of trials that are not in this plan"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTES)
def test_what_an_ordinary_user_does_is_no_fault(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    do, where, what = NOTES[name]
    do(folder)
    assert run(folder) == 0
    out = capsys.readouterr().out
    assert out.endswith("nothing is wrong with it\n")
    assert f"note        {where}" in out
    assert what in " ".join(out.split())


def test_damage_among_notes_is_still_damage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other_setting(folder)
    append(folder, b"{")
    assert run(folder) == 1
    assert capsys.readouterr().out.endswith("1 thing found: 1 damaged\n")


def test_the_published_results_have_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    folders = [path.parent for path in (Path(__file__).parents[2] / "results/published").glob("*/suite.json")]
    assert len(folders) > 4
    assert {path.name: run(path) for path in folders} == {path.name: 0 for path in folders}, capsys.readouterr().out


def test_repair_moves_damaged_lines_and_keeps_every_good_byte(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = (folder / "trials/a.jsonl").read_bytes().splitlines()
    newer = json.dumps(read(folder)[0] | {"schema": 99}).encode()
    damaged = [b'{"schema": 1, "x', b"noise", good[1][:-40]]
    (folder / "trials/a.jsonl").write_bytes(
        b"\n".join([good[0], damaged[0], good[1], damaged[1], newer, good[2], damaged[2]])
    )
    assert run(folder, repair=True) == 1  # the newer one is still there
    said = capsys.readouterr()
    assert "moved 3 damaged lines" in said.err
    assert "1 thing found: 1 newer" in said.out
    kept = [line for line in (folder / "trials/a.jsonl").read_bytes().split(b"\n") if line.strip()]
    assert kept == [good[0], good[1], newer, good[2]]
    assert (folder / "trials/a.jsonl.damaged").read_bytes().splitlines() == damaged


def test_a_repaired_folder_is_clean_and_takes_more_results(folder: Path) -> None:
    os.truncate(folder / "trials/a.jsonl", (folder / "trials/a.jsonl").stat().st_size - 30)
    artifact_of = read_first(folder)
    assert run(folder, repair=True) == 0
    store = Store(folder)
    assert len(store.refresh()) == 2
    assert store.damaged == 0
    assert artifact_of == read_first(folder)


def read_first(folder: Path) -> bytes:
    return (folder / "trials/a.jsonl").read_bytes().split(b"\n")[0]


@pytest.mark.parametrize("make", ["nothing", "empty"])
def test_what_is_no_folder_of_results_is_refused(tmp_path: Path, make: str) -> None:
    target = tmp_path / "x"
    if make == "empty":
        target.mkdir()
    with pytest.raises(BenchError, match="no folder of results"):
        run(target)


@pytest.mark.parametrize("name", ["tensorboard/run/events.out", "mlruns/0/meta.yaml"])
def test_what_a_sink_wrote_is_not_foreign(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("x")
    assert run(folder) == 0


def checkpoint(folder: Path, of: str, /, *, name: str = LAST, **change: object) -> Path:
    """Put a checkpoint of the trial there, as if it had been stopped; `change`: of its label."""
    result = next((r for r in read(folder) if r["trial_id"] == of), read(folder)[0])
    ids = {key: result[key] for key in ("environment_id", "code_id")}
    content = b"weights"
    label = Label(trial_id=of, **ids, torch="2.13", epoch=3, kept=False)
    label = replace(label, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    path = folder / "checkpoints" / of / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content + replace(label, **change).line())  # type: ignore[arg-type]
    return path


def test_checkpoints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = read(folder)
    lines[2] |= {"status": "interrupted", "reason": "the run was stopped by SIGINT"}
    write(folder, lines)
    done, stopped = lines[1]["trial_id"], lines[2]["trial_id"]
    of_both = [checkpoint(folder, stopped), checkpoint(folder, done, kept=True)]
    assert run(folder) == 0, capsys.readouterr().out  # of a trial that was stopped, and one that is kept
    assert all(path.unlink() is None for path in of_both)
    for of, change, wanted in (
        (done, {}, "its trial is ok, and does not keep its checkpoints"),
        (done, {"kept": True, "name": BEST, "trial_id": stopped}, "a checkpoint of another trial"),
        (stopped, {"sha256": "0" * 64}, "its SHA-256 is not the one in its label"),
        (stopped, {"name": LAST + ".part"}, "left behind by a trial that was killed"),
        (stopped, {"name": "other.pt"}, "not a file that bench writes"),
    ):
        path = checkpoint(folder, of, **change)  # type: ignore[arg-type]
        capsys.readouterr()
        assert run(folder) == 1
        out = " ".join(capsys.readouterr().out.split())
        assert wanted in out
        assert path.relative_to(folder).as_posix() in out
        path.unlink()
    assert run(folder) == 0


def cut_line(folder: Path, at: int, length: int) -> None:
    """Cut a line of the run's own file; the artifact and the log stand for the first of them."""
    path = folder / f"trials/{RUN}.jsonl"
    (folder / "trials/a.jsonl").rename(path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[at] = lines[at][:length] + b"\n"
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: edit(f, metrics={"test_loss": "x"}), "its result is a damaged line: trials/a.jsonl, line 1"),
        (lambda f: edit(f, status="splendid"), "its result is a damaged line: trials/a.jsonl, line 1"),
        (lambda f: edit(f, metrics=[1]), "its result is a damaged line: trials/a.jsonl, line 1"),
        (lambda f: cut_line(f, 0, -20), f"its result is a damaged line: trials/{RUN}.jsonl, line 1"),
        (
            lambda f: cut_line(f, 0, 40),
            f"its result may be a damaged line that was cut off: trials/{RUN}.jsonl, line 1",
        ),
    ],
    ids=["type", "status", "list", "cut late", "cut early"],
)
@pytest.mark.parametrize("repair", [False, True])
def test_files_of_damaged_lines_are_not_orphaned(
    damage: Any, told: str, repair: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither before nor after the lines were moved aside; a file of no line at all still is."""
    log = f"logs/{RUN}/{artifact(folder).stem}.log"
    put(folder, log)
    damage(folder)
    if repair:
        run(folder, repair=True)
        told = told.replace(".jsonl, line", ".jsonl.damaged, line")
    put(folder, f"logs/{RUN.replace('2026', '2025')}/{OTHER_TRIAL}.log")
    capsys.readouterr()
    found = check(folder, plan=None).findings
    assert {
        (each.kind, each.what) for each in found if each.where in (log, f"artifacts/{RUN}/{artifact(folder).name}")
    } == {("note", told)}
    assert [each.where for each in found if each.kind == "orphaned"] == [
        f"logs/{RUN.replace('2026', '2025')}/{OTHER_TRIAL}.log"
    ]
