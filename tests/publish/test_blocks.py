"""What a marker can ask of a block: links, notes, pictures by kind; pairs, machines, history, compare."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.cli.publish import publish as command
from bench.errors import BenchError
from bench.publish.blocks import KINDS, LEFT_OUT
from bench.results.store import Store


def stored(folder: Path, results: list[Any], *, run: str = "run") -> Path:
    writer = Store(folder).writer(run)
    for result in results:
        writer.append(result)
    writer.close()
    return folder


@pytest.fixture(scope="session")
def results(make: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`two` (two data sets, two machines), `one`, `faster` and `daily` (three runs)."""
    folder = tmp_path_factory.mktemp("results")
    plan = make.Plan(datasets=[make.Component("digits"), make.Component("mnist")], batch_sizes=(64, 256))
    trials = list(plan.trials())
    elsewhere = [make.result_of(trial, environment=make.OTHER_MACHINE, run_id="other") for trial in trials]
    stored(folder / "two", [*map(make.result_of, trials), *elsewhere])
    stored(folder / "one", [faster(make, each, by=1.0) for each in make.Plan().trials()])
    stored(folder / "faster", [faster(make, each, by=1.2, run_id="later") for each in make.Plan().trials()])
    for day in range(1, 4):
        changes = {"run_id": f"day{day}", "finished_at": f"2026-01-0{day}T00:00:10Z"}
        results = [faster(make, trial, by=1 + day / 10, **changes) for trial in make.Plan().trials()]
        stored(folder / "daily", results, run=f"day{day}")
    return folder


