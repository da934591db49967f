"""What `bench plan` and `bench status` print: 80 columns, a table of rich where a person looks at a terminal."""

import io
from collections.abc import Iterator, Sequence

from bench.planning.costs import ALLOCATED, HOST, RESERVED, DeviceEstimate, KindEstimate, RunEstimate
from bench.planning.progress import Progress, RunningJob, RunState, TrialCounts
from bench.present.columns import WIDTH, aligned, wrapped
from bench.present.format import DASH, plural, printable, scale_of, significant, span
from bench.present.names import short_names
from bench.statistics.forecast import Span
from bench.suite.plan import Suite

MOST_KINDS = 8
_TIMES = (("h", 3600.0), ("min", 60.0), ("s", 1.0))


def table(rows: Sequence[Sequence[str]], *, pretty: bool) -> str:
    """Rows under their heads: aligned text, or on a terminal a table of rich."""
    if not pretty:
        return "\n".join(aligned(rows))
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    found = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, head in enumerate(rows[0]):
        found.add_column(head, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows[1:]:
        found.add_row(*row)
    console = Console(file=io.StringIO(), width=WIDTH, force_terminal=True, highlight=False, markup=False)
    console.print(found)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def seconds_text(span: Span) -> str:
    """`2.4 min [2.1, 2.8]`"""
    unit, divisor, decimals = _unit(span.value)
    return _interval(span.times(1 / divisor), decimals=decimals, unit=f" {unit}")


def _one(seconds: float) -> str:
    """`2.4 min`"""
    unit, divisor, decimals = _unit(seconds)
    return f"{seconds / divisor:,.{decimals}f} {unit}"


def _unit(seconds: float) -> tuple[str, float, int]:
    """The unit to write a time in, its seconds, and the decimals."""
    unit, divisor = next(((name, size) for name, size in _TIMES if seconds >= 1.5 * size), _TIMES[-1])
    return unit, divisor, 0 if seconds / divisor >= 10 else 1


def money_text(span: Span) -> str:
    """`0.10 [0.09, 0.12]`: to the cent; below 0.10 two digits, from 100 on none behind the point."""
    decimals = max(2, significant(span.value, 2)) if span.value < 0.1 else 2 if span.value < 100 else 0
    return _interval(span, decimals=decimals)


def _interval(span: Span, *, decimals: int, unit: str = "") -> str:
    value, low, high = (f"{each:,.{decimals}f}" for each in (span.value, span.low, span.high))
    return f"{value}{unit} [{low}, {high}]"


def plan_text(found: RunEstimate, *, pretty: bool) -> str:
    """The table by device, then the kinds of trials that take longest, then what to know about it."""
    parts = [table(list(_devices(found)), pretty=pretty)]
    if len(found.rows) > 1:
        parts.append(table(list(_kinds(found.rows)), pretty=pretty))
    return "\n\n".join([*parts, "\n".join(_notes(found))])


def further_text(
    seeds: tuple[int, int], trials: tuple[int, int], seconds: tuple[Span | None, Span | None], *, known: bool
) -> str:
    """How many seeds it is going to take until it is decided, the fewest and the most; `trials`, `seconds`: beyond
    those of the plan."""
    if not trials[1]:
        return "until it is decided: no seeds beyond these are expected"
    low, high = seconds
    time = "" if high is None else f", {_one(high.value)}"
    if low is not None and high is not None and not known:
        time = f", {_one(low.value)} to {_one(high.value)}"
    if not known:
        most = f"{span(trials)} more trials{time}"
        return f"until it is decided: {span(seeds)} seeds a model, no results say how many yet; {most}"
    how = "if their differences stay what they are (an even chance)"
    return f"until it is decided: about {span(seeds)} seeds a model, {how}; {trials[1]:,} more trials{time}"


def _devices(found: RunEstimate) -> Iterator[list[str]]:
    priced = any(part.price is not None for part in found.devices.values())
    peak = any(ALLOCATED in part.memory or RESERVED in part.memory for part in found.devices.values())
    more = [*(["device mem"] if peak else []), *(["cost"] if priced else [])]
    yield ["device", "trials", "there", "to run", "time", "host", *more]
    rows = list(found.devices.items())
    for name, part in [*rows, ("total", found.all)] if len(rows) > 1 else rows:
        counts = [f"{number:,}" for number in (part.trials, part.there, part.to_run)]
        device = part.memory.get(RESERVED, part.memory.get(ALLOCATED))
        memory = [_bytes(part.memory.get(HOST)), *([_bytes(device)] if peak else [])]
        yield [name, *counts, _time(part), *memory, *([money_text(part.cost) if part.cost else DASH] if priced else [])]


def _time(part: DeviceEstimate) -> str:
    if not part.to_run:
        return DASH
    if part.seconds is None:
        return "not known"
    return seconds_text(part.seconds) + (" +?" if part.unknown else "")


def _bytes(value: float | None) -> str:
    if value is None:
        return DASH
    scale = scale_of("bytes", [value])
    return f"{value / scale.divisor:.{1 if value / scale.divisor < 10 else 0}f} {scale.unit}"


def _kinds(rows: Sequence[KindEstimate]) -> Iterator[list[str]]:
    yield ["takes longest", "trials", "each", "together"]
    short = short_names(map(_kind, rows), most=46)
    for row in rows[:MOST_KINDS]:
        times = [DASH, DASH] if row.each is None else [_one(row.each.seconds), _one(row.each.seconds * row.jobs)]
        yield [short[_kind(row)], f"{row.jobs * row.kind.seeds:,}", *times]
    if len(rows) > MOST_KINDS:
        yield [f"… and {plural(len(rows) - MOST_KINDS, 'other kind')}", "", "", ""]


def _kind(row: KindEstimate) -> str:
    trial = row.trial
    return printable(f"{trial.model.label} · {trial.dataset.label} · {trial.device} · batch {trial.batch_size}")


def _notes(found: RunEstimate) -> Iterator[str]:
    notes = ["time: of the trials, with a 95 % interval; importing torch and the report add some seconds"]
    notes.append("memory: the most that a trial of the kind took over its baseline")
    if any(part.cost is not None for part in found.devices.values()):
        notes.append("cost: time at the price of an hour; devices without a price are not in it")
    judged = sum(row.each is not None and not row.looked_at for row in found.rows)
    if judged:
        notes.append(f"{plural(judged, 'kind')} of trials did not run: their time is estimated from similar ones")
    if found.all.unknown:
        notes.append(f"+?: of {plural(found.all.unknown, 'trial')} nothing is known; they are not in the time")
    if found.upper:
        notes.append("early stopping can only shorten it: the time is the most that it takes")
    for note in notes:
        yield from wrapped(note, indent="  ")


def to_decide_text(suite: Suite) -> str:
    """What the numbers do not say where seeds go on until it is decided; empty where they do not, or are at the end."""
    if suite.decide is None or suite.decide.why == "settled":
        return ""
    done = sum(each.verdict != "open" for each in suite.decisions)
    count = f"{done:,} of {plural(len(suite.decisions), 'pair')}" if suite.decisions else "none"
    return (
        f"until it is decided: {count} by now; rounds of seeds that are not planned yet are in no number here, at most "
        f"{suite.decide.most_seeds} seeds a model"
    )


def status_text(title: str, found: Progress, *, pretty: bool) -> str:
    """The runs with their running jobs, then the table by device."""
    lines = [*wrapped(printable(title), indent="  "), *_runs(found)]
    heads = ["device", "trials", "ok", "failed", "skipped", "running", "left", "time left"]
    rows = [heads, *([name, *_counts(count)] for name, count in found.devices.items())]
    if len(found.devices) > 1:
        rows.append(["total", *_counts(found.all)])
    return "\n".join([*lines, "", table(rows, pretty=pretty)])


def _counts(count: TrialCounts) -> list[str]:
    numbers = (count.trials, count.ok, count.failed, count.skipped, count.running, count.left)
    nothing = not count.left and not count.running
    span = count.seconds_left
    return [*(f"{number:,}" for number in numbers), DASH if nothing else seconds_text(span) if span else "not known"]


def _runs(found: Progress) -> Iterator[str]:
    if not found.runs:
        last = "" if found.last_seconds is None else f"; the last result is {ago(found.last_seconds)} old"
        yield f"no run is under way{last}"
    for run in found.runs:
        yield from wrapped(printable(_run(run)), indent="  ")
        for job in run.at_work:
            yield from wrapped(f"  {printable(_job(job))}", indent="    ")
    if sum(run.alive for run in found.runs) > 1:
        yield "several runs share the work; the time left is that of one after the other"


def _run(run: RunState) -> str:
    status = run.status
    since = f"run {status.run_id}, process {status.process.pid}"
    if run.alive and status.phase == "waiting":
        return f"waiting until its machine is free: {since}"
    where = "" if run.ours else f" on another machine, last heard of {ago(run.heard_seconds)} ago"
    if run.alive:
        budget = f", budget {ago(status.budget_seconds)}" if status.budget_seconds else ""
        return f"running{where}: {since}{budget}"
    if run.ours:
        return f"killed: {since} has ended; the same command goes on where it was"
    return f"silent: {since}{where}, which is longer than its trial may take; it was probably killed"


def _job(job: RunningJob) -> str:
    of = f" of about {_one(job.expected_seconds)}" if job.expected_seconds else ""
    several = f" and {job.trials - 1} other seeds" if job.trials > 1 else ""
    return f"{job.trial.label}{several}, for {_one(job.for_seconds)}{of}"


def ago(seconds: float) -> str:
    """`35 s`, `4 min`, `2 h`, `3 days`."""
    for name, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"
