"""--retry: what did not end well runs again, and what it was before stays on file."""

from __future__ import annotations

import json
from typing import Any

FLAKY = """
import os, pathlib, signal, time
from torch import nn
from bench.registry import model

@model("flaky")
def flaky(input_shape, num_classes, *, way="failed"):
    c, h, w = input_shape
    if not pathlib.Path(os.environ["REPAIRED"]).exists():
        match way:
            case "failed": raise ValueError("not yet")
            case "timeout": time.sleep(60)
            case "oom": raise MemoryError("not yet")
            case "crashed": os.kill(os.getpid(), signal.SIGKILL)
    return nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, num_classes))
"""


def test_every_kind_keeps_the_attempts_before_and_counts_them(project: Any) -> None:
    suite, repaired = project.suite("flaky", extra="[measure]\ntimeout_seconds = 5\n"), project.folder / "repaired"
    kinds = ("failed", "timeout", "oom", "crashed")
    models = ", ".join(f'{{ name = "flaky", way = "{kind}" }}' for kind in kinds)
    suite.write_text(suite.read_text().replace('"flaky"', models))
    (project.folder / "models.py").write_text(FLAKY)
    run = ("run", suite, "--results", project.results)
    assert project.bench(*run, "--no-report", REPAIRED=str(repaired)).code == 1
    assert [row["status"] for row in project.rows()] == list(kinds)
    repaired.touch()
    assert "0 to train · 4 there already" in project.bench(*run, "--dry-run", REPAIRED=str(repaired)).out
    again = project.bench(*run, "--retry", "failed,timeout,oom,crashed", REPAIRED=str(repaired))
    assert (again.code, "4 to train · 0 there already" in again.err) == (0, True)
    assert [row["status"] for row in project.rows()] == ["ok"] * 4
    texts = [path.read_text() for path in sorted((project.results / "mine").glob("trials/*.jsonl"))]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    assert [line["status"] for line in lines] == [*kinds, *["ok"] * 4]
    assert "4 older results of these trials stay on file" in (project.results / "mine/report/report.md").read_text()
    assert project.bench("check", project.results / "mine").code == 0
