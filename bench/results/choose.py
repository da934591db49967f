"""One trial out of many, by its id or the start of it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.base.records import Result
from bench.errors import BenchError


def newest_ok(results: Sequence[Result], trial: str) -> Result:
    """The newest result that is ok of the one trial whose id begins with `trial`. BenchError where there is none."""
    matching = [result for result in results if result.trial_id.startswith(trial)]
    ids = sorted({result.trial_id for result in matching})
    if len(ids) != 1:
        known = "no such trial" if not ids else f"{len(ids)} trials begin so: {', '.join(ids[:4])}"
        raise BenchError(f"trial {trial!r}: {known}; report/tables/trials.csv lists them")
    ok = [result for result in matching if result.status == "ok"]
    if not ok:
        raise BenchError(f"trial {ids[0]}: it is {matching[-1].status}, so there is no trained model of it")
    return max(ok, key=lambda result: result.finished_at)
