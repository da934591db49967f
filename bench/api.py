"""For notebooks: run, load, summarize, compare. What `import bench` gives, imported when it is called for."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, nearest
from bench.suite.stored import suite_from_json

if TYPE_CHECKING:
    import pandas as pd

    from bench.comparison.ask import ShownComparison

LISTS = frozenset({"sets", "only", "plugins"})


def run(suite: str | Path, *, results: str | Path = "results", **options: Any) -> "pd.DataFrame":
    """Run a suite as `bench run` does and give its trials, one row each (see `load`).

    `suite`: a suite file, or the name of one that comes with bench ("baseline").

    `options`: sets, only, data_root, executor, shard, fresh, retry, plugins, timeout_seconds, budget ("30m"),
    wait_quiet ("5m"), until_decided, address, place, as on the command line. Raises BenchError for a mistake in the
    suite. No report is rendered.
    """
    from bench.execute.prepare import Options
    from bench.execute.progress import make_voice
    from bench.run_suite import run_suite
    from bench.suite.shipped import suite_file

    known = {field.name for field in fields(Options)} - {"suite", "results"}
    if unknown := sorted(set(options) - known):
        choices = ", ".join(sorted(known))
        raise BenchError(f"bench.run: unknown option {unknown[0]}{nearest(unknown[0], known)} (there are: {choices})")
    for name in LISTS & set(options):  # one string is a list of one
        options[name] = (options[name],) if isinstance(options[name], str) else tuple(options[name])
    if options.get("data_root") is not None:
        options["data_root"] = Path(options["data_root"])
    ran = run_suite(Options(suite=suite_file(Path(suite)), results=Path(results), **options), voice=make_voice())
    return load(ran.store.folder)


def load(results: str | Path) -> "pd.DataFrame":
    """The trials of a folder `results/<suite>`, one row each, in the columns of `tables/trials.csv`.

    Raises BenchError where there are none, or where a newer bench wrote them.
    """
    from bench.results.frame import trials_frame
    from bench.results.store import Store

    store = Store(Path(results))
    store.refresh_some()
    stored = store.load_suite()
    return trials_frame(store.results, None if stored is None else suite_from_json(stored))


def summarize(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row a cell: mean, sd and 95 % t-interval of every metric over the seeds, and n."""
    from bench.results.summary import summary_frame

    return summary_frame(frame)


def compare(
    a: str | Path,
    b: str | Path | None = None,
    *,
    by: str = "",
    values: Sequence[str] = (),
    metric: str = "train_samples_per_second",
) -> "ShownComparison":
    """`b` against `a`: folders of results, or with `by` (environment, date, commit, device, engine, precision, model,
    any setting) two values of an axis within `a`, as `bench compare` does.

    The answer has `.frame` (one row a cell: ratio B / A with its 95 % interval, verdict, difference of accuracy),
    `.overall` (geometric mean of the ratios), `.verdict` (that of the cells where they agree, else ambiguous),
    `.differences`; `print` shows what the command prints.
    Raises BenchError where there is nothing, or nothing in common.
    """
    from bench.comparison.ask import compare_folders

    return compare_folders(Path(a), None if b is None else Path(b), by=by, values=values, metric=metric)
