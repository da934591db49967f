"""`bench export` of tables as Markdown, HTML and LaTeX, and of the model index of a card."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from bench.errors import BenchError
from bench.export.formats import export
from bench.export.tables import FORMS, TABLES
from bench.present.html_table import to_html
from bench.present.tables import Column, Table, TableCell

HOSTILE = "a|b <script>x</script> & \"q\" 'p' \u2028 `c` ${d}"
# What the Hub requires of an entry: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
REQUIRED = {"task": {"type": str}, "dataset": {"type": str, "name": str}}


class Cells(HTMLParser):
    """The texts of the cells of tables, row by row, and every tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def exported(make: ModuleType, form: str, results: list[Any], **options: str) -> str:
    content = export(form, results, suite=None, name="mine", **options).content
    assert isinstance(content, str)
    return content


def two_machines(make: ModuleType) -> list[Any]:
    trials = list(make.Plan().trials())
    there = [make.result_of(each, environment=make.OTHER_MACHINE, run_id="other") for each in trials]
    return [*map(make.result_of, trials), *there]


@pytest.mark.parametrize("table", TABLES)
def test_markdown_and_html_show_the_same_cells(table: str, make: ModuleType) -> None:
    results = two_machines(make)
    html = Cells(exported(make, "html", results, table=table))
    lines = [line for line in exported(make, "markdown", results, table=table).splitlines() if line[:1] == "|"]
    rows = [[part.strip().replace("**", "").replace("\\", "") for part in line.strip("|").split("|")]
            for line in lines if not re.fullmatch(r"[|:-]+", line)]  # fmt: skip
    assert html.rows == rows
    assert not html.open
    assert len(rows) > 3
    assert exported(make, "latex", results, table=table).count(r"\begin{tabular}") == html.tags.count("table")


def test_texts_are_texts_in_html() -> None:
    columns = Column("a", HOSTILE, numeric=False), Column("b", "b")
    table = Table("t", HOSTILE, columns, ((TableCell(HOSTILE), TableCell("1", best=True)),), notes=(HOSTILE,))
    text = to_html(table)
    found = Cells(text)
    shown = " ".join(HOSTILE.split())  # one line
    assert found.rows == [[shown, "b"], [shown, "1"]]
    assert set(found.tags) == {
        "figure",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "strong",
        "figcaption",
        "p",
    }
    assert text.count("<strong>") == 1


def test_a_table_that_is_not_there_is_refused_with_those_that_are(make: ModuleType) -> None:
    results = make.run_of(make.Plan())
    with pytest.raises(BenchError, match=r"--table pair: unknown; did you mean pairs\? \(there are: models, ladder"):
        exported(make, "html", results, table="pair")
    with pytest.raises(BenchError, match="mine: results of one machine alone"):
        exported(make, "html", results, table="machines")
    with pytest.raises(BenchError, match="mine: fewer than two models"):
        exported(make, "html", [each for each in results if each.trial.model.name == "mlp"], table="pairs")
    failed = [make.result_of(each.trial, status="failed", reason="no") for each in results]
    for form in (*FORMS, "model-index"):
        with pytest.raises(BenchError, match="mine: no trial is ok"):
            exported(make, form, failed)


def card(text: str) -> list[dict[str, Any]]:
    """The model index of the front matter, checked for what the Hub requires."""
    _, front, rest = text.split("---\n")
    assert rest == ""
    index: list[dict[str, Any]] = yaml.safe_load(front)["model-index"]
    for entry in index:
        assert isinstance(entry["name"], str)
        assert entry["results"]
        for result in entry["results"]:
            for part, fields in REQUIRED.items():
                assert all(isinstance(result[part][name], kind) and result[part][name] for name, kind in fields.items())
            assert result["metrics"]
            assert all(isinstance(each["type"], str) and isinstance(each["value"], float) for each in result["metrics"])
    return index


def test_a_card_has_what_the_hub_requires_and_says_what_was_measured(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256), datasets=[make.Component("digits"), make.Component("mnist")])
    results = make.run_of(plan)
    index = card(exported(make, "model-index", results))
    assert [entry["name"] for entry in index] == ["linear", "mlp", "cnn"]
    assert [entry["dataset"]["type"] for entry in index[0]["results"]] == ["digits", "digits", "mnist", "mnist"]
    own = [r.metrics["test_accuracy"] for r in results
           if (r.trial.model.name, r.trial.dataset.name, r.trial.batch_size) == ("mlp", "mnist", 256)]  # fmt: skip
    accuracy = index[1]["results"][3]["metrics"][0]
    assert accuracy["type"] == "accuracy"
    assert accuracy["value"] == pytest.approx(sum(own) / len(own), abs=1e-6)
    assert re.match(r"test accuracy, mean of 5 seeds, 0\.\d+ ± 0\.\d+ \(95 % interval", accuracy["name"])
    assert accuracy["name"].endswith("cpu, batch size 256")
    assert "samples" not in str(index)  # no speeds
    assert index[0]["results"][0]["task"] == {"type": "image-classification"}
    assert card(exported(make, "model-index", results, task="text-classification"))[0]["results"][0]["task"] == {
        "type": "text-classification"
    }


def test_a_card_of_a_regression_is_of_one(make: ModuleType) -> None:
    metrics = {"r2": 0.8, "mae": 1.5, "rmse": 2.0}
    results = [make.result_of(each, metrics=metrics) for each in make.Plan().trials()]
    result = card(exported(make, "model-index", results))[0]["results"][0]
    assert result["task"]["type"] == "tabular-regression"
    assert [(each["type"], each["value"]) for each in result["metrics"]] == [
        ("r_squared", 0.8),
        ("mae", 1.5),
        ("rmse", 2.0),
    ]


def test_names_are_texts_in_a_card(make: ModuleType) -> None:
    plan = make.Plan(models=[make.Component("mlp", {"note": f"{HOSTILE}: - # !x &y *z"}), make.Component("no")])
    names = [entry["name"] for entry in card(exported(make, "model-index", make.run_of(plan)))]
    assert names[0].startswith("mlp(note=a|b <script>x</script> & \"q\" 'p' ")
    assert names[1] == "no"  # and not false


def test_the_command_writes_a_table(make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bench.cli.export import export as command
    from bench.results.store import Store

    writer = Store(tmp_path / "mine").writer("run")
    for each in make.run_of(make.Plan(seeds=(0, 1))):
        writer.append(each)
    writer.close()
    assert command(tmp_path / "mine", form="html", table="pairs", results=tmp_path) == 0
    assert capsys.readouterr().out.startswith('<figure class="bench">\n<table>\n<caption>Pairs of models on digits')
