"""Rule 10: trials of one seed take turns. What a trial learns is what it learns alone; who dies takes nobody along."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from bench.base.records import Result
from bench.results.rounds import by_seed
from bench.statistics.paired_ratios import log_ratios, paired_ratio

if TYPE_CHECKING:
    from tests.measure.conftest import Bench

GRID = """
dataset = [{ name = "synthetic", train = 640, test = 128 }]
model = ["linear", { name = "mlp", hidden = 16 }]
device = ["cpu"]
"""
SETTINGS = {
    "optimizer": '"train.optimizer" = ["sgd", "adam", "adamw", "rmsprop", "lbfgs"]',
    "precision": '"train.precision" = ["float32", "bfloat16"]',
    "augmentation": '"train.augment_crop_padding" = [0, 2]\n"train.augment_flip" = [true]',
    "schedule": '"train.schedule" = ["cosine", "step"]\n"train.loader" = ["resident", "dataloader"]',
    "early stopping": '"train.early_stopping_patience" = [1]\n"train.validation_split" = [0.2]',
}


def learned(results: list[Result], folder: Path) -> dict[str, tuple[object, ...]]:
    """trial_id → all that has to be the same to the bit: curves, accuracy, weights."""
    found = {}
    for result in results:
        assert result.status == "ok", result.reason
        curves = {name: each for name, each in result.curves.items() if name != "train_seconds"}
        path = next(folder.glob(f"results/proof/artifacts/*/{result.trial_id}.h5"))
        with h5py.File(path) as file:
            weights: list[bytes] = []
            file["weights"].visititems(
                lambda name, each, into=weights: (  # type: ignore[misc]
                    into.append(np.asarray(each).tobytes()) if isinstance(each, h5py.Dataset) else None
                )
            )
        assert weights
        found[result.trial_id] = (curves, result.metrics["test_accuracy"], result.metrics["test_loss"], weights)
    return found


@pytest.mark.parametrize("what", SETTINGS)
def test_weights_losses_and_accuracies_are_those_of_a_trial_alone(bench: Bench, what: str) -> None:
    seeds = "0, 1" if what == "precision" else "0"  # of one of them two groups, which know nothing of each other
    text = f"{GRID}\nseed = [{seeds}]\n{SETTINGS[what]}\n[train]\nepochs = 6\nthreads = 1\nlearning_rate = 0.01\n"
    together = bench.run(text)
    by_turns = learned(together, bench.folder)
    assert all(result.group_id for result in together)
    assert len({(result.group_id, result.trial.seed) for result in together}) == len({r.group_id for r in together})
    (bench.folder / "results").rename(bench.folder / "before")
    alone = bench.run(text, "--set", "measure.turns=1")
    assert not any(result.group_id for result in alone)
    assert learned(alone, bench.folder) == by_turns


def test_all_are_timed_in_the_same_rounds_and_sleep_in_no_figure(bench: Bench) -> None:
    results = bench.run(f"{GRID}\n[train]\nepochs = 2\nthreads = 1\n")
    rounds = [Counter(result.samples["block_round"]) for result in results]
    assert len({result.group_id for result in results}) == 1
    assert set(rounds[0]) == set(rounds[1])
    for result in results:
        timed = result.samples["block_seconds"]
        assert sum(timed) >= 0.2  # measure.timing_seconds
        assert len(timed) == len(result.samples["block_round"]) == len(result.samples["block_samples"])
        # Twenty steps of well under a millisecond: what the other trained meanwhile would be more.
        assert result.metrics["fit_seconds"] < 0.1
        assert result.metrics["fit_seconds"] == pytest.approx(sum(result.samples["epoch_seconds"]))
        ran = (result.finished_at, result.started_at)
        assert result.metrics["total_seconds"] < seconds_between(*ran)


def seconds_between(finished: str, started: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()


SLOW_AFTER_A_PAUSE = """
import time

@model("wakes")
def wakes(input_shape, num_classes, *, sleepy: bool = False):
    last, slow_until = [time.perf_counter()], [0.0]
    def act():
        now = time.perf_counter()
        if now - last[0] > 0.010:  # it has slept: for the next milliseconds every step is four times as long
            slow_until[0] = now + 0.003
        busy(0.002 if sleepy and now < slow_until[0] else 0.0005)
        last[0] = time.perf_counter()
    return Known(input_shape, num_classes, act)
