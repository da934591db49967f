"""Fault 16, a checkpoint from a stranger: no file of a results folder, of a cache or of data is unpickled or called.

That every `torch.load` comes with `weights_only=True` is asserted of the source; then checkpoints are attacked: code in
the pickle, files that are cut off or changed at any byte, forms that torch reads and we do not, and values of another
kind in every place of a genuine one. Each is left alone with one line, and the training is what it would have been.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import io
import math
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch

from bench.base.checkpoint_file import LAST, Damaged, Label, read
from bench.worker.trial import checkpoints, trial
from bench.worker.trial.checkpoints import Checkpoints

ROOT = Path(__file__).resolve().parents[2]
# module.function → where it may stand
CALLS = {
    "eval": (), "exec": (), "compile": (), "__import__": (), "os.system": (), "os.popen": (),
    "pickle.load": (), "pickle.loads": (), "joblib.load": (), "yaml.load": (), "marshal.loads": (), "shelve.open": (),
    "tarfile.extractall": (), "zipfile.extractall": (), "shutil.unpack_archive": (),
}  # fmt: skip


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def sources() -> list[Path]:
    return [*(ROOT / "bench").rglob("*.py"), *(ROOT / "models").rglob("*.py")]


def test_no_line_of_ours_runs_what_a_file_says() -> None:
    wrong = []
    for path in sources():
        for name, call in calls(path):
            words = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            bad = name in CALLS or name.endswith((".extract", ".extractall")) or words.get("shell") == "True"
            bad = bad or words.get("allow_pickle") == "True"
            bad = bad or (name == "np.load" and words.get("allow_pickle") != "False")
            bad = bad or (name == "torch.load" and words.get("weights_only") != "True")
            if bad:
                wrong.append(f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)}")
    assert not wrong
    # The one unpickler is the restricted one.
    held = [path.name for path in sources() if "import pickle" in path.read_text(encoding="utf-8")]
    assert held == ["restricted_pickle.py"]


class Attack:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def test_a_results_folder_from_a_stranger_is_read_and_nothing_in_it_is_called(project: Any) -> None:
    marker = project.folder / "marker"
    suite = project.suite("good")
    assert project.run(suite).code == 0
    (weights,) = (project.results / "mine/artifacts").rglob("*.h5")
    attack = Attack(marker)
    for path in (weights, weights.with_suffix(".pt"), weights.with_name("checkpoint.pth"), weights.with_name("x.pkl")):
        torch.save({"state": attack}, path) if path.suffix == ".pt" else path.write_bytes(pickle.dumps(attack))
    with pytest.raises(pickle.UnpicklingError):  # what we would rely on, were one to be loaded
        torch.load(weights.with_suffix(".pt"), weights_only=True)
    assert project.bench("report", project.results / "mine").code == 0
    assert project.bench("export", project.results / "mine", "--format", "json").code == 0
    assert project.run(suite, "--fresh").code == 0
    assert not marker.exists()
    pickle.loads(pickle.dumps(attack))  # and the attack is one
    assert marker.exists()


def test_weights_are_plain_arrays(run_trial: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    assert run_trial("mlp", artifact=path).status == "ok"
    kinds = []
    with h5py.File(path) as file:
        file.visititems(lambda name, node: kinds.append(node.dtype) if isinstance(node, h5py.Dataset) else None)
    assert kinds
    assert all(kind.kind in "iuf" for kind in kinds)


TRAIN = {"epochs": 3, "checkpoint_every_epochs": 1, "threads": 1, "momentum": 0.9}


WHOLE: dict[str, list[float]] = {}  # curves of the trial that nobody stopped; trained once


class Hears:
    """A channel that keeps what is to be read by somebody, and ends the trial where it is told to."""

    def __init__(self, *, last_epoch: int = 10**6) -> None:
        self.notes: list[str] = []
        self.last_epoch = last_epoch

    def progress(self, **what: Any) -> None:
        if "note" in what:
            self.notes.append(what["note"])
        if what.get("epoch", 0) > self.last_epoch:
            raise KeyboardInterrupt


@pytest.fixture
def stopped(run_trial: Any, tmp_path: Path) -> Path:
    """The checkpoint of a trial that was stopped in its third epoch."""
    place = tmp_path / "checkpoints/trial"
    run_trial("mlp", train=TRAIN, checkpoints=place, channel=Hears(last_epoch=2))
    assert read(place / LAST)[0].epoch == 2
    return place / LAST


def forged(path: Path, content: bytes) -> None:
    """Put `content` into a checkpoint, with a label that says that it is right."""
    label, _ = read(path)
    digest = hashlib.sha256(content).hexdigest()
    path.write_bytes(content + replace(label, size_bytes=len(content), sha256=digest).line())


def saved(value: Any, **how: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **how)
    return file.getvalue()


def compressed(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for each in old.infolist():
            new.writestr(each.filename, old.read(each))
    return file.getvalue()


ATTACKS: dict[str, Callable[[Path, Attack], object]] = {
    "a pickle in its place": lambda path, attack: path.write_bytes(pickle.dumps(attack)),
    "a pickle with a label that fits": lambda path, attack: forged(path, pickle.dumps(attack)),
    "an attack among weights": lambda path, attack: forged(path, saved({"parts": {"learner": attack}})),
    "torch's older form": lambda path, attack: forged(path, saved(attack, _use_new_zipfile_serialization=False)),
    "a genuine one, compressed": lambda path, _: forged(path, compressed(read(path)[1])),
    "one that holds nothing": lambda path, _: forged(path, saved({})),
    "one that holds a list": lambda path, _: forged(path, saved([1, 2])),
    "nothing": lambda path, _: path.write_bytes(b""),
    "a line break": lambda path, _: path.write_bytes(b"\n"),
    "a line without end": lambda path, _: path.write_bytes(b"\n" + b"[" * 100_000 + b"\n"),
    "a link": lambda path, _: (path.rename(path.with_name("moved")), path.symlink_to("moved")),
    "a pipe": lambda path, _: (path.unlink(), os.mkfifo(path)),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_checkpoint_from_a_stranger_is_left_alone(attack: str, run_trial: Any, stopped: Path, tmp_path: Path) -> None:
    marker, heard = tmp_path / "marker", Hears()
    ATTACKS[attack](stopped, Attack(marker))
    found = run_trial("mlp", train=TRAIN, checkpoints=stopped.parent, channel=heard)
    assert found.status == "ok", found.traceback
    (note,) = heard.notes
    assert note.startswith("checkpoints/trial/last.pt is not used (")
    assert note.endswith("; training starts anew")
    assert len(note) < 300
    assert not marker.exists()
    if not WHOLE:
        WHOLE.update(run_trial("mlp", train=TRAIN | {"checkpoint_every_epochs": None}).curves)
    assert found.curves | {"train_seconds": []} == WHOLE | {"train_seconds": []}
    assert "resumed_after_epochs" not in found.samples


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"trial_id": "0" * 16}, "it is of another trial"),
        ({"code_id": "0" * 16}, "it is of other code"),
        ({"environment_id": "0" * 16}, "it is of another machine, or other software"),
        ({"torch": "1.13"}, "it is of torch 1.13"),
    ],
)
def test_a_checkpoint_of_something_else_is_left_alone(
    change: dict[str, str], what: str, run_trial: Any, stopped: Path
) -> None:
    label, content = read(stopped)
    stopped.write_bytes(content + replace(label, **change).line())  # type: ignore[arg-type]
    heard = Hears()
    found = run_trial("mlp", train=TRAIN, checkpoints=stopped.parent, channel=heard)
    assert found.status == "ok"
    assert heard.notes == [f"checkpoints/trial/last.pt is not used ({what}); training starts anew"]


def test_cut_off_at_any_byte_it_is_damaged(tmp_path: Path) -> None:
    label = Label(trial_id="t", environment_id="e", code_id="c", torch="2", epoch=1, kept=False)
    path = tmp_path / "small.pt"
    checkpoints.write(path, {"weights": torch.arange(4.0)}, label=label)
    whole = path.read_bytes()
    assert checkpoints.loaded(read(path)[1])["weights"].tolist() == [0, 1, 2, 3]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            read(path)


def test_a_byte_that_changed_is_found(tmp_path: Path) -> None:
    """Or it is in the label, and makes it another one: torch itself reads a flipped weight without a word."""
    label = Label(trial_id="t", environment_id="e", code_id="c", torch="2", epoch=1, kept=False)
    path = tmp_path / "small.pt"
    checkpoints.write(path, {"weights": torch.arange(4.0)}, label=label)
    whole, right = path.read_bytes(), read(path)[0]
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            found, _ = read(path)
        except Damaged:
            continue
        assert found != right


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in nested containers; of a list of numbers its first."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, (*at, key))
    elif isinstance(value, list) and value:
        some = value[:1] if isinstance(value[0], int | float) else value
        for place, each in enumerate(some):
            yield from leaves(each, (*at, place))
    else:
        yield at


def changed(state: Any, at: tuple[Any, ...], value: Any) -> Any:
    other = copy.deepcopy(state)
    inner = other
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return other


def bits(checkpoint: Checkpoints) -> bytes:
    """All that the parts of a trial hold."""
    return saved({name: part.state_dict() for name, part in checkpoint._parts.items()})


def test_values_of_another_kind_anywhere_change_nothing(
    run_trial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every place of a genuine checkpoint: a text, a tensor of another shape, not a number."""
    made: list[Checkpoints] = []

    def remembered(*arguments: Any, **named: Any) -> Checkpoints:
        made.append(Checkpoints(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(trial, "Checkpoints", remembered)
    place = tmp_path / "checkpoints/trial"
    own = {"optimizer": "adam", "momentum": 0.0, "schedule": "step"}
    asked = TRAIN | own | {"early_stopping_patience": 5, "validation_split": 0.2, "schedule_step_epochs": 1}
    heard = Hears()
    assert run_trial("mlp", train=asked, checkpoints=place, channel=heard).status == "ok"
    (checkpoint,) = made
    state, before = checkpoints.loaded(read(place / LAST)[1]), bits(checkpoint)
    places = list(leaves(state))
    assert len(places) > 60
    for at in places:
        for hostile in ("a text", torch.zeros(3, 1, 2), math.nan):
            forged(place / LAST, saved(changed(state, at, hostile)))
            heard.notes.clear()
            checkpoint.resume()
            assert len(heard.notes) == 1, (at, hostile)
            assert "is not used" in heard.notes[0], (at, hostile)
            assert bits(checkpoint) == before, (at, hostile)
