"""What a report says of a run that had a budget: what was left out, by which rule, and what that does to intervals."""

from bench.present.format import plural
from bench.results.frame import Latest
from bench.suite.plan import Budget, Suite, time_text

LEFT_OUT = ("missing", "interrupted")
RULE = "every cell once, then the seeds that are expected to decide most pairs by test accuracy for their time"


def budget_sentences(suite: Suite | None, latest: Latest) -> str:
    """What the budget left out, in sentences; empty where there was no budget, or where it left out nothing."""
    budget: Budget | None = getattr(suite, "budget", None)
    left_out = sum(row.status in LEFT_OUT for row in latest.rows)
    if budget is None or not left_out:
        return ""
    ran = {row.trial.cell_id for row in latest.rows if row.status not in LEFT_OUT}
    never = len({row.trial.cell_id for row in latest.rows} - ran)
    cells = f", {plural(never, 'cell')} of the grid did not run at all" if never else ""
    return (
        f"Left out by the budget of {time_text(budget.seconds)}: {plural(left_out, 'trial')}{cells}. "
        f"Rule: {RULE}. {_ending(budget)} "
        "Seeds were chosen by the results before them, so intervals are somewhat too narrow (optional stopping)."
    )


def _ending(budget: Budget) -> str:
    if budget.spent_seconds is None:
        return "The run was stopped before its budget was spent."
    spent = time_text(round(budget.spent_seconds))
    if budget.why == "settled":
        return f"The run ended after {spent}: no pair was open any more."
    are = "is" if budget.open_pairs == 1 else "are"
    still = f" {plural(budget.open_pairs, 'pair')} {are} open still." if budget.open_pairs else ""
    return f"The run ended after {spent}: nothing that was left would have ended in time.{still}"
