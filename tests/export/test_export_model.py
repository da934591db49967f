"""`bench export-model` as a user calls it."""

from __future__ import annotations

import json
from typing import Any

import torch


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
    assert (done.code, "model 'good': a plugin registers it" in done.err) == (2, True), done.err
    assert project.bench("export-model", trial, "-o", out, "--plugin", project.folder / "models.py").code == 0
