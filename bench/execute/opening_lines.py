"""The head of a run: what is planned, what is there, on which machine, how long it will take."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from bench.base.records import Result, Trial
from bench.errors import escaped
from bench.execute.plan import Plan, estimate_seconds
from bench.planning.search_text import search_line
from bench.present.format import plural, printable_line
from bench.results.searches import searches_of
from bench.suite.catalogue import Catalogue
from bench.suite.mistakes import axis_text
from bench.suite.plan import Decide, Suite

COLUMNS = 80
_GLUE, _SHORT = "\u00a0", 24  # textwrap breaks at no such space
# The axes in the order in which they are told; settings follow.
ORDER = ("model", "dataset", "seed", "batch_size", "device")


def head(
    suite: Suite, plan: Plan, *, catalogue: Catalogue, results: Sequence[Result], searches: Sequence[Result] = ()
) -> list[str]:
    """The lines, for a terminal of 80 columns. `results`, `searches`: those of a Store."""
    trials = [planned.trial for planned in plan.to_run] or suite.trials()
    lines = [
        title_line(suite),
        f"{plural(suite.count(), 'trial')} = {axes_text(suite)}",
        *tune_lines(suite, searches, trains=plan.total > 0),
        *(counts(plan) if plan.total else ()),
        *([decide_text(suite, suite.decide)] if suite.decide is not None else []),
        *(f"plugin: {escaped(plugin.error)}" for plugin in catalogue.plugins.values() if plugin.error),
        machine_text(catalogue, trials) + time_text(plan, [*results, *searches]),
    ]
    return [part for line in lines for part in wrapped(line)]


def tune_lines(suite: Suite, results: Sequence[Result], *, trains: bool) -> list[str]:
    """What is searched before, and what follows from it where the run `trains` it; none of a suite without [tune]."""
    if suite.tune is None:
        return []
    found = searches_of(suite, results)
    lines = [f"  {search_line(suite.tune, found)}"]
    if trains and not all(search.done for search in found):
        lines.append("  then each trial at the settings that won, and at the default settings beside it")
    return lines


def decide_text(suite: Suite, decide: Decide) -> str:
    """What the seeds go on for."""
    if all(len(axis) == 1 for axis in suite.axes if axis.name not in ("dataset", "device", "seed")):
        return "  no seeds beyond these: there are no two models or settings to decide between"
    return (
        f"  then a seed a round for each model that is open, until each pair is decided, at most {decide.most_seeds} "
        f"seeds; differences below {decide.within:g} do not matter"
    )


def title_line(suite: Suite) -> str:
    """The name of a suite, and its title where it has one."""
    return suite.name if suite.title == suite.name else f"{suite.name} · {suite.title}"


def counts(plan: Plan) -> list[str]:
    """How many trials are to be trained, are there, failed before they start and are skipped: all of them; and why."""
    # What is skipped is told as that, whatever else is wrong with it.
    failed = Counter(planned.fail for planned in plan.settled if planned.fail and not planned.skip)
    causes = (("failed", failed), ("skipped", plan.skip_reasons))
    parts = [f"{len(plan.to_run):,} to train", f"{plan.there:,} there already"]
    parts += [f"{found.total():,} {what}" for what, found in causes if found]
    lines = ["  " + " · ".join(parts)]
    for what, found in causes:
        lines += [f"  {count:,} {what}: {escaped(reason)}" for reason, count in found.items()]
    lines += [f"  {count:,} train again: {source} has changed since" for source, count in plan.edited.items()]
    for metric, count in plan.unmeasured.items():
        lines.append(f"  {count:,} there already without the metric {metric}: --fresh runs them again, with it")
    if plan.elsewhere:
        lines.append(f"  {plan.elsewhere:,} have results of another environment only: those are kept apart")
    return lines


def wrapped(line: str) -> list[str]:
    """The line at words, in 80 columns; what follows is indented. Short parts and `--data-root` are not broken."""
    line = printable_line(line.replace("\n", " "))
    parts = [part.replace(" ", _GLUE) if len(part) <= _SHORT else part for part in line.split(" · ")]
    found = textwrap.wrap(f" ·{_GLUE}".join(parts), COLUMNS, subsequent_indent="    ", break_on_hyphens=False)
    return [part.replace(_GLUE, " ") for part in found]


def machine_text(catalogue: Catalogue, trials: Iterable[Trial]) -> str:
    """Processor, cores, the threads that `trials` use, and torch."""
    facts = catalogue.environment.facts
    cores = catalogue.physical_cores
    threads = sorted({trial.train.threads or cores for trial in trials})
    parts = [str(facts.get("cpu", "unknown processor")), plural(cores, "core")]
    parts += [f"{', '.join(map(str, threads))} thread{'' if threads == [1] else 's'}"] if threads else []
    # What follows the + names a build, as cu132 does.
    return f"{', '.join(parts)} · torch {str(facts.get('torch', '?')).partition('+')[0]}"


def time_text(plan: Plan, results: Sequence[Result]) -> str:
    """` · about 15 s`, `4 min`, `2.5 h`, from what such trials took before; empty where there is nothing to train."""
    if not plan.has_work:
        return ""
    seconds = estimate_seconds([*(planned.trial for planned in plan.to_run), *plan.later], results)
    if not seconds:
        return " · time not known yet"
    if seconds < 90:
        return f" · about {max(1, round(seconds))} s"
    return f" · about {round(seconds / 60)} min" if seconds < 5400 else f" · about {seconds / 3600:.1f} h"


def axes_text(suite: Suite) -> str:
    """`3 models × 1 data set × 5 seeds × 2 batch sizes × 3 devices`, and what is left out of it."""
    axes = {axis.name: len(axis) for axis in suite.axes}
    names = [name for name in ORDER if name in axes] + [name for name in axes if name not in ORDER]
    left_out = [
        word
        for word, there in (("[[exclude]]", suite.exclude), ("--only", suite.only), ("--shard", suite.shard))
        if there
    ]
    text = " × ".join(axis_text(name, axes[name]) for name in names)
    text += f", less what {', '.join(left_out)} leaves out" if left_out else ""
    more = sum(suite.decide.more.values()) if suite.decide is not None else 0
    return text + (f", and {more:,} of further seeds" if more else "")
