"""Fault 21, a grid of 10^9 trials: counted first, refused in under a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def test_a_grid_is_counted_before_it_is_expanded(refusal: Callable[..., str]) -> None:
    start = time.monotonic()
    line = refusal("seed = { count = 9223372036854775807 }\nbatch_size = [1, 2]\n")
    assert "18,446,744,073" in refusal("seed = { count = 3074457345618258602 }\nbatch_size = [1, 2]\n")
    assert "55,340,232,221,128,654,842 trials" in line
    assert time.monotonic() - start < 1


def test_the_command_refuses_it_before_it_starts_anything(project: Any, fresh_cache: Any) -> None:
    suite = project.suite("good", seeds="0")
    text = suite.read_text().replace("seed = [0]", "seed = { count = 1000000000 }")
    suite.write_text(text.replace('"good"', '"good", "chatty"'))
    seconds = []
    for command in (("run",), ("run", "--dry-run")):
        done = project.bench(*command, suite, "--results", project.results)
        assert done.code == 2
        assert "grid: 2,000,000,000 trials (" in done.err
        assert done.err.endswith("); at most 1,000,000\n")
        seconds.append(done.seconds)
    assert not list(fresh_cache.iterdir())  # no worker was asked what there is
    assert not project.results.exists()
    # Python, typer and pydantic take 0.5 s of it on an idle core, several times that where others use it.
    assert min(seconds) < 5
