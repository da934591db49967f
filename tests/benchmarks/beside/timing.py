"""What `measure.timing_seconds` buys: half-widths of the baseline's ratios, and what a run of it takes, by value.

The values alternate within a round, so that what the machine does meanwhile it does to all of them. How quiet it was is
read before every round, as `bench run --wait-quiet` reads it.
"""

from __future__ import annotations

import math
import shutil
from collections import Counter
from pathlib import Path

import bench
from bench.execute.quiet import wait_until_quiet
from tests.benchmarks.beside.grid import ONLY, QUICK, SUITE
from tests.benchmarks.beside.measured import Json, Settings, command, say

SECONDS = (0.0, 0.1, 0.2, 0.5, 1.0)
MODELS = ("linear", "mlp", "cnn")  # each but the first is compared with the first
MOST_WAIT_SECONDS = 60.0
GOAL = 0.05


def measure(settings: Settings) -> Json:
    """By value of timing_seconds: seconds of each run from command to report, half-widths of its ratios by round, and
    how many of its trials were in each state of trust."""
    found: Json = {"readings": [], "sides": {}}
    for number in range(settings.rounds):
        found["readings"].append(wait_until_quiet(MOST_WAIT_SECONDS, say=say))
        for seconds in SECONDS if number % 2 == 0 else SECONDS[::-1]:
            side = found["sides"].setdefault(f"{seconds:g}", {"seconds": [], "half_widths": [], "states": Counter()})
            results = settings.work / f"timing-{seconds:g}"
            shutil.rmtree(results, ignore_errors=True)
            arguments = ("--results", str(results), "--set", f"measure.timing_seconds={seconds}")
            timed = command("-m", "bench", "run", str(SUITE), *ONLY, *arguments, *(QUICK if settings.quick else ()))
            side["seconds"].append(round(timed.seconds, 3))
            frame = bench.load(results / "baseline")
            side["states"] += Counter(frame["timing"][frame["status"] == "ok"])
            side["half_widths"].append(_half_widths(results / "baseline"))
            widths = ", ".join(f"{100 * width:.1f}" for width in side["half_widths"][-1])
            say(f"timing_seconds {seconds:g}: {timed.seconds:.1f} s; half-widths of the ratios {widths} %")
        settings.keep(found)
    return found


def _half_widths(results: Path) -> list[float]:
    """Half the width of the interval of each ratio, on its logarithm; without those that have no interval."""
    rows = [
        row
        for model in MODELS[1:]
        for row in bench.compare(results, by="model", values=(MODELS[0], model)).frame.to_dict("records")
    ]
    return [round(math.log(row["ratio_high"] / row["ratio_low"]) / 2, 5) for row in rows if row["ratio_low"]]
