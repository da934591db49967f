"""The head of a run: what is planned, what is there, on which machine, how long it will take."""

from __future__ import annotations

from collections.abc import Sequence

from bench.execute.plan import Plan, estimate_seconds
from bench.execute.progress import duration_text
from bench.records import Result
from bench.suite.catalogue import Catalogue
from bench.suite.plan import Suite

# Axis → what one of it is called, in the order in which they are told.
NAMES = {
    "model": "model",
    "dataset": "data set",
    "seed": "seed",
    "batch_size": "batch size",
    "device": "device",
}


def head(suite: Suite, plan: Plan, *, catalogue: Catalogue, results: Sequence[Result]) -> list[str]:
    """The lines, for a terminal of 80 columns."""
    skipped = sum(plan.skip_reasons.values())
    counts = [f"{len(plan.to_run):,} to train", f"{plan.there:,} there already"]
    lines = [
        f"{suite.name} · {suite.title}",
        f"{plan.total:,} trial{'' if plan.total == 1 else 's'} = {axes_text(suite)}",
        "  " + " · ".join([*counts, f"{skipped:,} skipped"] if skipped else counts),
    ]
    lines += [f"  {count:,} skipped: {reason}" for reason, count in plan.skip_reasons.items()]
    lines += [f"  {count:,} train again: {source} has changed since" for source, count in plan.edited.items()]
    if plan.elsewhere:
        lines.append(f"  {plan.elsewhere:,} have results of another environment only: those are kept apart")
    return [*lines, machine_text(catalogue) + time_text(plan, results)]


def machine_text(catalogue: Catalogue) -> str:
    """Processor, cores and torch, in one line."""
    facts = catalogue.environment.facts
    processor, torch = facts.get("cpu", "unknown processor"), facts.get("torch", "?")
    return f"{processor}, {catalogue.physical_cores} cores · torch {torch}"


def time_text(plan: Plan, results: Sequence[Result]) -> str:
    """` · about 15 s` from what such trials took before; empty where nothing like them has run here."""
    if not plan.to_run:
        return ""
    seconds = estimate_seconds(plan.to_run, results)
    return f" · {duration_text(seconds)}" if seconds else ""


def axes_text(suite: Suite) -> str:
    """`3 models × 1 data set × 5 seeds × 2 batch sizes × 3 devices`, and what is left out of it."""
    axes = {axis.name: len(axis) for axis in suite.axes}
    parts = [f"{axes[name]:,} {word}{'' if axes[name] == 1 else 's'}" for name, word in NAMES.items() if name in axes]
    parts += [f"{count:,} {name}" for name, count in axes.items() if name not in NAMES]
    left_out = [
        word
        for word, there in (("[[exclude]]", suite.exclude), ("--only", suite.only), ("--shard", suite.shard))
        if there
    ]
    return " × ".join(parts) + (f", less what {', '.join(left_out)} leaves out" if left_out else "")
