"""The action and the pre-commit hook of the repository: what they call passes, and fails where a block is stale."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from bench.cli.publish import publish
from bench.results.store import Store

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "actions/publish-check/action.yml"
STALE = "bench:summary is stale"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture
def project(make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with results, and two documents with a block each that is up to date."""
    writer = Store(tmp_path / "results/mine").writer("run")
    for each in make.run_of(make.Plan(seeds=(0, 1))):
        writer.append(each)
    writer.close()
    monkeypatch.setattr("bench.report.render.render", lambda *_, **__: None)
    block = "<!-- bench:summary results={}results/mine link=none -->\n<!-- /bench -->\n"
    (tmp_path / "docs/deep").mkdir(parents=True)
    for name, up in (("README.md", ""), ("docs/deep/two words.md", "../../")):
        (tmp_path / name).write_text(block.format(up))
        publish([tmp_path / name])
    return tmp_path


def edited(document: Path) -> None:
    document.write_text(re.sub(r"\d ±", "9 ±", document.read_text()))


def run(*command: str, cwd: Path, **variables: str) -> tuple[int, str]:
    here = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **here, **variables}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def step(project: Path, **inputs: str) -> tuple[int, str]:
    """Runs the last step of the action as a runner does, with its inputs or their defaults."""
    action = read(ACTION)
    values = {name: inputs.get(name, each["default"]) for name, each in action["inputs"].items()}
    assert action["runs"]["using"] == "composite"
    last = action["runs"]["steps"][-1]
    assert last["shell"] == "bash"
    variables = {name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: values[found[1]], text)
                 for name, text in last["env"].items()}  # fmt: skip
    assert "${{" not in last["run"]  # an input is a variable, and never a piece of the script
    (project / "step.sh").write_text(last["run"])
    return run("bash", "--noprofile", "--norc", "-eo", "pipefail", "step.sh", cwd=project, **variables)


def test_the_action_passes_and_fails_where_a_block_is_stale(project: Path) -> None:
    assert step(project) == (0, "1 block up to date\n")
    assert step(project, documents="README.md docs/**/*.md") == (0, "2 blocks up to date\n")
    edited(project / "docs/deep/two words.md")
    assert step(project)[0] == 0
    code, said = step(project, documents="README.md docs/**/*.md")
    assert (code, STALE in said) == (1, True), said


def test_documents_that_are_not_there_fail_the_action(project: Path) -> None:
    assert step(project, documents="README.md none/*.md") == (2, "none/*.md: no such document\n")
    code, said = step(project, documents="$(touch gone);README.md")
    assert code != 0, said
    assert not (project / "gone").exists()


def test_the_hook_passes_and_fails_where_a_block_is_stale(project: Path) -> None:
    (hook,) = read(ROOT / ".pre-commit-hooks.yaml")
    assert not hook["pass_filenames"]
    command = [*shlex.split(hook["entry"]), *hook["args"]]
    assert run(*command, cwd=project) == (0, "1 block up to date\n")
    edited(project / "README.md")
    code, said = run(*command, cwd=project)
    assert (code, STALE in said) == (1, True), said


def test_the_hook_looks_at_documents_and_results() -> None:
    (hook,) = read(ROOT / ".pre-commit-hooks.yaml")
    for name in ("README.md", "docs/guide.rst", "results/mine/trials/run.jsonl"):
        assert re.search(hook["files"], name)
    assert not re.search(hook["files"], "models/mlp.py")


def test_the_document_shows_both_by_their_names() -> None:
    text = (ROOT / "docs/publishing.md").read_text(encoding="utf-8")
    (hook,) = read(ROOT / ".pre-commit-hooks.yaml")
    assert f"id: {hook['id']}" in text
    assert f"/{ACTION.parent.relative_to(ROOT).as_posix()}@" in text
    shown = re.search(r"/publish-check@.*?```", text, re.DOTALL)
    assert shown
    assert set(re.findall(r"^ +(\w+):", shown[0].partition("with:")[2], re.MULTILINE)) <= set(read(ACTION)["inputs"])
