"""`bench publish`: blocks say what the results say, the rest of a document stays to the byte, --check can go red."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.cli.publish import publish as command
from bench.cli.report import report
from bench.errors import BenchError
from bench.present.format import Scale, figure
from bench.publish.blocks import content
from bench.publish.markup import MARKUPS
from bench.publish.request import Request
from bench.publish.source import Source
from bench.report.render import _record
from bench.results.store import Store

HOSTILE = {"note": "a|b <script>x</script> `c` _d_ **e** |f| g:: `h`_ [i](j) .. k"}


def stored(folder: Path, results: list[Any]) -> Path:
    writer = Store(folder).writer("run")
    for result in results:
        writer.append(result)
    writer.close()
    return folder


@pytest.fixture(scope="session")
def rendered(make: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of results, `baseline` (two batch sizes) and `other`, with their reports."""
    folder = tmp_path_factory.mktemp("rendered")
    stored(folder / "baseline", make.run_of(make.Plan(batch_sizes=(64, 256))))
    other = make.Plan(datasets=[make.Component("mnist")], seeds=(0, 1, 2))
    stored(folder / "other", make.run_of(other))
    for name in ("baseline", "other"):
        report(folder / name, results=folder)
    return folder


@pytest.fixture
def docs(rendered: Path, tmp_path: Path) -> Path:
    """The same in a folder of the test's own, where its documents will be."""
    shutil.copytree(rendered, tmp_path, dirs_exist_ok=True)
    for name in ("baseline", "other"):  # as if they had been rendered there: drawing takes seconds
        shutil.copy(_record(rendered / name / "report"), _record(tmp_path / name / "report"))
    return tmp_path


def publish(*targets: Path, check: bool = False) -> int:
    return command(list(targets), check=check)


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def block(marker: str, syntax: str = "md") -> str:
    if syntax == "rst":
        return f".. bench:{marker}\n.. /bench\n"
    return f"<!-- bench:{marker} -->\n<!-- /bench -->\n"


