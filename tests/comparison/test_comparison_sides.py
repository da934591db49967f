"""What is split off from one folder: by environment, day, commit, or a setting."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from bench.analysis.conditions import environment_lines
from bench.analysis.findings import answer
from bench.analysis.sections import sections_of, slugs_of
from bench.base.records import Component, Environment, Result, TrainSettings, Trial
from bench.comparison.pairs import compare_sides
from bench.errors import BenchError
from bench.pairing.sides import Folder, read_folder, sides_by, split
from bench.publish.source import value_of
from bench.results.frame import latest
from bench.results.store import Store


def run_on(make: ModuleType, day: str, *, facts: dict[str, object] | None = None, commit: str = "a" * 40,
           devices: Sequence[str] = ("cpu",), engines: Sequence[str] = ("eager",)) -> list[Result]:  # fmt: skip
    environment = Environment(make.FACTS | (facts or {}), {"commit": commit})
    return [
        replace(make.result_of(trial, environment=environment), run_id=f"{day}-1", finished_at=f"{day}T10:00:0{seed}")
        for seed in range(3)
        for device in devices
        for engine in engines
        for trial in [Trial(Component("digits"), Component("mlp"), seed, 64, device, TrainSettings(engine=engine))]  # type: ignore[arg-type]
    ]


def one_folder(*results: Sequence[Result]) -> Folder:
    return Folder("mine", tuple(each for found in results for each in found), None, (), frozenset({1}))


def names(folder: Folder, by: str, *values: str) -> list[str]:
    return [side.name for side in split(folder, by, values=values)]


def test_by_environment_date_and_commit_older_results_count_too(make: ModuleType) -> None:
    first, second = run_on(make, "2026-01-01"), run_on(make, "2026-01-02", facts={"torch": "2.16.0"}, commit="b" * 40)
    folder = one_folder(first, second)
    assert names(folder, "environment") == [each[0].environment_id[:8] for each in (first, second)]
    assert names(folder, "environment", second[0].environment_id[:5], first[0].environment_id[:6]) == [
        second[0].environment_id[:5], first[0].environment_id[:6]
    ]  # fmt: skip
    assert names(folder, "date") == ["2026-01-01", "2026-01-02"]
    assert names(folder, "commit") == ["a" * 12, "b" * 12]
    # The same machine and code on two days: the newer result has not replaced the older one.
    again = [replace(each, finished_at=each.finished_at.replace("-01T", "-09T"), run_id="x") for each in first]
    found = compare_sides(*split(one_folder(first, again), "date"))
    assert found.cells[0].n == (3, 3)


def test_by_a_setting_only_that_may_differ(make: ModuleType) -> None:
    folder = one_folder(run_on(make, "2026-01-01", devices=("cpu", "cuda"), engines=("eager", "compiled")))
    assert names(folder, "device") == ["cpu", "cuda"]
    assert names(folder, "engine", "compiled", "eager") == ["compiled", "eager"]
    found = compare_sides(*split(folder, "device"))
    engines = [(one.a.setting("train.engine"), one.b.setting("train.engine")) for one in found.cells]
    assert engines == [("eager", "eager"), ("compiled", "compiled")]
    assert found.apart == ("device",)


def test_a_wrong_axis_or_value_is_an_error_of_one_line(make: ModuleType) -> None:
    folder = one_folder(run_on(make, "2026-01-01", devices=("cpu", "cuda", "mps")))
    for by, values, text in (
        ("devize", (), "--by devize: unknown axis; did you mean device?"),
        ("device", (), "mine has 3 (cpu, cuda, mps); choose two: --values cpu,cuda"),
        ("device", ("cpu", "cida"), "--values cida: no such device in mine; did you mean cuda?"),
        ("engine", (), "--by engine: mine has measured only eager"),
        ("date", ("2026-01-01", "2031"), "--values 2031: no result of mine has a date that begins so"),
        ("environment", (), "--by environment: mine has measured only"),
    ):
        with pytest.raises(BenchError) as error:
            split(folder, by, values=values)
        assert text in str(error.value)


def test_a_value_that_was_skipped_throughout_is_no_choice(make: ModuleType) -> None:
    results = run_on(make, "2026-01-01", devices=("cpu", "cuda", "mps"))
    absent = {"status": "skipped", "reason": "no such device", "metrics": {}}
    without = {name: [replace(each, **absent) if each.trial.device in name else each for each in results]
               for name in (("mps",), ("cuda", "mps"))}  # fmt: skip
    assert names(one_folder(without["mps",]), "device") == ["cpu", "cuda"]
    with pytest.raises(BenchError, match="mine has measured only cpu"):
        split(one_folder(without["cuda", "mps"]), "device")


def write(folder: Path, results: Sequence[Result], *, schema: int = 1) -> Store:
    (folder / "trials").mkdir(parents=True)
    lines = [json.dumps(each.to_json() | {"schema": schema}) for each in results]
    (folder / "trials" / "run.jsonl").write_text("\n".join([*lines, '{"half": ']))
    return Store(folder)


def test_the_version_of_the_format_is_read_from_the_lines(make: ModuleType, tmp_path: Path) -> None:
    results = run_on(make, "2026-01-01")
    assert read_folder(write(tmp_path / "a", results), None, name="a").schemas == {1}
    with pytest.raises(BenchError, match="written by a newer version of bench"):
        read_folder(write(tmp_path / "b", results, schema=99), None, name="b")
    with pytest.raises(BenchError, match="c: no results there"):
        read_folder(Store(tmp_path / "c"), None, name="c")


def test_an_environment_has_one_id_in_every_command(make: ModuleType) -> None:
    """Two machines, two numbers of threads: what the report, the page and publish call an environment is what splits
    off a side."""
    plan = make.Plan(models=(Component("mlp"),), seeds=(0, 1), settings={"train.threads": (1, 2)})
    found = [make.result_of(trial, environment=each) for each in (make.MACHINE, make.OTHER_MACHINE)
             for trial in plan.trials()]  # fmt: skip
    ids = sorted({each.environment_id for each in found})
    assert len(ids) == 4
    folder = Folder("mine", tuple(found), plan, (), frozenset())
    sections = sections_of(latest(found, plan).rows, plan)
    titles = " ".join(section.title for section in sections)
    headings = " ".join(heading for heading, _ in environment_lines(sections, []))
    texts = " ".join(found.title for section in sections if (found := answer(section)))
    for each in ids:
        assert each[:8] in titles
        assert each[:8] in headings
        assert each[:8] in texts
        (side,) = sides_by(folder, "environment", values=[each[:8]])
        assert {result.environment_id for result in side.results} == {each}
    said = set(re.findall(r"\b[0-9a-f]{8}\b", " ".join([titles, headings, texts, *slugs_of(sections).values()])))
    assert said == {each[:8] for each in ids}
    cells = [cell for section in sections for cell in section.cells]
    assert sorted(value_of(cell, "environment") for cell in cells) == [each[:8] for each in ids]