"""


def test_a_model_that_is_slow_only_in_the_first_milliseconds_after_a_pause_is_not_slower(bench: Bench) -> None:
    grid = """
    dataset = [{ name = "synthetic", train = 640, test = 64 }]
    model = [{ name = "wakes", sleepy = true }, "wakes", { name = "mlp", hidden = 16 }]
    seed = [0, 1, 2]
    device = ["cpu"]
    [train]
    epochs = 40
    threads = 1
    """
    results = bench.run(grid, plugin=SLOW_AFTER_A_PAUSE)
    waking = [result for result in results if result.trial.model.name == "wakes"]
    sleepy, awake = (by_seed([r for r in waking if bool(r.trial.model.settings) is how]) for how in (True, False))
    found = paired_ratio([log_ratios(sleepy[seed].rounds, awake[seed].rounds) for seed in (0, 1, 2)])
    assert found is not None
    # Without a lead-in it would be 0.9: 3 of some 25 ms a turn at a quarter of the speed.
    assert 0.97 < found.ratio < 1.03


DIES = """
import os, signal

def at_step(number, what):
    steps = [0]
    def act():
        steps[0] += 1
        if steps[0] == number:
            what()
    return act

@model("dies")
def dies(input_shape, num_classes):
    return Known(input_shape, num_classes, at_step(25, lambda: os.kill(os.getpid(), signal.SIGKILL)))

@model("raises")
def raises(input_shape, num_classes):
    return Known(input_shape, num_classes, at_step(25, lambda: 1 / 0))

@model("hangs")
def hangs(input_shape, num_classes):
    return Known(input_shape, num_classes, at_step(25, lambda: time.sleep(600)))
"""


def test_what_dies_raises_or_hangs_in_a_turn_takes_nobody_along(bench: Bench) -> None:
    grid = GRID.replace('"linear"', '"dies", "linear", "raises", "hangs"')
    text = f"{grid}\n[train]\nepochs = 30\nthreads = 1\n[measure]\ntimeout_seconds = 6\n"
    results = bench.run(text, plugin=DIES, fails=True)
    status = {result.trial.model.name: result.status for result in results}
    assert status == {"dies": "crashed", "linear": "ok", "raises": "failed", "hangs": "timeout", "mlp": "ok"}
    pair = [result for result in results if result.status == "ok"]
    assert set(pair[0].samples["block_round"]) == set(pair[1].samples["block_round"])


def test_a_timeout_is_of_a_trials_own_time(bench: Bench) -> None:
    grid = """
    dataset = [{ name = "synthetic", train = 640, test = 64 }]
    model = [{ name = "waits", milliseconds = 20 }, { name = "waits", milliseconds = 21 }, "linear"]
    device = ["cpu"]
    [train]
    epochs = 15
    threads = 1
    [measure]
    timeout_seconds = 5.5
    """
    results = bench.run(grid)  # each takes some 3.5 s, all of them more than one of them may
    assert [result.status for result in results] == ["ok"] * 3
    assert all(result.metrics["total_seconds"] < 5.5 for result in results)
    assert seconds_between(results[-1].finished_at, results[0].started_at) > 5.5


def test_a_run_that_is_stopped_or_killed_loses_the_group_under_way_and_goes_on_from_its_checkpoints(
    bench: Bench,
) -> None:
    text = f"{GRID}\nseed = [0, 1]\n[train]\nepochs = 12\nthreads = 1\ncheckpoint_every_epochs = 1\n"
    slow = text.replace('"linear"', '{ name = "waits", milliseconds = 25 }')
    (bench.folder / "proof_plugin.py").write_text("")
    alone = learned(bench.run(slow, "--set", "measure.turns=1"), bench.folder)
    (bench.folder / "results").rename(bench.folder / "before")
    suite = bench.folder / "proof.toml"
    command = bench.command("run", suite, "--results", bench.folder / "results", "--no-report")
    for number, exits in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        process = subprocess.Popen(command, env=bench.environment(), cwd=bench.folder, stderr=subprocess.DEVNULL)
        before = saved(bench.folder)
        stop = time.monotonic() + 60
        while saved(bench.folder) == before and time.monotonic() < stop:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(number)
        assert process.wait(timeout=20) == exits
    stored = bench.results()
    assert {result.status for result in stored} == {"interrupted"}
    assert len(stored) == 2  # the group of the first seed; SIGKILL leaves no word
    bench.call("run", suite, "--results", bench.folder / "results", "--no-report")
    whole = [result for result in bench.results() if result.status == "ok"]
    assert learned(whole, bench.folder) == alone
    assert any("resumed" in note for result in whole for note in result.validity_notes)


def saved(folder: Path) -> dict[Path, float]:
    return {path: path.stat().st_mtime for path in folder.glob("results/proof/checkpoints/*/*")}
