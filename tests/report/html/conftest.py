"""Pages of results by hand, and a real Chromium to open them in; without one the tests skip and say so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.analysis.models_table import models_table
from bench.analysis.sections import sections_of
from bench.base.records import Result
from bench.report.html.payload import payload
from bench.report.html.write import page_html
from bench.report.page import Report
from bench.report.render import part_of
from bench.results.frame import latest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def report_of(plan: Any, results: Sequence[Result], folder: Path) -> Report:
    """What `render` hands to the formats of a whole report."""
    found = latest(results, plan)
    parts = (
        part_of(each, models_table(each, name="models"), (), slug=f"{place}", again="")
        for place, each in enumerate(sections_of(found.rows, plan))
    )
    return Report(folder, plan, found, parts=tuple(parts))


Writer = Callable[[Any, Sequence[Result], Path], Path]


@pytest.fixture(scope="session")
def write() -> Writer:
    """Write the page of a plan and its results beside `folder`'s logs and artifacts; where it lies."""

    def written(plan: Any, results: Sequence[Result], folder: Path) -> Path:
        path = folder / "index.html"
        path.write_text(page_html(payload(report_of(plan, results, folder))), encoding="utf-8")
        return path

    return written


def executable() -> str | None:
    """$BENCH_CHROMIUM, or the system's."""
    return os.environ.get("BENCH_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium. A module long: playwright's event loop would be in the way of other tests."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    path = executable()
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium, or set BENCH_CHROMIUM to one")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()
