"""`bench run`: train what has no result yet, store it, render the report."""

import gc
import itertools
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK

if TYPE_CHECKING:
    from bench.execute.plan import Plan
    from bench.execute.prepare import Prepared
    from bench.execute.run import Ran
    from bench.suite.plan import Suite

DRY_RUN_TRIALS = 50


def run(
    suite: opt.Suite,
    set_: opt.Set = None,
    only: opt.Only = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    executor: Annotated[
        str, typer.Option(help="local (this machine), ray (a cluster) or inline (this process, for a debugger).")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="The Ray cluster [default: $RAY_ADDRESS, else the one here]."),
    ] = None,
    place: Annotated[
        str, typer.Option(metavar="any|environment", help="On a cluster: a cell on any nodes, or on equal ones.")
    ] = "any",
    shard: opt.Shard = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run all trials again; earlier results stay on file.")] = False,
    retry: Annotated[
        str | None,
        typer.Option(metavar="STATUS[,STATUS]", help="Run again what ended so: failed,timeout; or what was disturbed."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, and train nothing.")] = False,
    plugin: opt.Plugin = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Limit for a trial, in place of the suite's.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Stop after 90s, 30m, 1h30m: all cells once, then the seeds that decide most."
        ),
    ] = None,
    until_decided: opt.UntilDecided = None,
    wait_quiet: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Begin when other programs leave the machine alone; after TIME in any case."),
    ] = None,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Only store results; `bench report` renders them later.")
    ] = False,
) -> int:
    """Train what has no result yet, store it, render the report.

    \b
    Examples:
      python -m bench run suites/baseline.toml
      python -m bench run suites/mnist.toml --set train.epochs=2 --only model=mlp
      python -m bench run suites/mnist.toml --dry-run
      python -m bench run suites/mnist.toml --budget 30m
      python -m bench run suites/mnist.toml --until-decided
      python -m bench run suites/mnist.toml --wait-quiet 5m
      python -m bench run my/suite.toml --plugin my/models.py --retry failed
      python -m bench run suites/mnist.toml --retry disturbed
      python -m bench run suites/mnist.toml --executor ray --address head:6379
    """
    from bench.execute.prepare import Options, read
    from bench.execute.progress import make_voice
    from bench.execute.signals import Stopped
    from bench.run_suite import planning, run_suite, tried

    options = Options(
        suite=suite,
        sets=set_ or (),
        only=only or (),
        results=results,
        data_root=data_root,
        executor=executor,
        shard=shard,
        fresh=fresh,
        retry=retry,
        plugins=plugin or (),
        timeout_seconds=timeout,
        address=address,
        place=place,
        budget=budget,
        wait_quiet=wait_quiet,
        until_decided=until_decided,
    )
    voice = make_voice()
    if dry_run:
        with planning(options, read(options), voice=voice) as prepared:
            return _show(prepared, *tried(prepared))
    try:
        ran = run_suite(options, voice=voice, meanwhile=(lambda: None) if no_report else _load_report)
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; what is done is stored, the same command goes on from here")
        return stopped.exit_code
    if ran.suite.count() == 0:
        voice.say("this shard has no trial")
    else:
        _tell(ran, report=not no_report)
    return ran.exit_code


def _load_report() -> None:
    """Import what the report is going to need (pandas, matplotlib: 0.7 s) where one would only wait for torch."""
    gc.disable()  # nothing of this is garbage, and to look for some takes a fifth of the time
    from bench.report import render, terminal

    render.preload()
    del terminal
    gc.freeze()
    gc.enable()


def _tell(ran: "Ran", *, report: bool) -> None:
    """Render the report, or say where the results lie; then log the trials where `[report] sinks` of the suite say."""
    from bench.cli.report import render_and_print, tell_seeds
    from bench.execute.prepare import of_the_plan
    from bench.present.format import printable_line

    suite, store = ran.suite, ran.store
    if report:
        render_and_print(store, suite, plugin_errors=ran.plugin_errors)
    else:
        print(f"results: {store.folder} (python -m bench report {shlex.quote(str(store.folder))})")
        if suite.budget is not None or suite.decide is not None:
            tell_seeds(of_the_plan(store.results, suite)[0], suite)
    if suite.sinks:
        from bench.export.sinks import log

        planned, _ = of_the_plan(store.results, suite)
        for line in log(suite.sinks, planned, folder=store.folder, suite=suite):
            print(printable_line(line))


def _show(prepared: "Prepared", plan: "Plan", tried: Sequence[str]) -> int:
    """Print what would run, and what trying the models brought."""
    from bench.execute.opening_lines import head, wrapped
    from bench.execute.progress import describe_trial, varying
    from bench.present.format import printable

    suite, store = prepared.suite, prepared.store
    for line in head(suite, plan, catalogue=prepared.catalogue, results=store.results, searches=store.searches):
        print(line)
    for line in (part for each in tried for part in wrapped(each)):
        print(line)
    for axis in suite.axes:
        shown = ", ".join(itertools.islice(axis.labels, 8)) if len(axis) <= 8 else _ends(axis.labels)
        print(f"  {axis.name}: {printable(shown)}")
    axes = varying(suite)
    states = {planned.trial.trial_id: "train" for planned in plan.to_run}
    states |= {planned.trial.trial_id: "skip" if planned.skip else "fail" for planned in plan.settled}
    if suite.tune is not None:
        _show_search(suite, plan)
    for trial in itertools.islice(suite.trainings(), DRY_RUN_TRIALS):
        available = prepared.catalogue.device(trial.device).available
        state = states.get(trial.trial_id, "there") if available else "skip"
        print(f"  {trial.trial_id}  {state:5}  {describe_trial(trial, axes)}")
    if plan.total > DRY_RUN_TRIALS:
        print(f"  … and {plan.total - DRY_RUN_TRIALS:,} more")
    if suite.decide is not None:
        _show_further(prepared)
    return EXIT_OK


def _show_search(suite: "Suite", plan: "Plan") -> None:
    """Print what is searched, and the trainings of it that can begin."""
    from bench.execute.progress import describe_trial, varying
    from bench.planning.search_text import range_text
    from bench.present.format import printable

    assert suite.tune is not None
    for each in suite.tune.ranges:
        print(f"  {printable(range_text(each))}")
    axes = varying(suite)
    for planned in plan.search[:DRY_RUN_TRIALS]:
        print(f"  {planned.trial.trial_id}  search  {describe_trial(planned.trial, axes)}")


def _show_further(prepared: "Prepared") -> None:
    """Print how many seeds it is going to take, where they go on until it is decided."""
    from bench.cli.plan import further_line
    from bench.execute.opening_lines import wrapped
    from bench.execute.pilot import further_of
    from bench.planning.costs import Costs, past_jobs

    costs = Costs()
    costs.add(past_jobs(prepared.store.results))
    if (found := further_of(prepared, costs)) is not None:
        print("\n".join(wrapped(further_line(found))))


def _ends(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:4])}, …, {labels[-1]} ({len(labels):,})"
