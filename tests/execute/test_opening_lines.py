"""What is said before a run: all trials are accounted for, and every line fits a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bench.base.records import Component, Environment, MeasureSettings, Result, TrainSettings
from bench.execute.opening_lines import head
from bench.execute.plan import Identifier, make_plan
from bench.suite.catalogue import Catalogue, ComponentInfo, DeviceInfo, PluginInfo
from bench.suite.plan import Axis, Decide, Override, Rule, Suite

REASON = (
    "no model 'wide' is registered; nets/wide.py: failed to import: ModuleNotFoundError: No module named 'somewhere'"
)


def catalogue(plugins: Mapping[str, PluginInfo] | None = None) -> Catalogue:
    return Catalogue(
        models={"mlp": ComponentInfo()},
        datasets={"digits": ComponentInfo()},
        devices={"cpu": DeviceInfo(True), "mps": DeviceInfo(False, "mps: no Apple GPU on this machine")},
        plugins=plugins or {},
        physical_cores=2,
        environment=Environment({"cpu": "Intel(R) Xeon(R) Processor", "torch": "2.15.0+cu132"}),
    )


def suite(axes: Mapping[str, Sequence[Any]] | None = None, **more: Any) -> Suite:
    values: dict[str, Sequence[Any]] = {
        "dataset": [Component("digits")], "model": [Component("mlp")], "seed": [0], "batch_size": [64],
        "device": ["cpu"], **(axes or {}),
    }  # fmt: skip
    return Suite(**{"name": "mine", "title": "mine", "axes": tuple(Axis(*each) for each in values.items()), **more})


def lines(planned: Suite, *, told: Catalogue | None = None, results: Sequence[Result] = ()) -> list[str]:
    told = told or catalogue()
    plan = make_plan(planned.trials(), Identifier(planned, told), results=results)
    found = head(planned, plan, catalogue=told, results=results)
    assert all(len(line) <= 80 for line in found), found
    return found


def test_a_small_run() -> None:
    assert lines(suite()) == [
        "mine",
        "1 trial = 1 model × 1 data set × 1 seed × 1 batch size × 1 device",
        "  1 to train · 0 there already",
        "Intel(R) Xeon(R) Processor, 2 cores, 2 threads · torch 2.15.0",
        "    · time not known yet",
    ]
    assert lines(suite(title="Of mine"))[0] == "mine · Of mine"


def test_settings_are_counted_in_words() -> None:
    axes = {
        "train.learning_rate": [0.1, 0.2], "train.momentum": [0.5], "train.epochs": [1, 2],
        "measure.target_accuracy": [0.5], "train.deterministic": [True, False],
    }  # fmt: skip
    text = " ".join(line.strip() for line in lines(suite(axes)))
    assert (
        "8 trials = 1 model × 1 data set × 1 seed × 1 batch size × 1 device × 2 learning rates × 1 momentum"
        " × 2 values of epochs × 1 target accuracy × 2 values of deterministic "
    ) in text


def test_every_trial_is_in_one_of_the_counts() -> None:
    """Two are to be trained, two fail before they start, four are skipped: also those of a model that nobody has."""
    axes = {"model": [Component("mlp"), Component("wide")], "seed": [0, 1], "device": ["cpu", "mps"]}
    found = lines(suite(axes, unknown={"model:wide": REASON}))
    assert found[1].startswith("8 trials = ")
    assert found[2] == "  2 to train · 0 there already · 2 failed · 4 skipped"
    assert sum(map(int, re.findall(r"\d+", found[2]))) == 8
    rest = " ".join(line.strip() for line in found[3:])
    assert rest.startswith(f"2 failed: {REASON} 4 skipped: mps: no Apple GPU on this machine Intel")
    assert all(line.startswith("    ") for line in found[4:5])  # what goes on is indented


def test_a_plugin_that_failed_is_told_even_where_nobody_misses_it() -> None:
    error = "wide.py: failed to import: OSError: " + "not today, " * 20
    told = catalogue({"/x/wide.py": PluginInfo(error), "/x/fine.py": PluginInfo()})
    found = lines(suite(), told=told)
    assert found[3].startswith("plugin: wide.py: failed to import: OSError: not today,")
    assert found[4].startswith("    ")
    assert sum(line.startswith("plugin: ") for line in found) == 1
    assert " ".join(line.strip() for line in found[3:]).startswith(f"plugin: {error.strip()} Intel")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"train": TrainSettings(threads=1)}, ", 1 thread "),
        ({"override": (Override(Rule({"model": frozenset({0})}), {"train.threads": 4}),)}, ", 4 threads "),
        ({}, ", 2 threads "),
    ],
)
def test_the_threads_are_those_of_the_trials(how: dict[str, Any], words: str) -> None:
    assert words in " ".join(lines(suite(**how)))
    assert "1, 2 threads" in " ".join(lines(suite({"train.threads": [1, 0]}, **{**how, "override": ()})))


def test_the_time_is_what_such_trials_took() -> None:
    planned = suite()
    (trial,) = planned.trials()
    done = Result(trial, "0", "run", "env", "code", "ok", metrics={"total_seconds": 15.0})
    assert " ".join(lines(planned, results=[done])).endswith("· torch 2.15.0 · about 15 s")
    assert "about" not in " ".join(lines(planned))


def test_nothing_to_train_takes_no_time() -> None:
    planned = suite({"device": ["mps"]}, measure=MeasureSettings(warmup_steps=1))
    assert lines(planned)[-1] == "Intel(R) Xeon(R) Processor, 2 cores, 2 threads · torch 2.15.0"


def test_long_words_fit_too() -> None:
    assert "".join(line.strip() for line in lines(suite(title="x" * 200))[:3]) == "mine · " + "x" * 200


def test_a_metric_that_results_lack_is_said() -> None:
    """A plugin that was added later: its column is empty for what is there, which nobody would notice."""
    planned = suite()
    (trial,) = planned.trials()
    told = replace(catalogue(), metrics={"top3": {"unit": "", "higher_is_better": True, "summary": ""}})
    known = Identifier(planned, told).planned(trial)
    done = Result(trial, trial.trial_id, "run", known.environment_id, known.code_id, "ok", metrics={"parameters": 1})
    found = lines(planned, told=told, results=[done])
    assert found[3] == "  1 there already without the metric top3: --fresh runs them again, with it"
    measured = replace(done, metrics={"top3": 0.5})
    assert "top3" not in " ".join(lines(planned, told=told, results=[measured]))


def test_seeds_that_go_on_are_announced_with_their_end_and_counted() -> None:
    two = suite({"model": [Component("mlp"), Component("cnn")]}, decide=Decide(within=0.01, most_seeds=12))
    told = catalogue()
    told.models["cnn"] = ComponentInfo()  # type: ignore[index]
    text = " ".join(" ".join(lines(two, told=told)).split())
    assert "until each pair is decided, at most 12 seeds; differences below 0.01 do not matter" in text
    more = {trial.cell_id: 2 for trial in two.trials()}
    text = " ".join(" ".join(lines(replace(two, decide=Decide(more=more)), told=told)).split())
    assert "6 trials = 2 models × 1 data set × 1 seed × 1 batch size × 1 device, and 4 of further seeds" in text
    alone = " ".join(lines(suite(decide=Decide())))
    assert "there are no two models or settings to decide between" in " ".join(alone.split())
