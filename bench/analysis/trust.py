"""What is said of timings that were disturbed: what happened, to how many trials, and what to do."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from bench.base.metrics import Metric
from bench.base.records import Result
from bench.present.format import listing, plural
from bench.results.timing import DISTURBED, OF_PRECISION, Timing, timings

MARK = "†"
UNTOUCHED = "Accuracies are not affected."
# The beginning of a note, what happened to its trials, and what to do. A note of a plugin's device is its own word.
KINDS = (
    (r"not alone:.*loader workers want too$", "waited for cores that their own loader workers want",
     "use fewer loader workers"),
    (r"not alone:", "ran beside other programs", "end those programs"),
    (r"throttled: the container's CPU quota", "used up the container's CPU quota", "raise the quota"),
    (r"throttled:", "were throttled", "let the machine cool"),
    (r"cold:", "ran without warm-up", "set measure.warmup_steps"),
    (r"resumed:", "were stopped and resumed", ""),
    (r"not isolated:", "ran inside the parent process", "leave out --executor inline"),
)  # fmt: skip


def mark(metric: Metric, found: Sequence[Timing]) -> str:
    """What stands behind a figure of trials with these timings: ` †`, ` (2 †)` where it is true of 2 of them only."""
    count = sum(timing.word == DISTURBED for timing in found) if metric.timed else 0
    return "" if not count else f" {MARK}" if count == len(found) else f" ({count} {MARK})"


def meaning(marks: Iterable[str]) -> str:
    """What those of `marks` mean that are there; empty where none is."""
    kinds = {each[:2] for each in marks if each}
    some = f"; (n {MARK}): those of n seeds" if " (" in kinds else ""
    return f"{MARK}: timings that were disturbed{some}." if kinds else ""


def footnote(parts: Sequence[tuple[Sequence[Timing], Sequence[Result]]], metric: Metric) -> str:
    """The note below a table on its marks: what they mean, and what happened. `parts`: what each figure is of."""
    text = happened(result for _, results in parts for result in results)
    marks = meaning(mark(metric, found) for found, _ in parts)
    return f"{marks} {text[0].upper()}{text[1:]}. {UNTOUCHED}" if marks else ""


def happened(results: Iterable[Result]) -> str:
    """`20 of 20 trials ran beside other programs`, of several kinds with the number of each; empty of undisturbed."""
    found = [timing for timing in timings(list(results)) if timing.word]
    kinds = [_kinds(timing) for timing in found if timing.word == DISTURBED]
    if not kinds:
        return ""
    of = f"{len(kinds):,} of {plural(len(found), 'trial')}"
    counted = Counter(what for each in kinds for what, _ in each)
    if len(counted) == 1:
        return f"{of} {_of(len(kinds), *counted)}"
    often = sorted(counted.items(), key=lambda item: (-item[1], item[0]))  # ties by name: the same text each time
    return f"{of} {_of(len(kinds), 'were disturbed')}: {listing([f'{n:,} {_of(n, what)}' for what, n in often])}"


def _of(count: int, what: str) -> str:
    return what.replace("were ", "was ").replace("their own", "its own") if count == 1 else what


def _kinds(timing: Timing) -> set[tuple[str, str]]:
    """What happened to a disturbed trial, each with what to do."""
    notes = [note for note in timing.notes if not note.startswith(OF_PRECISION)]
    return {_kind(note) for note in notes}


def _kind(note: str) -> tuple[str, str]:
    known = ((what, todo) for pattern, what, todo in KINDS if re.match(pattern, note))
    return next(known, (f"were disturbed ({note.partition(':')[0]})", ""))


def short(results: Iterable[Result]) -> str:
    """The one sentence where nobody can run anything again, as in a document; empty of undisturbed."""
    text = happened(results)
    return f"Disturbed timings: {text}. {UNTOUCHED}" if text else ""


def alarm(results: Sequence[Result], *, again: str = "") -> tuple[str, str]:
    """What stands above a table: what happened, and the command that measures those trials anew; both empty where no
    timing was disturbed. `again`: what runs the suite, where that is known."""
    text = happened(results)
    if not text:
        return "", ""
    disturbed = (timing for timing in timings(list(results)) if timing.word == DISTURBED)
    todo = [todo for todo in dict.fromkeys(todo for each in map(_kinds, disturbed) for _, todo in sorted(each)) if todo]
    what = f"{listing(todo)}, then run" if todo else "to measure them again, run"
    return (
        f"{UNTOUCHED} Timings: {text}. {what[0].upper()}{what[1:]}:",
        f"{again or 'bench run SUITE'} --retry disturbed",
    )


def state(results: Iterable[Result]) -> str:
    """How many timings are good, and how many rough; empty where one was disturbed (`alarm` says it) or none taken."""
    words = Counter(timing.word for timing in timings(list(results)) if timing.word)
    if not words or words[DISTURBED]:
        return ""
    rough = f", {words['rough']:,} rough (half-width above 5 %, or not known; trials.csv has each)"
    of = f"{words['good']:,} of {words.total():,}"
    return f"Timings: {of} good{rough}." if words["rough"] else f"Timings: good ({of})."
