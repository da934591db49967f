"""`bench status`: how far the runs into a folder of results are."""

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, BenchError

if TYPE_CHECKING:
    from bench.base.records import Json
    from bench.planning.progress import Progress, RunState
    from bench.results.store import Store
    from bench.suite.plan import Suite

SCHEMA = 1  # of what --json prints
CLEAR = "\x1b[2J\x1b[H"


def status(
    target: opt.Target,
    results: opt.Results = opt.RESULTS,
    watch: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Look again every so many seconds until no run goes on.")
    ] = None,
    json_: opt.Json = False,
) -> int:
    """Show how far a run is, and how long it still takes.

    Done, failed, running, left. Reads the folder of results only.

    \b
    Examples:
      python -m bench status results/mnist
      python -m bench status suites/mnist.toml --watch 10
      python -m bench status results/mnist --json
    """
    from bench.execute.opening_lines import title_line, wrapped
    from bench.planning.progress import look
    from bench.planning.text import status_text, to_decide_text
    from bench.results.store import Store
    from bench.suite.read import read_suite

    if watch is not None and not 0.5 <= watch < float("inf"):
        raise BenchError(f"--watch {watch:g}: expected seconds, half a one at least")
    is_suite = target.suffix == ".toml" or target.is_file()
    store = Store(results / read_suite(target).name if is_suite else target)
    pretty = sys.stdout.isatty()
    while True:
        suite, found = look(store)
        if json_:
            print(json.dumps(_progress_json(suite, store, found)), flush=True)
        else:
            sys.stdout.write(CLEAR if pretty and watch is not None else "")
            print(status_text(title_line(suite), found, pretty=pretty), flush=True)
            for more in (to_decide_text(suite), _search_text(suite, store)):
                if more:
                    print("\n".join(wrapped(more)), flush=True)
        if watch is None or not found.alive:
            return EXIT_OK
        time.sleep(watch)
        if not pretty and not json_:
            print()


def _search_text(suite: "Suite", store: "Store") -> str:
    """How far the searches are; empty where the suite has none, or they are at their end."""
    from bench.planning.search_text import search_line
    from bench.results.searches import searches_of

    found = searches_of(suite, store.searches)
    if suite.tune is None or all(search.done for search in found):
        return ""
    return f"{search_line(suite.tune, found)}; the trials at what it chooses are in no number here"


def _search_json(suite: "Suite", store: "Store") -> "Json":
    from bench.results.searches import searches_of

    found = searches_of(suite, store.searches)
    tried = sum(each.status != "missing" for search in found for each in search.tried)
    seconds = round(sum(search.seconds for search in found), 3)
    ended = sum(search.done for search in found)
    return {"searches": len(found), "ended": ended, "settings_tried": tried, "seconds": seconds}


def _progress_json(suite: "Suite", store: "Store", found: "Progress") -> "Json":
    from bench.planning.progress import count_json

    return {
        "schema": SCHEMA,
        "suite": suite.name,
        "runs": [_run_json(run) for run in found.runs],
        "devices": {name: count_json(count) for name, count in found.devices.items()},
        "total": count_json(found.all),
        "search": None if suite.tune is None else _search_json(suite, store),
        "until_decided": None
        if suite.decide is None
        else {
            "most_seeds": suite.decide.most_seeds,
            "why_ended": suite.decide.why,
            "pairs": len(suite.decisions),
            "open": sum(each.verdict == "open" for each in suite.decisions),
        },
    }


def _run_json(run: "RunState") -> "Json":
    return {
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