def test_blocks_say_what_disturbed_timings_and_mark_no_accuracy(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan()
    spoilt = {("linear", 0), ("linear", 1), *(("cnn", seed) for seed in range(5))}
    results = [
        make.disturbed(each) if (each.trial.model.name, each.trial.seed) in spoilt else each
        for each in make.run_of(plan)
    ]

    def made(name: str, results: list[Any], **attributes: str) -> str:
        return content(name, Request(attributes, Source(tmp_path, plan, results), MARKUPS["md"], tmp_path, check=True))

    said = "7 of 15 trials ran beside other programs"
    for name in ("answer", "models", "summary"):
        assert "disturbed" not in made(name, make.run_of(plan))
        assert (said in made(name, results)) == (name != "summary")  # of accuracies alone
    assert f"Disturbed timings: {said}. Accuracies are not affected." in made("answer", results)
    assert "Best: cnn, by " in made("answer", results)
    assert "trains" in made("answer", make.run_of(plan))
    assert "trains" not in made("answer", results)
    table = made("summary", results, metric="test_accuracy,train_samples_per_second", columns="batch_size")
    rows = {line.split("|")[1].strip(): line.split("|")[2:4] for line in table.splitlines() if line.startswith("| ")}
    marked = {name: ["†" in cell for cell in cells] for name, cells in rows.items() if name != "model"}
    assert marked == {"linear": [False, True], "mlp": [False, False], "cnn": [False, True]}
    assert "**" in rows["cnn"][0]
    assert "**" not in "".join(cells[1] for cells in rows.values())
    assert said in table


def test_a_block_holds_the_table_and_where_it_is_from(docs: Path) -> None:
    page = written(docs / "page.md", "before\n\n" + block("models results=baseline") + "\nafter")
    assert publish(page) == 0
    text = page.read_text()
    assert text.startswith("before\n\n<!-- bench:models results=baseline -->\n\n| model ")
    assert text.endswith("\n\n<!-- /bench -->\n\nafter")
    for part in ("Xeon", "2 cores", "torch 2.15.0", "2026-01-01", "n = 5 seeds", "commit 0123456789ab", "numpy 2.4"):
        assert part in text
    assert text.count("\n| ") == 1 + 6


def test_it_is_idempotent_and_check_agrees(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = written(docs / "page.md", block("models results=baseline") + block("answer results=other"))
    assert publish(page, check=True) == 1
    said = capsys.readouterr().err
    assert f"{page}:1: bench:models is stale" in said
    assert f"{page}:3: bench:answer is stale" in said
    assert page.read_text() == block("models results=baseline") + block("answer results=other")
    publish(page)
    once, at = page.read_bytes(), page.stat().st_mtime_ns
    publish(page)
    assert (page.read_bytes(), page.stat().st_mtime_ns) == (once, at)
    assert publish(page, check=True) == 0


def test_a_figure_edited_by_hand_turns_check_red_and_names_the_line(
    docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = written(docs / "page.md", "# Title\n\n" + block("models results=baseline"))
    publish(page)
    text = page.read_text()
    row = next(line for line in text.splitlines() if line.startswith("| mlp"))
    page.write_text(text.replace(row, row.replace("7,510", "7,511")))
    number = text.splitlines().index(row) + 1
    capsys.readouterr()
    assert publish(page, check=True) == 1
    said = capsys.readouterr().err
    assert f"{page}:3: bench:models is stale: line {number} has" in said
    assert "7,511" in said
    assert "7,510" in said


def test_new_results_make_it_stale(docs: Path, make: ModuleType) -> None:
    page = written(docs / "page.md", block("plot results=other name=accuracy-mnist-cpu"))
    publish(page)
    assert publish(page, check=True) == 0
    trial = next(iter(make.Plan(datasets=[make.Component("mnist")], seeds=(0,)).trials()))
    result = make.result_of(trial, run_id="later", finished_at="2026-01-01T00:00:11Z", metrics={"test_accuracy": 0.9})
    writer = Store(docs / "other").writer("later")
    writer.append(result)
    writer.close()
    assert publish(page, check=True) == 1


def test_everything_outside_of_markers_stays_byte_for_byte(docs: Path) -> None:
    outside = ["\ufeffHead\r\n\ttab  \r\n", "mixed\n\u2028line\x0c\r\n\r\n\r\n", "no end of line \u00e9"]
    marker = "<!-- bench:answer results=baseline -->\r\nold\r\n<!-- /bench -->\r\n"
    page = written(docs / "page.md", marker.join(outside))
    publish(page)
    blocks = re.compile(r"(<!-- bench:answer results=baseline -->\r\n)(.*?)(<!-- /bench -->\r\n)", re.DOTALL)
    text = page.read_bytes().decode()
    parts = blocks.split(text)
    assert parts[::4] == outside
    assert all("\n" not in content.replace("\r\n", "") for content in parts[2::4])
    assert "old" not in text


def test_blocks_of_other_results_are_left_alone(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = written(docs / "page.md", block("answer results=other") + block("answer"))
    publish(docs / "baseline", page)
    text = page.read_text()
    assert text.startswith(block("answer results=other"))
    assert "**Which model is best? digits" in text
    assert "1 of other results left alone" in capsys.readouterr().out
    publish(docs / "other", written(docs / "two.md", block("answer results=other") + block("answer results=baseline")))
    assert "On digits" not in (docs / "two.md").read_text()
    with pytest.raises(BenchError, match="no block is of these results"):
        publish(docs / "baseline", written(docs / "three.md", block("answer results=other")))
    with pytest.raises(BenchError, match=r"page\.md:\d+: bench:answer: of which results\?"):
        publish(page)


def test_markers_in_code_are_text(docs: Path) -> None:
    code = "```html\n<!-- bench:nonsense -->\n```\n~~~~\n<!-- /bench -->\n~~~\n~~~~\n"
    code += "    <!-- bench:x -->\n`<!-- bench:y -->`\n"
    page = written(docs / "page.md", code + block("answer results=baseline"))
    publish(page)
    assert page.read_text().startswith(code)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<!-- bench:models results=baseline -->\n| a |\n", "1: bench:models is not closed"),
        ("x\n<!-- bench:models -->\n<!-- bench:answer -->\n<!-- /bench -->\n", "2: bench:models is not closed"),
        ("x\n<!-- /bench -->\n", "2: <!-- /bench --> without a"),
        ("<!-- bench:models\nresults=x\n", "1: this comment is not closed"),
        (block("modles results=baseline"), "1: bench:modles: no such block; did you mean models?"),
        (block("models results=baseline colums=x"), "colums: no such attribute; did you mean columns?"),
        (block("models results=baseline columns=modle"), "columns: modle: no such column; did you mean model?"),
        (block("models results=baseline model"), "cannot read 'model': attributes are key=value"),
        (block("models results=baseline results=other"), "results is given twice"),
        (block("models results=nowhere"), "nowhere: no such suite file or folder"),
        (block("models results=/baseline"), "a folder relative to the document"),
        (block("models results=baseline device=cuda"), "device=cuda: no such value (there are: cpu)"),
        (block("summary results=baseline"), r"batch_size differs (64 and 256) and is neither in rows nor in columns"),
        (block("summary results=baseline metric=acuracy batch_size=64"), "metric=acuracy: no such metric"),
        (block("summary results=baseline rows=seed"), "seeds are the replicates"),
        (block("summary results=baseline digits=0"), "digits=0: 1 to 9"),
        (block("summary results=baseline format=box"), "format=box: no such format"),
        (block("plot results=baseline name=acuracy-digits-cpu"), "no picture acuracy-digits-cpu; did you mean"),
        (block("plot results=baseline"), "name= is missing: which picture?"),
        ("<!-- bench:answer --> here\n<!-- /bench -->\n", "1: 'here' stands behind a marker"),
    ],
)
def test_a_bad_marker_is_one_line_with_file_and_line(docs: Path, text: str, says: str) -> None:
    page = written(docs / "page.md", text)
    with pytest.raises(BenchError) as caught:
        publish(page)
    assert str(caught.value).startswith(f"{page}:")
    assert says in str(caught.value)
    assert page.read_text() == text


def test_a_mistake_in_one_document_leaves_all_as_they_were(docs: Path) -> None:
    good = written(docs / "good.md", block("answer results=baseline"))
    bad = written(docs / "bad.md", block("nothing results=baseline"))
    with pytest.raises(BenchError):
        publish(good, bad)
    assert good.read_text() == block("answer results=baseline")


def cells(text: str) -> list[list[str]]:
    return [[part.strip() for part in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_rows_columns_format_and_digits_are_the_markers(docs: Path) -> None:
    page = written(
        docs / "page.md",
        block("summary results=baseline rows=model columns=batch_size metric=test_accuracy model=cnn,linear")
        + block(
            "summary results=baseline rows=batch_size model=mlp metric=test_accuracy,parameters format=range digits=2"
        ),
    )
    publish(page)
    first, second = page.read_text().split("<!-- /bench -->")[:2]
    table = cells(first)
    assert table[0] == ["model", "batch size 64", "batch size 256"]
    assert [row[0] for row in table[2:]] == ["linear", "cnn"]
    assert all(re.fullmatch(r"(\*\*)?0\.\d+ ± 0\.\d+(\*\*)?", text) for row in table[2:] for text in row[1:])
    table = cells(second)
    assert table[0] == ["batch size", "test accuracy", "parameters"]
    assert [row[2] for row in table[2:]] == ["7,510", "7,510"]
    assert all(re.fullmatch(r"0\.\d\d to 0\.\d\d", row[1].strip("*")) for row in table[2:])
    assert "Conditions:" in first


@pytest.mark.parametrize(
    ("form", "ends", "digits", "text"),
    [
        ("interval", (0.898, 0.926), None, "0.912 ± 0.014"),
        ("interval", (0.898, 0.926), 2, "0.91 ± 0.01"),
        ("interval", (0.9081, 0.9159), 2, "0.91 ± 0.01"),  # never ± 0.00
        ("interval", (0.898, 0.926), 9, "0.912 ± 0.014"),  # never more than the interval supports
        ("range", (0.898, 0.926), None, "0.898 to 0.926"),
        ("mean", (0.85, 0.97), 6, "0.91"),
        ("interval", None, 2, "0.91"),
    ],
)
def test_no_digit_that_the_interval_does_not_support(
    form: str, ends: tuple[float, float] | None, digits: int | None, text: str
) -> None:
    assert figure(0.912, Scale(""), ends=ends, form=form, digits=digits) == text


def test_large_figures_lose_digits_too() -> None:
    scale = Scale("", decimals=0)
    assert figure(123_456.0, scale, ends=(122_000.0, 125_000.0), digits=2) == "120,000 ± 10,000"


def test_what_was_not_measured_has_a_mark_and_says_why(make: ModuleType, tmp_path: Path) -> None:
    results = make.run_of(make.Plan())
    results = [make.result_of(r.trial, status="oom") if r.trial.model.name == "cnn" else r for r in results]
    stored(tmp_path / "mine", results)
    page = written(tmp_path / "page.md", block("summary results=mine metric=test_accuracy"))
    publish(page)
    assert ["cnn", "– (a)"] in cells(page.read_text())
    assert "(a) 5 oom: it did not work." in page.read_text()


def test_pictures_are_linked_or_copied(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = "accuracy-digits-cpu,throughput-by-batch-size-digits-cpu"
    page = written(
        docs / "page.md",
        block(f"plot results=baseline name={names}") + block("plot results=other name=accuracy-mnist-cpu copy=pics"),
    )
    publish(page)
    linked = re.findall(r"\]\(([^)]+\.png)\)", page.read_text())
    assert linked == [
        "baseline/report/plots/accuracy-digits-cpu.png",
        "baseline/report/plots/throughput-by-batch-size-digits-cpu.png",
        "pics/other-accuracy-mnist-cpu.png",
    ]
    assert all((docs / path).read_bytes().startswith(b"\x89PNG") for path in linked)
    assert "![Accuracy on digits by model: every seed" in page.read_text()
    assert publish(page, check=True) == 0
    (docs / linked[2]).write_bytes(b"another picture")
    capsys.readouterr()
    assert publish(page, check=True) == 1
    assert "other-accuracy-mnist-cpu.png is not what the report has" in capsys.readouterr().err


@pytest.mark.parametrize(
    "copy",
    [
        "..",
        "../..",
        "../pics",
        "pics/../../out",
        "a/../b",
        "/tmp",
        "linked",
        "linked/deep",
        "pics/linked",
        "~",
        "~/pics",
        "~root",
        "mine",
        "mine/report/plots",
        "mine/trials",
    ],
)
def test_a_copy_stays_in_the_folder_of_the_document(copy: str, docs: Path) -> None:
    (docs / "here/pics").mkdir(parents=True)
    (docs / "out").mkdir()
    (docs / "here/mine/trials").mkdir(parents=True)  # somebody's results
    for name in ("linked", "pics/linked"):
        (docs / "here" / name).symlink_to(docs / "out")
    page = written(docs / "here/page.md", block(f"plot results=../other name=accuracy-mnist-cpu copy={copy}"))
    before = {path for path in docs.rglob("*") if path.is_file()}
    for check in (True, False):
        with pytest.raises(
            BenchError, match=rf"page.md:1: bench:plot: copy={copy}: pictures and pages go into a folder"
        ) as told:
            publish(page, check=check)
        assert "\n" not in str(told.value)
    assert {path for path in docs.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("kind", ["link", "hard link"])
def test_a_copy_replaces_a_link_and_not_what_it_leads_to(kind: str, docs: Path) -> None:
    precious, picture = written(docs / "precious", "mine"), docs / "pics/other-accuracy-mnist-cpu.png"
    picture.parent.mkdir()
    picture.symlink_to(precious) if kind == "link" else picture.hardlink_to(precious)
    publish(written(docs / "page.md", block("plot results=other name=accuracy-mnist-cpu copy=pics")))
    assert precious.read_text() == "mine"
    assert not picture.is_symlink()
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["other bytes", "a link"])
def test_a_picture_that_bench_has_not_drawn_is_not_published(
    kind: str, docs: Path, rendered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = rendered / "other/report/plots"  # drawing takes seconds
    monkeypatch.setattr("bench.report.render._draw", lambda to, *_: shutil.copytree(again, to, dirs_exist_ok=True))
    drawn = docs / "other/report/plots/accuracy-mnist-cpu.png"
    right, forged = drawn.read_bytes(), written(docs / "secret", "forged")
    drawn.unlink()
    drawn.symlink_to(forged) if kind == "a link" else drawn.write_bytes(b"forged")
    publish(written(docs / "page.md", block("plot results=other name=accuracy-mnist-cpu copy=pics")))
    assert (docs / "pics/other-accuracy-mnist-cpu.png").read_bytes() == right
    assert forged.read_text() == "forged"


def test_restructuredtext_is_what_docutils_reads(make: ModuleType, tmp_path: Path) -> None:
    core = pytest.importorskip("docutils.core")
    models = [make.Component("linear"), make.Component("mlp", HOSTILE)]
    results = make.run_of(make.Plan(models=models))
    results += [make.result_of(trial, status="failed", reason="`x`_ |y| *z* .. w::")
                for trial in make.Plan(models=[make.Component("cnn")]).trials()]  # fmt: skip
    stored(tmp_path / "mine", results)
    names = ("models", "summary", "answer", "conditions", "plot\n   name=accuracy-digits-cpu")
    text = "Title\n=====\n\nA paragraph.\n\n" + "\n".join(block(f"{name} results=mine", "rst") for name in names)
    page = written(tmp_path / "page.rst", text + "\nThe end.\n")
    publish(page)
    assert publish(page, check=True) == 0
    tree = core.publish_doctree(page.read_text(), settings_overrides={"report_level": 1, "halt_level": 2})
    shown = tree.astext()
    assert HOSTILE["note"] in " ".join(shown.split())
    assert "`x`_ |y| *z* .. w::" in " ".join(shown.split())
    assert "The end." in shown
    assert "bench:" not in shown.replace("bench doctor", "").partition("bench:models")[0]
    kinds = [type(node).__name__ for node in tree.findall()]
    assert kinds.count("table") == 3
    assert kinds.count("image") == 1
    assert "target" not in kinds


@pytest.mark.parametrize("kind", ["models", "summary"])
def test_markdown_shows_hostile_names_as_text(make: ModuleType, tmp_path: Path, kind: str) -> None:
    stored(tmp_path / "mine", make.run_of(make.Plan(models=[make.Component("mlp", HOSTILE)])))
    page = written(tmp_path / "page.md", block(f"{kind} results=mine"))
    publish(page)
    assert "<script>" not in page.read_text()
    assert publish(page, check=True) == 0  # nothing in a name is taken for a marker


def test_documents_that_cannot_be(docs: Path) -> None:
    with pytest.raises(BenchError, match=r"page\.txt: neither Markdown nor"):
        publish(docs / "baseline", written(docs / "page.txt", ""))
    with pytest.raises(BenchError, match="cannot be read"):
        publish(docs / "gone.md")
    (docs / "latin.md").write_bytes(b"caf\xe9")
    with pytest.raises(BenchError, match="not UTF-8"):
        publish(docs / "latin.md")
    with pytest.raises(BenchError, match="no block there"):
        publish(written(docs / "empty.md", "nothing"))
    with pytest.raises(BenchError, match="and which document"):
        publish(docs / "baseline")
    rst = written(docs / "page.rst", "text\n.. bench:models results=baseline\n.. /bench\n")
    with pytest.raises(BenchError, match=r"page\.rst:2: an empty line is missing"):
        publish(rst)


def test_random_documents_keep_what_is_not_theirs(docs: Path) -> None:
    """Whatever stands around blocks, publishing twice is publishing once, and the rest is the same."""
    draw = random.Random(0)
    pieces = [
        "text\n",
        "\r\n",
        "| a | b |\n",
        "    code\n",
        "<!-- a comment -->\n",
        "- item\n",
        "\x0b\x85\n",
        "# h\r\n",
    ]
    for _ in range(10):
        outside = ["".join(draw.choices(pieces, k=draw.randrange(6))) for _ in range(3)]
        marker = block("answer results=baseline")
        page = written(docs / "page.md", marker.join(outside))
        publish(page)
        once = page.read_bytes()
        publish(page)
        assert page.read_bytes() == once
        kept = re.split(r"<!-- bench:answer.*?<!-- /bench -->\n", once.decode(), flags=re.DOTALL)
        assert kept == outside
