"""Sites of MkDocs and Sphinx, built strictly, with results outside of the documents and every kind of block."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.cli.publish import publish as command
from bench.publish.blocks import KINDS
from bench.results.store import Store

BLOCKS = {
    "models": "",
    "summary": "rows=model,environment",
    "plot": "plot=accuracy,pairs copy=pictures",
    "answer": "link=copy copy=pictures notes=full",
    "pairs": "link=https://example.org/results notes=none",
    "machines": "",
    "conditions": "",
    "history": "model=mlp",
    "compare": "by=environment",
    "duel": "",
}
NAME = "mlp(note=a|b_ <i> `c`)"
MKDOCS = "site_name: Results\ntheme: {name: material, font: false}\nplugins: []\nmarkdown_extensions: [tables]\n"
SPHINX = "project = 'Results'\nextensions = ['myst_parser']\nexclude_patterns = ['_build']\n"


def stored(folder: Path, results: list[Any], *, run: str = "run") -> None:
    writer = Store(folder).writer(run)
    for result in results:
        writer.append(result)
    writer.close()


@pytest.fixture(scope="module")
def root(make: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`results` with a name that markup would take for its own, two machines and two runs, and those of a duel."""
    folder = tmp_path_factory.mktemp("sites")
    plan = make.Plan(
        models=[make.Component("linear"), make.Component("mlp", {"note": "a|b_ <i> `c`"}), make.Component("cnn")]
    )
    for day in (1, 2):
        changes = {"run_id": f"day{day}", "finished_at": f"2026-01-0{day}T00:00:10Z"}
        stored(folder / "results/mine", [make.result_of(each, **changes) for each in plan.trials()], run=f"day{day}")
    there = [make.result_of(each, environment=make.OTHER_MACHINE, run_id="other") for each in plan.trials()]
    stored(folder / "results/mine", there, run="other")
    for side in "AB":
        changes = {"run_id": f"side{side}"}
        stored(folder / f"results/mine-duel/now/{side}", [make.result_of(each, **changes) for each in plan.trials()])
    return folder


def page(path: Path, blocks: dict[str, str]) -> Path:
    """A document with these blocks, published."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rst = path.suffix == ".rst"
    text = "Results\n=======\n\n" if rst else "# Results\n\n"
    for name, own in blocks.items():
        results = "../results/mine-duel" if name == "duel" else "../results/mine"
        said = {"link": "link=none", "notes": "notes=once"}
        options = " ".join([own, *(each for key, each in said.items() if f"{key}=" not in own)])
        marker = f"bench:{name} results={results} {options}"
        text += f".. {marker}\n.. /bench\n\n" if rst else f"<!-- {marker} -->\n<!-- /bench -->\n\n"
    path.write_text(text)
    assert command([path]) == 0
    assert command([path], check=True) == 0
    return path


def build(*arguments: object, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def mkdocs(folder: Path) -> tuple[int, str]:
    (folder / "mkdocs.yml").write_text(f"{MKDOCS}docs_dir: docs\n")
    return build("mkdocs", "build", "--strict", "--site-dir", folder / "site", cwd=folder)


def sphinx(folder: Path) -> tuple[int, str]:
    (folder / "conf.py").write_text(SPHINX)
    return build("sphinx", "-W", "--keep-going", "-b", "html", folder, folder / "_build", cwd=folder)


def shown(html: Path) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html.read_text()))


def test_every_kind_of_block_is_tried() -> None:
    assert set(BLOCKS) | {"tuning"} == set(KINDS)  # of plain tables, as `pairs` is; it needs a suite with [tune]


def test_mkdocs_builds_strictly(root: Path) -> None:
    page(root / "docs/index.md", BLOCKS)
    code, said = mkdocs(root)
    assert (code, "WARNING  -" in said) == (0, False), said
    html = (root / "site/index.html").read_text()
    assert html.count("<table>") >= 8
    assert NAME in shown(root / "site/index.html")
    pictures = set(re.findall(r'src="(pictures/[^"]+)"', html))
    assert len(pictures) == 4  # of two machines
    assert all((root / "site" / each).read_bytes().startswith(b"\x89PNG") for each in pictures)
    assert 'href="pictures/mine.html"' in html
    assert (root / "site/pictures/mine.html").read_bytes() == (root / "results/mine/report/index.html").read_bytes()


def test_mkdocs_refuses_links_that_leave_the_documents(root: Path) -> None:
    """Without this the test above could not fail."""
    other = root / "docs/other.md"
    page(other, {"models": ""})
    other.write_text(other.read_text() + "\n[report](../results/mine/report/report.md)\n")
    code, said = mkdocs(root)
    other.unlink()
    assert code != 0
    assert "results/mine/report/report.md" in said


@pytest.mark.parametrize("ending", ["md", "rst"])
def test_sphinx_builds_without_a_warning(ending: str, root: Path) -> None:
    blocks = BLOCKS if ending == "md" else {**BLOCKS, "answer": "notes=full"}
    page(root / f"sphinx-{ending}/index.{ending}", blocks)
    code, said = sphinx(root / f"sphinx-{ending}")
    assert (code, "WARNING" in said) == (0, False), said
    html = root / f"sphinx-{ending}/_build/index.html"
    assert html.read_text().count("<table") >= 8
    assert NAME in shown(html)
    assert len(set(re.findall(r'src="(_images/[^"]+)"', html.read_text()))) == 4


def test_sphinx_refuses_pictures_that_are_not_there(root: Path) -> None:
    where = page(root / "sphinx-open/index.md", {"conditions": ""})
    where.write_text(where.read_text() + "\n![a plot](../results/mine/report/plots/nothing.png)\n")
    code, said = sphinx(root / "sphinx-open")
    assert code != 0
    assert "nothing.png" in said
