"""The harness at scale: counting, planning against stored results, reports, appends. Each in a fresh process."""

from __future__ import annotations

import shutil

from tests.benchmarks.beside.measured import Json, Settings, alone, ask, command, say

SIZES, QUICK_SIZES = (1_000, 3_000, 10_000, 30_000, 100_000), (200, 1_000)
NEEDED = {"count_seconds": 1.0, "plan_seconds": 10.0, "plan_bytes": 2**30, "report_seconds": 60.0}


def measure(settings: Settings) -> Json:
    """Seconds and bytes of each, by number of results."""
    with alone():
        counted = {rules: ask("scale_child", "count", rules) for rules in ("plain", "rules")}
        say(f"scale: counting {counted}")
        rows = [_at(size, settings) for size in (QUICK_SIZES if settings.quick else SIZES)]
        appends = ask("scale_child", "append", str(settings.work / "append"), "500" if settings.quick else "20000")
    say(f"scale: appends {appends}")
    return {"count": counted, "sizes": rows, "append": appends}


def _at(size: int, settings: Settings) -> Json:
    folder = settings.work / f"scale-{size}"
    made = ask("scale_child", "make", str(folder), str(size))
    suite, results = str(folder / "scale.toml"), str(folder / "results")
    plan = command("-m", "bench", "run", suite, "--results", results, "--dry-run")
    report = command("-m", "bench", "report", suite, "--results", results)
    fresh = command("-m", "bench", "report", suite, "--results", results)
    shutil.rmtree(folder)
    row = {
        "results": size,
        "stored_bytes": made["bytes"],
        "plan_seconds": plan.seconds,
        "plan_bytes": plan.peak_bytes,
        "report_seconds": report.seconds,
        "report_bytes": report.peak_bytes,
        "unchanged_report_seconds": fresh.seconds,
    }
    say(f"scale: {row}")
    return row
