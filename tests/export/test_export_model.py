"""`bench export-model` as a user calls it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.mark.long
def test_the_command(project: Any) -> None:
    suite = project.suite("good")
    assert project.run(suite).code == 0
    (line,) = (project.results / "mine").glob("trials/*.jsonl")
    trial = json.loads(line.read_text())["trial_id"]
    out = project.folder / "good.pt"
    done = project.bench("export-model", suite, trial[:6], "-o", out, "--results", project.results)
    assert (done.code, done.err) == (0, "")
    assert "its logits differ by at most 0.0e+00" in done.out
    assert max(map(len, done.out.splitlines())) <= 80 + len(str(out))
    assert torch.load(out, weights_only=True)
    # A folder is not believed that it names code to run: the plugin has to be given.
    done = project.bench("export-model", trial, "-o", out)
    assert (done.code, "unknown model 'good'" in done.err) == (2, True), done.err
    assert project.bench("export-model", trial, "-o", out, "--plugin", project.folder / "models.py").code == 0


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["deadbeef", "-o", "m.pt"], "trial 'deadbeef': in no folder of results under results"),
        (["deadbeef", "-o", "m.pt", "--format", "onyx"], "--format onyx: there is state-dict, torch-export, onnx; did"),
        (["deadbeef", "-o", "m.pt", "--weights", "first"], "--weights first: there is last, best"),
        (["deadbeef", "-o", "no/m.pt"], "no/m.pt: no folder no; make it"),
        (["a", "b", "c", "-o", "m.pt"], "at most a folder and a trial, not 3 words"),
        (["deadbeef"], "missing option '--output'"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from bench.cli import app as cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", "export-model", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert wanted in err
