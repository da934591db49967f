"""What `bench plan` and `bench status` do, from Python values to an exit code."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.base.records import Json
from bench.errors import EXIT_OK, BenchError
from bench.planning.progress import Standing, count_json, span_json, standing
from bench.planning.text import ahead_text, standing_text
from bench.results.status import now, statuses
from bench.results.store import Store
from bench.suite.plan import Suite
from bench.suite.read import read_suite
from bench.suite.stored import suite_from_json

if TYPE_CHECKING:
    from bench.execute.pilot import Look
    from bench.execute.prepare import Options
    from bench.planning.estimate import Part

SCHEMA = 1  # of what --json prints


def status(target: Path, *, results: Path, watch_seconds: float | None, as_json: bool) -> int:
    """Print where the runs into a folder stand; with `watch_seconds` again and again until none goes on."""
    if watch_seconds is not None and not 0.5 <= watch_seconds < float("inf"):
        raise BenchError(f"--watch {watch_seconds:g}: expected seconds, half a one at least")
    folder = results / read_suite(target).name if target.suffix == ".toml" or target.is_file() else target
    store = Store(folder)
    while True:
        suite, found = _look(store)
        if as_json:
            print(json.dumps(_standing_json(suite, found)), flush=True)
        else:
            pretty = sys.stdout.isatty()
            if pretty and watch_seconds is not None:
                sys.stdout.write("\x1b[2J\x1b[H")
            title = suite.name if suite.title == suite.name else f"{suite.name} · {suite.title}"
            print(standing_text(title, found, pretty=pretty), flush=True)
        if watch_seconds is None or not found.alive:
            return EXIT_OK
        time.sleep(watch_seconds)
        if not sys.stdout.isatty() and not as_json:
            print()


def _look(store: Store) -> tuple[Suite, Standing]:
    told = statuses(store.folder)  # before the results: a run that ends in between has stored all of them
    if not store.folder.is_dir() or (stored := store.load_suite()) is None:
        raise BenchError(
            f"{store.folder}: no run has planned anything there (no suite.json); give results/NAME, or the suite file "
            "with --results"
        )
    store.refresh()
    suite = suite_from_json(stored)
    return suite, standing(suite, store.results, told, at=now())


def _standing_json(suite: Suite, found: Standing) -> Json:
    runs = [
        {
            "run_id": run.status.run_id,
            "pid": run.status.process.pid,
            "state": ("waiting" if run.status.phase == "waiting" else "running") if run.alive else "killed",
            "this_machine": run.ours,
            "heard_seconds_ago": round(run.heard_seconds, 3),
            "at_work": [
                {
                    "trial_id": job.trial.trial_id,
                    "trials": job.trials,
                    "seconds": round(job.for_seconds, 3),
                    "expected_seconds": job.expected_seconds,
                }
                for job in run.at_work
            ],
        }
        for run in found.runs
    ]
    devices = {name: count_json(count) for name, count in found.devices.items()}
    return {"schema": SCHEMA, "suite": suite.name, "runs": runs, "devices": devices, "total": count_json(found.all)}


def plan(options: Options, *, prices: Sequence[str], pilot: bool | None, as_json: bool) -> int:
    """Print what a run with `options` is going to take. Progress of the pilot goes to stderr."""
    from bench.execute.opening_lines import counts, wrapped
    from bench.execute.pilot import look_ahead
    from bench.execute.progress import Voice
    from bench.execute.signals import Stopped

    try:
        look = look_ahead(options, prices=prices, pilot=pilot, voice=Voice())
    except Stopped as stopped:
        sys.stderr.write(f"stopped by {stopped}; nothing is stored\n")
        return stopped.exit_code
    if as_json:
        print(json.dumps(_look_json(look)))
        return EXIT_OK
    suite = look.prepared.suite
    print(suite.name if suite.title == suite.name else f"{suite.name} · {suite.title}")
    for line in [*counts(look.plan), *_known_from(look)]:
        print("\n".join(wrapped(line)))
    print("\n" + ahead_text(look.ahead, pretty=sys.stdout.isatty()))
    return EXIT_OK


def _known_from(look: Look) -> list[str]:
    """Where the figures come from."""
    found = [f"  from {look.earlier:,} earlier trials of this environment"] if look.earlier else []
    done = look.piloted
    if done is not None:
        of = "" if done.kinds == done.of_kinds else f" of {done.of_kinds:,}"
        found.append(
            f"  from a pilot: {done.trials:,} short trials of {done.kinds:,}{of} kinds in {done.seconds:.0f} s"
        )
        found += [f"  not ok in the pilot: {text}" for text in done.problems]
    return found


def _look_json(look: Look) -> Json:
    done, ahead = look.piloted, look.ahead
    pilot = None if done is None else {
        "trials": done.trials, "kinds": done.kinds, "of_kinds": done.of_kinds, "seconds": round(done.seconds, 3),
        "problems": done.problems,
    }  # fmt: skip
    rows = [
        {
            "model": row.trial.model.label,
            "dataset": row.trial.dataset.label,
            "device": row.kind.device,
            "batch_size": row.kind.batch_size,
            "jobs": row.jobs,
            "seeds_a_job": row.kind.seeds,
            "seconds_a_job": None if row.each is None else round(row.each.seconds, 3),
            "looked_at": row.looked_at,
        }
        for row in ahead.rows
    ]
    devices = {name: _part_json(part) for name, part in ahead.devices.items()}
    return {
        "schema": SCHEMA,
        "suite": look.prepared.suite.name,
        "earlier_jobs": look.earlier,
        "pilot": pilot,
        "devices": devices,
        "total": _part_json(ahead.all),
        "kinds": rows,
        "upper_bound": ahead.upper,
    }


def _part_json(part: Part) -> Json:
    from bench.planning.estimate import memory_json

    return {
        "trials": part.trials,
        "there": part.there,
        "to_run": part.to_run,
        "unknown": part.unknown,
        "seconds": None if part.seconds is None else span_json(part.seconds),
        "memory": memory_json(part),
        "price_of_an_hour": part.price,
        "cost": None if part.cost is None else span_json(part.cost),
    }
