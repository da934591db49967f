"""What is said of a trial tells it from the others of its suite."""

from __future__ import annotations

import io
import sys
import unicodedata

import pytest

from bench.base.records import Component, Result, TrainSettings, Trial
from bench.execute.progress import LiveVoice, Voice, describe_ending, describe_trial, live_line, varying
from bench.present.format import printable
from bench.suite.plan import Axis, Suite

AXES = ("train.learning_rate", "train.pin_memory")


def trial(rate: float = 0.1) -> Trial:
    train = TrainSettings(learning_rate=rate, pin_memory=True)
    return Trial(Component("digits"), Component("mlp"), 3, 64, "cpu", train)


def test_a_trial_is_told_with_the_settings_that_vary() -> None:
    assert describe_trial(trial()) == "digits · mlp · cpu · batch 64 · seed 3"
    told = "digits · mlp · cpu · batch 64 · seed 3 · learning rate 0.01 · pin memory true"
    assert describe_trial(trial(0.01), AXES) == told


def test_settings_with_one_value_do_not_vary() -> None:
    axes = (Axis("seed", (0, 1)), Axis("train.learning_rate", (0.1, 1.0)), Axis("train.epochs", (2,)))
    assert varying(Suite("mine", "mine", axes)) == ("train.learning_rate",)


def test_what_disturbed_the_timings_is_no_word_on_the_accuracy() -> None:
    measured = {"test_accuracy": 0.978, "total_seconds": 0.94}
    result = Result(
        trial(), "0", "run", "env", "code", "ok", metrics=measured, valid=False, validity_notes=("cold: x",)
    )
    assert describe_ending(result) == "accuracy 0.978 in 0.9 s"


def test_the_line_of_a_finished_trial(capsys: pytest.CaptureFixture[str]) -> None:
    voice = Voice()
    voice.begin(2, axes=AXES[:1])
    voice.trial_ends(Result(trial(0.01), "0", "run", "env", "code", "failed", "no luck"))
    said = capsys.readouterr().err
    assert said == "[1/2] digits · mlp · cpu · batch 64 · seed 3 · learning rate 0.01: failed: no luck\n"
    voice.begin(1)  # another suite's settings are not this one's
    voice.trial_ends(Result(trial(0.01), "0", "run", "env", "code", "failed", "no luck"))
    assert "learning rate" not in capsys.readouterr().err


def test_a_note_is_said_once_for_each_data_set_and_model(capsys: pytest.CaptureFixture[str]) -> None:
    voice = Voice()
    voice.begin(3)
    for note in ("it is odd", "it is odd", "it is odd, too"):
        voice.trial_ends(Result(trial(0.01), "0", "run", "env", "code", "failed", "no luck", notes=(note,)))
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert said == ["note: digits · mlp: it is odd", "note: digits · mlp: it is odd, too"]


def test_notes_that_differ_in_a_count_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    voice = Voice()
    for note in ("1,204 of 9.5 are odd", "17 of 9 are odd", "17 of 9 are even"):
        voice.trial_ends(Result(trial(0.01), "0", "run", "env", "code", "failed", "no luck", notes=(note,)))
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert said == ["note: digits · mlp: 1,204 of 9.5 are odd", "note: digits · mlp: 17 of 9 are even"]


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    voice = LiveVoice()
    voice.begin(2, axes=AXES[:1])
    voice.trial_begins(trial(0.01))
    assert "seed 3 · learning rate 0.01" in terminal.getvalue()
    voice.progress(trial(0.01), {"phase": "train", "epoch": 1, "epochs": 2, "loss": 0.5})
    voice.trial_ends(Result(trial(0.02), "0", "run", "env", "code", "failed", "no luck", notes=("it is odd",)))
    voice.end()
    assert "note: digits · mlp: it is odd" in terminal.getvalue()
    assert "learning rate 0.01 · epoch 1/2 · loss 0.500" in terminal.getvalue()
    assert "learning rate 0.02: failed: no luck" in terminal.getvalue()


def test_the_live_line_tells_models_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    models = [Component("tagged", {"tag": f"a long description of the variant, no. {each}"}) for each in (1, 2)]
    voice = LiveVoice()
    voice.begin(2, names=["digits", *(model.label for model in models)])
    for model in models:
        one = Trial(Component("digits"), model, 3, 64, "cpu", TrainSettings())
        voice.trial_begins(one)
        voice.progress(one, {"phase": "train", "epoch": 1, "epochs": 2, "loss": 0.5})
        voice.trial_ends(Result(one, one.trial_id, "run", "env", "code", "ok", metrics={}))
    voice.end()
    for number in (1, 2):
        assert f"no. {number}) · cpu · batch 64 · seed 3 · epoch 1/2 · loss 0.500" in terminal.getvalue()


@pytest.mark.parametrize("name", ["two\nlines", "red \x1b[31m", "a\u2028b", "bell\x07"])
def test_the_live_line_is_one_line_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    one = Trial(Component("digits"), Component("tagged", {"tag": name}), 3, 64, "cpu")
    voice = LiveVoice()
    voice.begin(1, names=["digits", one.model.label])
    voice.trial_begins(one)
    voice.progress(one, {"phase": "train", "epoch": 1, "epochs": 2, "loss": 0.5})
    voice.end()
    assert name not in terminal.getvalue()
    assert f"{printable(name)[-5:]}) · cpu" in terminal.getvalue()


@pytest.mark.parametrize(
    ("done", "left", "columns", "expected"),
    [
        (0, "", 60, "────────────────  0/30  cnn · batch 64 · seed 3"),
        (15, "0:06", 60, "━━━━━━━━────────  15/30  cnn · batch 64 · seed 3       0:06"),
        (30, "0:00", 45, "━━━━━━━━━━━━━━━━  30/30  cnn · batch…   0:00"),
        (30, "0:00", 20, "━━━━━━━━━━━━━━━━  3"),
    ],
)
def test_the_live_line_fits(done: int, left: str, columns: int, expected: str) -> None:
    assert live_line(done, 30, "cnn · batch 64 · seed 3", left, columns=columns) == expected


def test_wide_characters_are_counted_by_their_columns() -> None:
    line = live_line(1, 2, "手書き数字 · cnn · batch 64", "0:06", columns=48)
    assert line.endswith("  0:06")
    assert sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in line) == 47


def test_what_is_said_stands_above_the_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    voice = LiveVoice()
    voice.begin(1)
    voice.trial_begins(trial())
    voice.say("note: it is odd")
    voice.end()
    drawn = [line.rpartition("\r\x1b[K")[2] for line in terminal.getvalue().split("\n")]
    assert drawn == ["note: it is odd", ""]  # and nothing is left of the line itself


@pytest.mark.parametrize(
    "name", ["two\nlines", "red \x1b[31m bell\x07 nul\x00", "\u202eturned", "a\u2028b", "half \ud800"]
)
def test_a_line_is_one_line_whatever_a_name_holds(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    one = Trial(Component("digits"), Component("tagged", {"tag": name}), 3, 64, "cpu")
    voice = Voice()
    voice.begin(1)
    voice.trial_ends(Result(one, "0", "run", "env", "code", "failed", f"ValueError: {name}"))
    voice.say(f"note: {name}")
    said = capsys.readouterr().err
    assert said.startswith("[1/1] digits · tagged(tag=")
    assert said.count("\n") == 2 + name.count("\n")  # what is said line by line stays so
    assert said.replace("\n", "").isprintable()
