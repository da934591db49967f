"""`bench explain`: planted spreads are told from each other, whatever the suite; what cannot be told is not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bench.base.answers import Answers
from bench.base.records import Component, Result, SeedSettings, TrainSettings, digest
from bench.errors import BenchError
from bench.explain.decompose import SOURCES, Explained, explain
from bench.explain.write import terminal_text, to_json, write
from bench.results.store import Store
from bench.suite.plan import Override, Rule, Suite
from bench.suite.read import read_suite

ROOT = Path(__file__).resolve().parents[2]
LINEAR = (Component("linear"),)
EXAMPLES = 2000


def planned(make: ModuleType, settings: Mapping[str, Sequence[int]], **more: Any) -> Suite:
    own = {"models": LINEAR, "seeds": (0,), "name": "mine"} | more
    plan: Suite = make.Plan(settings={f"seed.{name}": values for name, values in settings.items()}, **own)
    return plan


def one_at_a_time(make: ModuleType, count: int = 20, **more: Any) -> Suite:
    """A star: every source alone, the others at 0, as sources.toml has it."""
    others = frozenset(range(1, count))
    rules = [
        Rule({f"seed.{a}": others, f"seed.{b}": others})
        for a, b in zip(SOURCES, ["order", "split", "init"], strict=True)
    ]
    return planned(make, {name: range(count) for name in SOURCES}, exclude=tuple(rules), **more)


def trained(
    make: ModuleType, plan: Suite, sds: Mapping[str, float], *, drawn: bool = False, answers: bool = True, seed: int = 0
) -> list[Result]:
    """A result of every trial: 0.9 and what its seeds add, each source by its sd; `drawn`: each split has its own test
    set."""
    found = []
    for trial in plan.trials():
        draws = {"init": trial.init_seed, "order": trial.order_seed, "split": trial.split_seed}
        luck = {n: np.random.default_rng([seed, SOURCES.index(n), at]).normal() for n, at in draws.items()}
        right = np.zeros(EXAMPLES, dtype=np.bool_)
        right[: round(EXAMPLES * (0.9 + sum(sds.get(name, 0.0) * value for name, value in luck.items())))] = True
        test_set = digest(str(trial.split_seed if drawn else 0))
        result = make.result_of(trial, metrics={"test_accuracy": right.sum() / EXAMPLES})
        own = Answers.of(right, test_set=test_set, trained_on=4 * EXAMPLES) if answers else None
        found.append(replace(result, answers=own))
    return found


def only(found: Sequence[Explained]) -> Explained:
    (one,) = found
    return one


def text_of(found: Sequence[Explained]) -> str:
    return " ".join(terminal_text(found, title="mine").split())


@pytest.mark.parametrize("largest", SOURCES)
def test_the_largest_source_is_named_and_its_sd_held(make: ModuleType, largest: str) -> None:
    sds = dict.fromkeys(SOURCES, 0.002) | {largest: 0.012}
    plan = one_at_a_time(make)
    found = only(explain(trained(make, plan, sds, drawn=True), plan))
    assert found.pays == (largest,)
    assert (found.crossed, found.together, len(found.results)) == (False, None, 58)
    for name, sd in sds.items():
        low, high = found.apart[name].ends or (0, 0)
        assert 0.8 * low < sd < 1.25 * high  # planted, of 20 drawn values; coverage: tests/statistics/test_sources.py
    said = text_of([found])
    words = {"init": "initialisation", "order": "order of the data", "split": "split of the data"}
    assert f"Most of it comes from the {words[largest]}: repeat with other " in said
    assert " add little." in said
    assert "One source was varied at a time" in said


def test_sources_of_a_size_are_not_ranked(make: ModuleType) -> None:
    plan = one_at_a_time(make)
    found = only(explain(trained(make, plan, dict.fromkeys(SOURCES, 0.005)), plan))
    assert set(found.pays) == set(SOURCES)
    assert "is not shown: repeat with other seeds, which move all of them." in text_of([found])


def test_a_crossing_gives_each_and_all_together(make: ModuleType) -> None:
    plan = planned(make, dict.fromkeys(SOURCES, range(6)))
    sds = {"init": 0.001, "order": 0.002, "split": 0.01}
    found = only(explain(trained(make, plan, sds, drawn=True), plan))
    assert (found.crossed, found.moved, len(found.results)) == (True, SOURCES, 216)
    assert {name: (spread.levels, spread.blocks) for name, spread in found.apart.items()} == dict.fromkeys(
        SOURCES, (6, 36)
    )
    assert found.together is not None
    sizes = [found.apart[name].variance for name in SOURCES]
    assert found.together.variance == pytest.approx(sum(sizes), rel=0.05)  # nothing was planted that needs two
    assert "all together" in text_of([found])
    assert "crossed: each sd is an average" in text_of([found])


def test_a_crossing_with_a_hole_is_told(make: ModuleType) -> None:
    plan = planned(make, dict.fromkeys(SOURCES, range(4)))
    results = trained(make, plan, dict.fromkeys(SOURCES, 0.005))
    broken = make.result_of(results[5].trial, status="diverged")
    found = only(explain([*results[:5], broken, *results[7:]], plan))
    assert not found.crossed
    assert found.lost == {"diverged": 1, "missing": 1}
    assert found.apart["init"].freedom == 3
    assert "Not in it: 1 diverged and 1 missing of 64 trainings." in text_of([found])
    assert "Not every combination is there" in text_of([found])


def test_several_seeds_are_settings_of_the_others(make: ModuleType) -> None:
    plan = planned(make, {"init": range(8)}, seeds=(0, 1, 2))
    found = only(explain(trained(make, plan, {"init": 0.01, "order": 0.003}), plan))
    assert set(found.apart) == {"init"}
    assert (found.apart["init"].levels, found.apart["init"].blocks) == (8, 3)
    assert found.moved == ("order", "split")
    assert found.together is not None
    assert found.together.sd < found.apart["init"].sd
    assert "what order of the data and split of the data do was not varied apart" in text_of([found])


def test_seeds_alone_tell_what_they_can_and_which_suite_tells_more(make: ModuleType, tmp_path: Path) -> None:
    plan = planned(make, {}, seeds=range(10))
    found = only(explain(trained(make, plan, {"init": 0.01}, drawn=True), plan))
    assert (found.apart, found.moved) == ({}, SOURCES)
    assert found.together is not None
    assert found.together.sd == pytest.approx(np.std([r.metrics["test_accuracy"] for r in found.results], ddof=1))
    said = terminal_text([found], title="mine")
    assert "All seeds together spread it by " in said
    lines = [line[2:] for line in said.splitlines() if line.startswith("  ")]
    head = f'name = "more"\n{lines[0]}\ndataset = ["digits"]\nmodel = ["linear"]\n'
    (tmp_path / "more.toml").write_text(head + "\n".join(lines[1:]) + "\n")
    file = read_suite(tmp_path / "more.toml")  # what is proposed is a suite
    assert list(file.grid["seed.split"]) == list(range(10))
    assert len(file.exclude) == 3
    assert "by 28 trainings of each model" in " ".join(said.split())


def test_without_a_split_to_draw_it_is_not_proposed(make: ModuleType) -> None:
    plan = planned(make, {}, seeds=range(10))
    said = text_of(explain(trained(make, plan, {"init": 0.01}), plan))
    assert "`seed` moves initialisation and order of the data at once" in said
    assert "by 19 trainings" in said
    assert '"seed.split"' not in said
    held_out = replace(plan, train=TrainSettings(validation_split=0.2))
    assert '"seed.split"' in text_of(explain(trained(make, held_out, {"init": 0.01}), held_out))


def test_a_split_that_draws_nothing_is_told(make: ModuleType) -> None:
    plan = one_at_a_time(make, 8)
    found = only(explain(trained(make, plan, {"init": 0.01, "order": 0.01}), plan))
    assert found.apart["split"].ends is None
    assert set(found.pays) == {"init", "order"}
    assert "The split changes nothing here" in text_of([found])
    still = only(explain(trained(make, plan, {}), plan))
    assert still.pays == ()
    assert "Neither of them moves it" in text_of([still])


@pytest.mark.parametrize(
    ("sds", "drawn", "said"),
    [
        ({"init": 0.0005, "order": 0.0005}, False, "more than any seed, and no repeat narrows that"),
        ({"init": 0.02, "order": 0.001}, False, "which no repeat narrows: more of them would."),
        ({"split": 0.03}, True, "shows more than that: which images are trained on counts too."),
        ({"split": 0.006}, True, "shows no more than that."),
    ],
)
def test_test_images_beside_the_seeds(make: ModuleType, sds: dict[str, float], drawn: bool, said: str) -> None:
    plan = one_at_a_time(make)
    found = only(explain(trained(make, plan, sds, drawn=drawn), plan))
    assert found.examples is not None
    assert found.examples.sd == pytest.approx((0.9 * 0.1 / EXAMPLES) ** 0.5, rel=0.1)
    assert said in text_of([found])


def test_results_that_do_not_say_which_were_right(make: ModuleType) -> None:
    plan = one_at_a_time(make, 6)
    found = only(explain(trained(make, plan, {"init": 0.01}, answers=False), plan))
    assert found.examples is None
    assert "What the test images add is not known" in text_of([found])


def test_a_training_that_does_not_belong_to_the_others_is_named(make: ModuleType) -> None:
    plan = one_at_a_time(make)
    results = trained(make, plan, dict.fromkeys(SOURCES, 0.004), answers=False)
    at = next(n for n, each in enumerate(results) if each.trial.seeds == SeedSettings(init=0, order=7, split=0))
    results[at] = replace(results[at], metrics={"test_accuracy": 0.7})
    found = only(explain(results, plan))
    assert found.odd["order"] == (7, 0.7)
    assert "accuracy 0.700 at seed.order 7" in text_of([found])


def test_settings_are_kept_apart_and_seeds_that_are_one_count_once(make: ModuleType) -> None:
    plan = make.Plan(
        models=LINEAR,
        seeds=(0, 1),
        batch_sizes=(16, 64),
        settings={"seed.init": range(6), "train.momentum": (0.0, 0.9)},
    )
    results = trained(make, plan, {"init": 0.01})
    doubled = [replace(each, trial=replace(each.trial, seeds=SeedSettings()))
               for each in results if each.trial.seed == each.trial.seeds.init]  # fmt: skip
    doubled = [replace(each, trial_id=each.trial.trial_id) for each in doubled]
    found = explain([*results, *doubled], None)
    assert [each.setting for each in found] == [
        f"batch size {size}, momentum {momentum}" for size in (16, 64) for momentum in ("0", "0.9")
    ]
    assert {len(each.results) for each in found} == {12}
    assert len({each.name for each in found}) == 4


def test_other_code_is_left_out(make: ModuleType) -> None:
    plan = one_at_a_time(make, 6)
    results = trained(make, plan, {"init": 0.01})
    edited = [replace(each, code_id="beef" * 4) for each in results[:3]]
    found = only(explain([*edited, *results[3:]], plan))
    assert (len(found.results), found.left_out) == (13, 3)
    assert "Left out: 3 trainings of other code, torch or threads." in text_of([found])


def test_what_an_override_sets_is_where_it_belongs(make: ModuleType) -> None:
    plan = planned(
        make, {"init": range(4)}, override=(Override(Rule({"seed.init": frozenset({3})}), {"seed.init": 0}),)
    )
    found = only(explain(trained(make, plan, {"init": 0.01}), plan))
    assert (len(found.results), found.apart["init"].levels) == (3, 3)


@pytest.mark.parametrize("status", ["", "failed"])
def test_where_there_is_no_spread_it_is_one_line(make: ModuleType, status: str) -> None:
    plan = planned(make, {})
    results = [make.result_of(trial, **({"status": status} if status else {})) for trial in plan.trials()]
    with pytest.raises(BenchError, match="there is no spread to explain") as caught:
        explain(results, plan)
    assert "\n" not in str(caught.value)


def test_page_tables_pictures_and_json(make: ModuleType, tmp_path: Path) -> None:
    plan = one_at_a_time(make, 6, models=(Component("linear"), Component("mlp")))
    found = explain(trained(make, plan, {"init": 0.01, "split": 0.002}, drawn=True), plan)
    files = write(found, folder=tmp_path / "explain", title="mine", inside=tmp_path)
    assert {path.name for path in files} == {
        "explain.md", "sources.md", "sources.csv", "sources.tex", "sources-1.png", "sources-1.svg",
    }  # fmt: skip
    assert all(path.stat().st_size > 200 for path in files)
    rows = (tmp_path / "explain" / "sources.csv").read_text().splitlines()
    assert rows[0] == "dataset,model,setting,source,sd_points,sd_points_low,sd_points_high,basis,trainings"
    assert len(rows) == 1 + 2 * 4
    page = (tmp_path / "explain" / "explain.md").read_text()
    assert page.count("comes from") >= 2
    assert "](sources-1.png)" in page
    told = json.loads(json.dumps(to_json(found, suite="mine"), allow_nan=False))
    assert [cell["repeat"] for cell in told["cells"]] == [list(each.pays) for each in found]
    assert told["cells"][0]["sources"]["init"]["sd"] == pytest.approx(100 * found[0].apart["init"].sd)
    lines = terminal_text(found, title="mine").splitlines()
    assert max(map(len, lines)) <= 80


def test_the_command(make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bench.cli.explain import explain as command

    plan = one_at_a_time(make, 6)
    writer = Store(tmp_path / "mine").writer("run")
    for result in trained(make, plan, {"init": 0.01}):
        writer.append(result)
    writer.close()
    assert command(tmp_path / "mine", results=tmp_path, json_=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["suite"], told["cells"][0]["repeat"][0]) == (1, "mine", "init")
    assert not (tmp_path / "mine" / "report").exists()
    assert command(tmp_path / "mine", results=tmp_path) == 0
    assert (tmp_path / "mine" / "report" / "explain" / "explain.md").exists()


def test_a_report_compares_models_at_the_first_seeds_alone(make: ModuleType) -> None:
    from bench.analysis.sections import sections_of
    from bench.analysis.seeds_apart import of_seeds_apart
    from bench.results.frame import latest, trials_frame

    plan = planned(make, {"init": range(3), "split": range(2)}, models=(Component("linear"), Component("mlp")))
    results = trained(make, plan, {"init": 0.01})
    (section,) = sections_of(latest(results, plan).rows, plan)
    assert section.variants == [(0, 0)]
    assert section.focus == (0, 0)
    assert (section.tuned, section.numeric_axes) == ((), [])
    assert len(section.measured) == 12  # the table has all
    assert of_seeds_apart([section]).startswith("seed.init and seed.split vary: ")
    for known in (plan, None):  # also where what varies is all that is known of the suite
        frame = trials_frame(results, known)
        columns = list(frame.columns)
        assert columns[columns.index("epochs") + 1 :][:2] == ["seed.init", "seed.split"]
    assert set(frame["seed.init"]) == {0, 1, 2}


def test_seeds_of_one_model_are_not_compared_as_its_settings(make: ModuleType) -> None:
    from bench.results.decisions import ladder_of

    plan = planned(make, {"init": range(3)}, batch_sizes=(16, 64))
    ladder = ladder_of(plan)
    ladders = {ladder(trial) for trial in plan.trials()}
    assert len(ladders) == 3  # each with the two batch sizes
