"""What the page holds, without a browser: escaped data, small files, logs without names, and when it is written."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.analysis.models_table import models_table
from bench.analysis.sections import sections_of
from bench.base.records import Component
from bench.report.html import details, payload, write
from bench.report.html.write import embedded_json
from bench.report.page import NOTHING, Part, Report
from bench.report.render import render
from bench.results.frame import latest


class Found(HTMLParser):
    """Elements of a page by name, and the text of its data element."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.data = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        self._inside = ("id", "data") in attrs

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.data += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def read(path: Path) -> tuple[Found, Any]:
    found = Found()
    found.feed(path.read_text(encoding="utf-8"))
    return found, json.loads(found.data)


@pytest.mark.parametrize("text", ["</script><b>", "<!--<script>", "a & b", "\u2028\u2029", "\ud800", "]]>"])
def test_data_cannot_end_its_element(text: str) -> None:
    embedded = embedded_json({text: [text]})
    assert embedded.isascii()
    assert not set("<>&") & set(embedded)
    assert json.loads(embedded) == {text: [text]}


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        embedded_json([math.nan])
    assert payload._short(math.inf) is None


def test_the_figures_are_those_of_the_report(make: ModuleType, write: Any, tmp_path: Path) -> None:
    plan = make.Plan(batch_sizes=(64, 256), devices=("cpu", "cuda"))
    results = make.run_of(plan)
    _, data = read(write(plan, results, tmp_path))
    assert [axis["name"] for axis in data["axes"]] == ["model", "device", "batch_size", "seed", "status"]
    assert len(data["cells"]) == 12
    assert len(data["trials"]) == 60
    place = [metric["name"] for metric in data["metrics"]].index("test_accuracy")
    values = [r.metrics["test_accuracy"] for r in results if r.trial.model.name == "cnn" and r.trial.batch_size == 64
              and r.status == "ok"]  # fmt: skip
    cell = next(c for c in data["cells"] if c["model"] == "cnn" and c["values"]["batch_size"] == 64)
    mean, low, high, text, _ = cell["figures"][place]
    assert mean == pytest.approx(sum(values) / 5, rel=1e-6)
    assert low < mean < high
    assert text.startswith((f"{mean:.3f}", f"{mean:.4f}"))
    mine = data["trials"][slice(*cell["trials"])]
    assert [trial["metrics"][place] for trial in mine] == pytest.approx(values, rel=1e-6)
    absent = next(each for each in data["cells"] if each["values"]["device"] == "cuda")
    assert absent["figures"][place] is None
    assert data["trials"][absent["trials"][0]]["reason"].startswith("cuda: no CUDA device")


def test_the_page_of_the_baseline_is_small_and_asks_nobody(make: ModuleType, write: Any, tmp_path: Path) -> None:
    plan = make.Plan(batch_sizes=(64, 256), devices=("cpu", "cuda", "mps"))
    results = make.run_of(plan)
    for result in results:
        path = tmp_path / "logs" / result.run_id / f"{result.trial_id}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 100_000)
    path = write(plan, results, tmp_path)
    assert path.stat().st_size < 3 * 2**20
    found, _ = read(path)
    assert found.names.count("script") == 5
    assert {address for address in found.addresses if not address.startswith("#")} == {"data:,"}


def test_logs_are_cut_and_name_nobody(make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    result = make.result_of(next(make.Plan().trials()))
    path = tmp_path / "logs" / result.run_id / f"{result.trial_id}.log"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"first\n" + b"x" * 200_000 + b"\xff /home/somebody/data last")
    log = details.Details(tmp_path).log(result)
    assert log.startswith("… only the end of 200,")
    assert log.endswith("\ufffd ~/data last")
    assert len(log) < details.LOG_CHARACTERS + 60


def test_a_damaged_artifact_is_left_out(make: ModuleType, tmp_path: Path) -> None:
    result = make.result_of(next(make.Plan().trials()))
    found = details.Details(tmp_path)
    assert found.arrays(result) == {}
    path = tmp_path / "artifacts" / result.run_id / f"{result.trial_id}.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x89HDF cut off")
    assert found.arrays(result) == {}


