"""What docs/security.md says: no way from a stranger's text to eval, pickle, a shell, or a path outside its folder."""

# ruff: noqa: E501  # short programs, one a line

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = [*sorted((ROOT / "bench").rglob("*.py")), *sorted((ROOT / "models").rglob("*.py"))]
GOLDEN = ROOT / "tests/results/golden"

# Ways to run what a text says. `exec_module` of importlib is how a plugin is loaded: code, and trusted as such.
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
METHODS = {
    "os.system", "os.popen", "os.execv", "os.spawnv", "subprocess.getoutput", "subprocess.getstatusoutput",
    "marshal.loads", "marshal.load", "shelve.open", "pandas.read_pickle", "pd.read_pickle", "pd.eval", "yaml.load",
    "joblib.load", "cloudpickle.loads", "dill.loads", "runpy.run_path", "tempfile.mktemp",
}  # fmt: skip
EXTRACTS = {"extract", "extractall", "unpack_archive"}
# The one file that may name pickle: it is what refuses everything in one.
UNPICKLER = "bench/worker/datasets/restricted_pickle.py"


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def forbidden(path: Path) -> Iterator[str]:
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    for function, call in calls(path):
        keywords = {word.arg: ast.unparse(word.value) for word in call.keywords}
        wrong = (
            function in CALLS
            or function in METHODS
            or function.rpartition(".")[2] in EXTRACTS
            or keywords.get("shell", "False") != "False"
            or (function == "torch.load" and keywords.get("weights_only") != "True")
            or (function in ("np.load", "numpy.load", "np.save") and keywords.get("allow_pickle") != "False")
            or (function.startswith("pickle.") and function != "pickle.UnpicklingError" and name != UNPICKLER)
        )
        if wrong:
            yield f"{name}:{call.lineno}: {function}"


def test_nothing_runs_what_a_text_says() -> None:
    assert len(FILES) > 100
    assert not [found for path in FILES for found in forbidden(path)]


def test_only_one_file_knows_pickle() -> None:
    known = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.name.split(".")[0] in ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve")
        or getattr(node, "module", None) == "pickle"
    }
    assert known == {UNPICKLER}


@pytest.mark.parametrize(
    "code",
    ["eval('1')", "import os\nos.system('x')", "import subprocess as s\ns.run('x', shell=True)", "import torch\ntorch.load('x')",
     "import torch\ntorch.load('x', weights_only=False)", "import numpy as np\nnp.load('x')", "import pickle\npickle.loads(b'')",
     "import tarfile\ntarfile.open('x').extractall()"],
)  # fmt: skip
def test_the_check_sees_what_it_looks_for(code: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(code)
    assert list(forbidden(tmp_path / "wrong.py"))


def bench(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_a_report_is_not_written_through_a_link(tmp_path: Path) -> None:
    """Its report/ is a link to a folder of the user's, where a report would replace and remove files."""
    folder, mine = tmp_path / "smoke", tmp_path / "mine"
    (folder / "trials").mkdir(parents=True)
    (folder / "trials/a.jsonl").write_bytes((GOLDEN / "results-1.jsonl").read_bytes())
    (mine / "tables").mkdir(parents=True)
    (mine / "tables/precious.csv").write_text("1")
    (folder / "report").symlink_to(mine)
    done = bench("report", folder, cwd=tmp_path)
    assert done.returncode == 2
    assert "report: is a link" in done.stderr
    assert [path.name for path in mine.rglob("*")] == ["tables", "precious.csv"]


def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(tmp_path: Path) -> None:
    folder = tmp_path / "smoke"
    (folder / "trials").mkdir(parents=True)
    (folder / "trials/a.jsonl").write_bytes((GOLDEN / "results-1.jsonl").read_bytes())
    for name in ("trials/b.jsonl", "suite.json"):
        os.mkfifo(folder / name)
    done = bench("export", folder, cwd=tmp_path)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4)


def test_a_strangers_folder_runs_no_plugin_and_writes_nowhere_else(tmp_path: Path) -> None:
    """Its plan names a plugin, its results paths that escape, its texts markup; then it is read by every reader."""
    folder, mark = tmp_path / "stranger" / "smoke", tmp_path / "ran"
    (folder / "trials").mkdir(parents=True)
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    suite = json.loads((GOLDEN / "suite-1.json").read_bytes())
    suite |= {"plugins": [str(tmp_path / "evil.py")], "title": "<script>alert(1)</script> $(touch ran)"}
    (folder / "suite.json").write_text(json.dumps(suite))
    lines = [json.loads(line) for line in (GOLDEN / "results-1.jsonl").read_text().splitlines()]
    lines += [lines[0] | {"run_id": "../../../outside", "finished_at": "2100"}]
    lines += [lines[0] | {"trial_id": "../../../../outside", "finished_at": "2100"}]
    (folder / "trials/a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = sorted(path for path in tmp_path.rglob("*") if folder not in path.parents)
    for arguments in (["report", folder], ["check", folder], ["export", folder, "--format", "json"]):
        done = bench(*arguments, cwd=tmp_path)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (0, 1)
    assert not mark.exists()
    assert before == sorted(path for path in tmp_path.rglob("*") if folder not in path.parents)
    page = (folder / "report/report.md").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "2 damaged lines" in page
