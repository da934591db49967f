"""One row a cell: mean, sd and 95 % interval of every metric over its seeds. Linear in the number of trials."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.base.answers import Answers
from bench.base.metrics import ACCURACY, metric_named
from bench.base.records import TOGETHER
from bench.results.accuracy_intervals import accuracy, agrees
from bench.results.frame import ANSWERS, CELL, COUNTS, SETTINGS, TAIL, TIMING, TORCH, answers_key, pools
from bench.statistics.intervals import interval_ends

if TYPE_CHECKING:
    import pandas as pd

STATISTICS, OVER_SEEDS = ("mean", "sd", "low", "high"), ("seeds_low", "seeds_high")
GROUP, POOL, ORDER = "_group", "_pool", "_order"
POOLED = "n_pooled"


def summary_frame(frame: "pd.DataFrame", *, confidence: float = 0.95) -> "pd.DataFrame":
    """One row for each cell, environment and code of `frame` (from `trials_frame`, or read from trials.csv).

    Timings never pool across environments or code: the seeds of a cell that ran in two environments are two rows.
    What is no timing (accuracy, loss, counts; see bench.base.metrics) pools where cell, torch, device, threads
    and code agree, one result a seed, the newest: both rows have the same. `n` is the number of seeds in the means of
    timings: those that are `ok` there; the others are counted by status. `n_pooled`, the last column, is the number
    in the means of what pools. Versions of torch are in `frame.attrs`, not in trials.csv: of a frame that was read
    from it, and of a row in which no seed is ok, nothing pools.

    The timings of seeds that one process trained at once (engine `vectorized`) are one measurement: `n` counts the
    seeds, but their mean is of one value a process. A metric that some of its seeds lack is left empty. `low`
    and `high` are the t-interval within the metric's bounds; at n = 1 they and `sd` are empty. Those of the accuracy
    hold new test images too, where `frame.attrs` has which were right (bench.results.accuracy_intervals); its
    `seeds_low` and `seeds_high` are the t-interval.
    """
    import pandas as pd

    names = list(frame.columns)
    axes = names[names.index("epochs") + 1 : names.index("test_accuracy")]
    # Metrics start at test_accuracy; those of plugins and the later ones stand after `validity_notes`.
    metrics = names[names.index("test_accuracy") : names.index(TAIL[0])] + names[names.index(TAIL[-1]) + 1 :]
    metrics = [name for name in metrics if name not in TIMING]
    rows = frame.reset_index(drop=CELL not in frame.index.names)
    rows.attrs = {}  # each step below would copy them
    if CELL not in rows:
        # Not by threads: a missing trial does not know them yet, and those of the others are in their environment.
        keys = [name for name in _cell_columns(axes) if name != "threads"]
        rows[CELL] = rows.groupby(keys, dropna=False, sort=False).ngroup()
    rows[["environment_id", "code_id"]] = rows[["environment_id", "code_id"]].fillna("")
    rows[ORDER] = range(len(rows))
    rows = _with_groups(rows)
    ids = [*_cell_columns(axes), "environment_id", "code_id"]
    cells = rows.drop_duplicates(GROUP).set_index(GROUP)[ids]
    counts = _counts(rows)
    figures = _figures(rows[rows["status"] == "ok"], metrics, about=frame.attrs, confidence=confidence)
    found = pd.concat([cells, counts.reindex(cells.index, fill_value=0), figures.reindex(cells.index)], axis=1)
    found[POOLED] = found[POOLED].fillna(0).astype(int)
    return found.reset_index(drop=True)


def _cell_columns(axes: list[str]) -> list[str]:
    return [name for name in SETTINGS if name != "seed"] + axes


def _with_groups(rows: "pd.DataFrame") -> "pd.DataFrame":
    """`rows` with the number of the group each belongs to, in order of appearance. A missing trial has no environment
    yet: it is missing in every group that its cell has, or in one of its own."""
    import pandas as pd

    keys = rows[[CELL, "environment_id", "code_id"]]
    missing = rows["status"] == "missing"
    groups = keys[~missing].drop_duplicates()
    orphans = keys[missing & ~keys[CELL].isin(groups[CELL])].drop_duplicates()
    groups = pd.concat([groups, orphans]).sort_index()
    groups[GROUP] = range(len(groups))
    there = rows[~missing].merge(groups, on=[CELL, "environment_id", "code_id"], how="left")
    absent = rows[missing].drop(columns=["environment_id", "code_id"]).merge(groups, on=CELL, how="left")
    # Rows that ran come first, so that the settings of a group (threads!) are taken from one that is known.
    return pd.concat([there, absent]).sort_values(GROUP, kind="stable")


def _counts(rows: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    table = pd.crosstab(rows[GROUP], rows["status"])
    invalid = rows["valid"].astype("boolean").eq(False) & (rows["status"] == "ok")
    table["not_valid"] = invalid.fillna(False).astype(int).groupby(rows[GROUP]).sum()
    found = table.reindex(columns=["ok", *COUNTS], fill_value=0)
    return found.rename(columns={"ok": "n"})


def _figures(ok: "pd.DataFrame", metrics: list[str], *, about: Mapping[Any, Any], confidence: float) -> "pd.DataFrame":
    """Statistics of every group: of its own rows for timings, of its pool's for the rest; then the pool's size."""
    import pandas as pd

    torch = about.get(TORCH, {})
    ok = ok.assign(**{TORCH: ok["environment_id"].map(lambda name: torch.get(name, name))})
    ok[POOL] = ok.groupby([CELL, TORCH, "threads", "code_id"], dropna=False, sort=False).ngroup()
    pooled = ok.sort_values(ORDER).drop_duplicates([POOL, "seed"], keep="last")
    pool_of = ok.groupby(GROUP)[POOL].first()  # an environment has one version of torch and one number of threads
    # Of seeds that one process trained at once, the timings are one measurement: one row a process.
    together = ok["engine"].isin(TOGETHER)
    measured = ok[~together | ~ok.duplicated([GROUP, "run_id"])] if together.any() else ok
    own = _statistics(measured, [name for name in metrics if not pools(name)], by=GROUP, confidence=confidence)
    shared = _statistics(pooled, [name for name in metrics if pools(name)], by=POOL, confidence=confidence)
    _add_accuracies(shared, pooled, about.get(ANSWERS, {}), confidence=confidence)
    shared[POOLED] = pooled.groupby(POOL).size()
    shared = shared.reindex(pool_of).set_axis(pool_of.index)
    names = [f"{name}_{part}" for name in metrics for part in (*STATISTICS, *(OVER_SEEDS if name == ACCURACY else ()))]
    return pd.concat([own, shared], axis=1)[[*names, POOLED]]


def _statistics(ok: "pd.DataFrame", metrics: list[str], *, by: str, confidence: float) -> "pd.DataFrame":
    import pandas as pd

    groups = ok[metrics].astype("float64").groupby(ok[by])
    sizes, present = groups.size(), groups.count()
    whole = present.eq(sizes, axis=0)
    means, sds = groups.mean().where(whole), groups.std(ddof=1).where(whole)
    found: dict[str, Any] = {}
    for name in metrics:
        bounds = metric_named(name).bounds
        ends = interval_ends(means[name], sds[name], sizes, bounds=bounds, confidence=confidence)
        columns = zip(STATISTICS, (means[name], sds[name], *ends), strict=True)
        found |= {f"{name}_{part}": values for part, values in columns}
    return pd.DataFrame(found, index=sizes.index)


def _add_accuracies(
    shared: "pd.DataFrame", pooled: "pd.DataFrame", stored: Mapping[str, Any], *, confidence: float
) -> None:
    """Puts the t-intervals over seeds of the accuracy, one row a pool, into their own columns, and into `low` and
    `high` what `stored` answers of the same rows give."""
    ends = [f"{ACCURACY}_{part}" for part in ("low", "high")]
    for end, over_seeds in zip(ends, OVER_SEEDS, strict=True):
        shared[f"{ACCURACY}_{over_seeds}"] = shared[end]
    if not stored:
        return
    for pool, rows in pooled.groupby(POOL):
        keys = map(answers_key, rows["trial_id"], rows["environment_id"])
        answers = [Answers(**found) if (found := stored.get(key)) else None for key in keys]
        values = rows[ACCURACY].astype("float64").tolist()
        if all(each is not None and agrees(each, value) for each, value in zip(answers, values, strict=True)):
            found = accuracy(values, answers, confidence=confidence)
            shared.loc[pool, ends] = [found.low, found.high]