def test_what_is_too_much_is_left_out_and_said(
    make: ModuleType, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "CURVE_VALUES", 180)
    monkeypatch.setattr(payload, "MOST_DETAILED", 4)
    plan = make.Plan(seeds=(0, 1))
    path = write(plan, make.run_of(plan), tmp_path)
    _, data = read(path)
    assert sum("curves" in trial for trial in data["trials"]) == 3
    assert "The curves of 3 trials are not in this page" in data["left_out"][0]
    assert "confusion matrix of 4 trials; those of 2 others" in data["left_out"][1]
    assert "those of 2 others" in re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))


def test_the_ladder_of_each_section_stands_first(make: ModuleType, write: Any, tmp_path: Path) -> None:
    plan = make.Plan(datasets=[Component(f"set{index}") for index in range(3)], batch_sizes=(64, 256))
    path = write(plan, make.run_of(plan), tmp_path)
    _, data = read(path)
    assert [each["title"] for each in data["answers"]] == [
        f"Which model is best?  set{index} · cpu · batch size 64 · 5 seeds" for index in range(3)
    ]
    assert [each["open"] for each in data["answers"]] == [True, True, False]
    first = data["answers"][0]
    assert [rung["model"] for rung in first["rungs"]] == ["cnn", "mlp", "linear"]
    assert [rung["best"] for rung in first["rungs"]] == [True, False, False]
    assert first["rungs"][1]["known"].startswith("behind cnn: yes, by ")
    assert first["before"].startswith("Best: cnn, by ")
    assert any(text.startswith("Best at batch size 256: cnn") for text in first["after"])
    assert first["matrix"]["columns"] == ["cnn", "mlp"]
    assert [row["model"] for row in first["matrix"]["rows"]] == ["mlp", "linear"]
    html = path.read_text(encoding="utf-8")
    assert html.index("Which model is best?") < html.index('id="results"')
    assert html.count('<table class="duels">') == 3


def test_nothing_was_run_yet(make: ModuleType, write: Any, tmp_path: Path) -> None:
    _, data = read(write(make.Plan(), [], tmp_path))
    assert [(each["before"], each["rungs"], each["matrix"]) for each in data["answers"]] == [(NOTHING, [], None)]
    assert {trial["status"] for trial in data["trials"]} == {"missing"}


def test_a_report_has_its_page_and_it_stays_until_something_changes(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(models=(Component("linear"), Component("mlp")), seeds=(0, 1))
    results = [replace(result, curves={}) for result in make.run_of(plan)]
    assert render(tmp_path, suite=plan, results=results).notes == ()
    page = tmp_path / "report" / "index.html"
    before = page.stat().st_mtime_ns
    assert not render(tmp_path, suite=plan, results=results).rendered
    assert page.stat().st_mtime_ns == before
    page.unlink()
    assert render(tmp_path, suite=plan, results=results).rendered
    assert page.is_file()


def test_without_the_extra_one_line_says_how_to_get_it(
    make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = util.find_spec
    monkeypatch.setattr(write.util, "find_spec", lambda name: None if name == "jinja2" else there(name))
    outcome = render(tmp_path, suite=make.Plan(), results=[])
    assert outcome.rendered
    assert outcome.notes == ("no report/index.html: it needs jinja2; pip install 'bench-models[html]'",)
    assert not (tmp_path / "report" / "index.html").exists()
    assert not render(tmp_path, suite=make.Plan(), results=[]).rendered


def test_figures_of_the_page_are_those_of_the_report(make: ModuleType, tmp_path: Path) -> None:
    """Also where an interval is wide: one of two seeds is at chance."""
    plan = make.Plan(seeds=(0, 1))
    broken = {"test_accuracy": 0.097, "train_samples_per_second": 50_000.0}
    results = [
        replace(each, metrics=each.metrics | broken) if (each.trial.model.name, each.trial.seed) == ("cnn", 1) else each
        for each in make.run_of(plan)
    ]
    found = latest(results, plan)
    table = models_table(sections_of(found.rows, plan)[0], name="models")
    data = payload.payload(Report(tmp_path, plan, found, parts=(Part(sections_of(found.rows, plan)[0], table),)))
    keys, names = [column.key for column in table.columns], [metric["name"] for metric in data["metrics"]]
    for name in ("test_accuracy", "train_samples_per_second"):
        shown = [cell["figures"][names.index(name)][3] for cell in data["cells"]]
        assert shown == [row[keys.index(name)].text for row in table.rows]
    low, high = data["cells"][2]["figures"][names.index("test_accuracy")][1:3]
    assert (low, high) == (0, 1)