@pytest.fixture
def docs(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`here/` for documents, and the results outside of it. Their reports are not drawn, which takes seconds: the files
    of theirs that are asked for hold their own names."""
    shutil.copytree(results, tmp_path, dirs_exist_ok=True)

    def render(folder: Path, **_: object) -> None:
        names = ("accuracy-digits-cpu", "accuracy-mnist-cpu", "pairs-digits-cpu", "learning-epochs-digits-cpu")
        for name in [f"plots/{each}.png" for each in names] + ["index.html"]:
            (folder / "report" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "report" / name).write_text(f"{folder.name} {name}")

    monkeypatch.setattr("bench.report.render.render", render)
    (tmp_path / "here").mkdir()
    return tmp_path


def faster(make: ModuleType, trial: Any, *, by: float, **changes: Any) -> Any:
    metrics = make.result_of(trial).metrics
    speed = by * metrics["train_samples_per_second"]
    return make.result_of(trial, metrics={**metrics, "train_samples_per_second": speed}, **changes)


def published(docs: Path, *markers: str, check: bool = False, name: str = "page.md") -> str:
    page = docs / "here" / name
    page.write_text("\n".join(f"<!-- bench:{each} -->\n<!-- /bench -->\n" for each in markers))
    assert command([page]) == 0
    if check:
        assert command([page], check=True) == 0
    return page.read_text()


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)]*)\)", text)


@pytest.mark.parametrize(
    "block", ["models columns=model,n", "summary", "answer", "pairs", "plot plot=accuracy copy=pics"]
)
@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ("none", set()),
        ("https://example.org/r?a=1", {"https://example.org/r%3Fa=1", "https://example.org/r?a=1"}),
        ("copy copy=pics", {"pics/one.html"}),
    ],
)
def test_links_lead_where_the_marker_says(block: str, link: str, leads_to: set[str], docs: Path) -> None:
    if "copy=" in block:
        link = link.removesuffix(" copy=pics")
    text = published(docs, f"{block} results=../one link={link}", check=True)
    found = [each for each in links(text) if not each.endswith(".png")]
    assert set(found) <= leads_to
    assert bool(found) == bool(leads_to)
    assert "../one" not in text.replace("results=../one", "").replace("[../one]", "")
    for each in found:
        if not each.startswith("http"):
            assert (docs / "here" / each).read_text() == "one index.html"


def test_a_copied_page_is_compared_with_that_of_the_report(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published(docs, "answer results=../one link=copy copy=pics")
    (docs / "here/pics/one.html").write_text("older")
    assert command([docs / "here/page.md"], check=True) == 1
    assert "one.html is not what the report has" in capsys.readouterr().err


def test_results_of_one_name_do_not_take_each_others_place(docs: Path) -> None:
    shutil.copytree(docs / "faster", docs / "others/one")
    markers = [f"plot plot=accuracy link=none results=../{name}" for name in ("one", "others/one")]
    (docs / "others/one/report/plots").mkdir(parents=True)
    published(docs, f"{markers[0]} copy=a", f"{markers[1]} copy=b", check=True)
    published(docs, f"{markers[0]} copy=a", f"{markers[0]} copy=a", check=True)
    name = docs / "others/one/report/plots/accuracy-digits-cpu.png"
    render = "bench.report.render.render"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, lambda *_, **__: None)
        name.write_text("another")
        with pytest.raises(
            BenchError, match=r"page.md:4: bench:plot: another block puts other results at one-accuracy"
        ):
            published(docs, f"{markers[0]} copy=a", f"{markers[1]} copy=a")


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("models link=javascript:alert(1)", "link=javascript:alert(1): none, copy, or an address"),
        ("models link=../report", "link=../report: none, copy, or an address"),
        ('models link="https://a b"', "none, copy, or an address"),
        ("models link=copy", "into which folder? say copy=FOLDER"),
        ("models link=copy copy=..", "copy=..: pictures and pages go into a folder of the document's own"),
        ("models link=copy copy=/tmp", "copy=/tmp: pictures and pages go into"),
        ("models copy=pics", "this block has neither"),
        ("models notes=twice", "notes=twice: no such choice (there are: full, once, none)"),
        ("plot plot=acuracy", "plot=acuracy: no such plot; did you mean accuracy? (there are: accuracy, pairs"),
        ("plot plot=accuracy dataset=digit", "dataset=digit: no such value; did you mean digits?"),
        ("plot plot=accuracy model=mlp", "model: no such attribute"),
        ("plot plot=accuracy name=accuracy-digits-cpu", "name= and plot= both choose"),
        ("plot name=accuracy-digits-cpu dataset=digits", "dataset= filters what plot=KIND chooses"),
        ("pairs model=mlp", "there is no pair"),
        ("pairs format=graph", "format=graph: no such choice"),
        ("machines", "results of one machine alone"),
        ("machines metric=speed", "metric=speed: no such metric"),
        ("history metric=speed", "speed"),
        ("history model=tree", "model=tree: no such value (there are: linear, mlp, cnn)"),
        ("compare", "with what? say against=FOLDER"),
        ("compare against=../faster by=device", "with what?"),
        ("compare against=/tmp", "against=/tmp: a folder relative to the document"),
        ("compare against=../nothing", "nothing: no such suite file or folder"),
        ("compare by=model", "by=model: say which two"),
        ("compare against=../faster device=cpu", "device: no such attribute"),
    ],
)
def test_what_cannot_be_is_one_line(marker: str, says: str, docs: Path) -> None:
    with pytest.raises(BenchError) as caught:
        published(docs, f"{marker} results=../one")
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{docs}/here/page.md:1: bench:")
    assert "\n" not in str(caught.value)


def test_a_machine_that_is_not_there_is_no_base(docs: Path) -> None:
    with pytest.raises(BenchError, match=r"base=deadbeef: no such environment \(there are: \w{8}, \w{8}\)"):
        published(docs, "machines results=../two base=deadbeef")


def test_plots_are_chosen_by_kind_and_filters(docs: Path) -> None:
    text = published(docs, "plot results=../one plot=accuracy,pairs link=none", check=True)
    assert links(text) == ["../one/report/plots/accuracy-digits-cpu.png", "../one/report/plots/pairs-digits-cpu.png"]
    with pytest.raises(BenchError, match=r"no picture accuracy-mnist-cpu-\w{8}"):  # of two machines: not drawn here
        published(docs, "plot results=../two plot=accuracy dataset=mnist")


def sentences(text: str) -> list[str]:
    """What a page says, without its markers, tables and footnotes."""
    return [line for line in text.splitlines() if line and not line.startswith(("<!--", "|", "**", "Bold"))]


def test_notes_once_says_each_sentence_once_and_none_says_none(docs: Path) -> None:
    markers = [f"{block} results=../one link=none" for block in ("summary", "models", "summary rows=model,batch_size")]
    full = sentences(published(docs, *markers))
    once = sentences(published(docs, *(f"{each} notes=once" for each in markers), check=True))
    assert len(set(full)) < len(full)
    assert [each for each in once if each != LEFT_OUT] == list(dict.fromkeys(full))
    assert once.count(LEFT_OUT) == 2
    assert sentences(published(docs, *(f"{each} notes=none" for each in markers), check=True)) == []


def test_notes_of_other_results_are_not_said_yet(docs: Path) -> None:
    markers = [f"summary results=../{name} link=none notes=once" for name in ("one", "faster")]
    text = published(docs, *markers)
    assert LEFT_OUT not in text
    assert text.count("Conditions:") == 2
    assert command([docs / "faster", docs / "here/page.md"], check=True) == 0  # made alone, it is the same


def test_what_explains_a_mark_stays_whatever_the_notes(docs: Path, make: ModuleType) -> None:
    results = [make.result_of(trial) for trial in make.Plan().trials()]
    results = [make.result_of(r.trial, status="oom") if r.trial.model.name == "mlp" else r for r in results]
    stored(docs / "broken", results)
    text = published(docs, "summary results=../broken notes=none", "summary results=../broken notes=once")
    assert text.count("– (a) |") == 2
    assert text.count("(a) 5 oom: it did not work.") == 2
    assert text.count("Bold: ") == 2


def cells(text: str) -> list[list[str]]:
    return [[part.strip() for part in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_pairs_are_a_matrix_of_the_ladder(docs: Path) -> None:
    text = published(docs, "pairs results=../one", check=True)
    assert "**Pairs of models on digits · cpu · 5 seeds**" in text
    head, _, *rows = cells(text)
    assert head == ["", "cnn", "mlp"]
    assert [row[0] for row in rows] == ["mlp", "linear"]
    assert rows[0][2] == ""
    assert all(re.fullmatch(r"\+\d+\.\d \[.+\] yes", text) for text in (rows[0][1], *rows[1][1:]))
    listed = cells(published(docs, "pairs results=../one format=list"))
    assert [row[:3] for row in listed[2:]] == [
        ["digits", "cnn", "mlp"],
        ["digits", "cnn", "linear"],
        ["digits", "mlp", "linear"],
    ]
    two = cells(published(docs, "pairs results=../one model=mlp,cnn"))
    assert [row[1:3] for row in two[2:]] == [["cnn", "mlp"]]


def test_machines_stand_side_by_side_with_ratios_to_one(docs: Path, make: ModuleType) -> None:
    plan = make.Plan()
    slow = [faster(make, trial, by=0.5, environment=make.OTHER_MACHINE, run_id="other") for trial in plan.trials()]
    stored(docs / "both", [*map(make.result_of, plan.trials()), *slow])
    here, there = (each.identity(threads=2)[:8] for each in (make.MACHINE, make.OTHER_MACHINE))
    text = published(docs, "machines results=../both", check=True)
    head, _, *rows = cells(text)
    assert head == ["model", f"{here}: trained samples/s", f"{there}: trained samples/s", f"{there} ×{here}"]
    assert [row[0] for row in rows] == ["linear", "mlp", "cnn"]
    assert all(re.match(r"0.500? \[", row[3]) for row in rows)
    assert "AMD EPYC, 64 cores" in text
    other = cells(published(docs, f"machines results=../both base={there}"))
    assert other[0][2] == f"{here} ×{there}"
    assert all(row[2].startswith("2.00 [") for row in other[2:])
    accuracy = cells(published(docs, "machines results=../both metric=test_accuracy"))
    assert len(accuracy[0]) == 3  # no ratios of accuracies


def test_a_machine_that_did_not_run_a_cell_has_a_dash_that_is_explained(docs: Path, make: ModuleType) -> None:
    here = [make.result_of(trial) for trial in make.Plan().trials()]
    there = [make.result_of(each.trial, environment=make.OTHER_MACHINE, run_id="other") for each in here]
    stored(docs / "part", [*here, *(each for each in there if each.trial.model.name != "cnn")])
    text = published(docs, "machines results=../part notes=none")
    assert cells(text)[-1][2:] == ["–", "–"]
    assert "– not measured on that machine" in text


def test_history_and_compare_are_the_commands_own(docs: Path) -> None:
    text = published(docs, "history results=../daily model=mlp", check=True)
    assert [row[1][:10] for row in cells(text)[2:]] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert "Intel(R) Xeon(R) Processor, 2 cores" in text
    text = published(docs, "compare results=../one against=../faster", check=True)
    table = cells(text)
    at = table[0].index("ratio B / A")
    assert [row[at][:4] for row in table[2:]] == ["1.20"] * 3
    assert "All 3 cells are faster." in text
    text = published(docs, "compare results=../two by=environment metric=fit_seconds notes=none", check=True)
    assert len(cells(text)) == 2 + 12


def test_no_block_names_what_lies_outside_of_the_document(docs: Path) -> None:
    """What strict builds of sites ask for (test_sites.py builds them)."""
    own = {"plot": "plot=accuracy copy=pics", "answer": "link=copy copy=pics", "compare": "against=../faster"}
    kinds = [kind for kind in KINDS if kind not in ("machines", "duel", "tuning")]
    markers = [f"{kind} results=../one notes=once {own.get(kind, '')}" for kind in kinds]
    markers = [each if "link=" in each else f"{each} link=none" for each in markers]
    text = published(docs, *markers, "machines results=../two dataset=digits link=none", check=True)
    found = links(text)
    assert len(found) == 2
    assert all((docs / "here" / each).is_file() and ".." not in each for each in found)
    assert "../" not in re.sub(r"<!--.*?-->", "", text)
