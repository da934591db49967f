"""What each command does, from Python values to an exit code. The command line only parses."""

from __future__ import annotations

import gc
import itertools
import json
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from bench import run_suite as running
from bench.base.records import Result
from bench.errors import EXIT_OK, EXIT_TRIALS, EXIT_USAGE, BenchError, nearest
from bench.execute import prepare as preparing
from bench.execute.ask_worker import Question
from bench.execute.opening_lines import head
from bench.execute.prepare import Options, Prepared
from bench.execute.progress import describe_trial, make_voice, varying
from bench.execute.results_folder import of_the_plan, open_results
from bench.execute.signals import Stopped
from bench.results.store import Store
from bench.suite.plan import Suite

DRY_RUN_TRIALS = 50
COLUMNS = 80


def run(options: Options, *, report: bool = True) -> int:
    """Run a suite, render its report, print the table; without a report, say where the results lie."""
    voice = make_voice()
    try:
        ran = running.run_suite(options, voice=voice, meanwhile=_load_report if report else _load_nothing)
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; what is done is stored, the same command goes on from here")
        return stopped.exit_code
    if ran.suite.count() == 0:
        voice.say("this shard has no trial")
        return ran.exit_code
    if report:
        _render(ran.store, ran.suite, plugin_errors=ran.plugin_errors)
    else:
        _without_report(ran.store, ran.suite)
    _log(ran.store, ran.suite)
    return ran.exit_code


def _without_report(store: Store, suite: Suite) -> None:
    """Where the results lie, how to render them, and what a budget left out."""
    print(f"results: {store.folder} (python -m bench report {shlex.quote(str(store.folder))})")
    if suite.budget is not None:
        _tell_budget(of_the_plan(store.results, suite)[0], suite)


def _load_nothing() -> None: ...


def _load_report() -> None:
    """Import what the report is going to need (pandas, matplotlib: 0.7 s) where one would only wait for torch."""
    gc.disable()  # nothing of this is garbage, and to look for some takes a fifth of the time
    from bench.report import render, terminal

    render.preload()
    del terminal
    gc.freeze()
    gc.enable()


def _log(store: Store, suite: Suite) -> None:
    """Log every trial of the plan where the suite's `[report] sinks` say; what is there already is left alone."""
    if not suite.sinks:
        return
    from bench.export.sinks import log

    planned, _ = of_the_plan(store.results, suite)
    for line in log(suite.sinks, planned, folder=store.folder, suite=suite):
        print(line)


def dry_run(options: Options) -> int:
    """Print what would run."""
    with running.planning(options, preparing.read(options), voice=make_voice()) as prepared:
        return _dry_run(prepared)


def _dry_run(prepared: Prepared) -> int:
    suite = prepared.suite
    plan = prepared.plan()
    for line in head(suite, plan, catalogue=prepared.catalogue, results=prepared.store.results):
        print(line)
    for axis in suite.axes:
        shown = ", ".join(itertools.islice(axis.labels, 8)) if len(axis) <= 8 else _ends(axis.labels)
        print(f"  {axis.name}: {shown}")
    axes = varying(suite)
    states = {planned.trial.trial_id: "train" for planned in plan.to_run}
    states |= {planned.trial.trial_id: "fail" for planned in plan.settled}
    for trial in itertools.islice(suite.trials(), DRY_RUN_TRIALS):
        available = prepared.catalogue.devices[trial.device].available
        state = states.get(trial.trial_id, "there") if available else "skip"
        print(f"  {trial.trial_id}  {state:5}  {describe_trial(trial, axes)}")
    if plan.total > DRY_RUN_TRIALS:
        print(f"  … and {plan.total - DRY_RUN_TRIALS:,} more")
    return EXIT_OK


def _ends(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:4])}, …, {labels[-1]} ({len(labels):,})"


def report(target: Path, *, results: Path, data_root: Path | None, plugins: Sequence[str]) -> int:
    """Render the report of a folder, or of a suite file's folder under `results`."""
    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins)
    store.refresh() if suite is not None else store.refresh_some()
    _render(store, suite)
    return EXIT_OK


def _render(store: Store, suite: Suite | None, *, plugin_errors: Sequence[str] = ()) -> None:
    """Write the report, then print the table and where the report lies."""
    from bench.report.extras import sentence
    from bench.report.render import render
    from bench.report.terminal import terminal_summary

    planned, others = of_the_plan(store.results, suite)
    outcome = render(
        store.folder,
        suite=suite,
        results=planned,
        damaged=store.damaged,
        others=others,
        plugin_errors=plugin_errors,
    )
    beside = sentence(planned, suite, folder=store.folder)
    print(terminal_summary(planned, suite, report_path=outcome.report_path, beside=beside))
    _tell_budget(planned, suite)
    for note in outcome.notes:
        sys.stderr.write(f"{note}\n")


def _tell_budget(planned: Sequence[Result], suite: Suite | None) -> None:
    """What a budget left out, where there was one."""
    from bench.report.budget_text import budget_sentences
    from bench.results.frame import latest

    if text := budget_sentences(suite, latest(planned, suite)):
        print(textwrap.fill(text, COLUMNS, break_on_hyphens=False))


def list_registered(what: str, *, plugins: Sequence[str]) -> int:
    """Print the models, data sets, devices, metrics or suites."""
    from bench.cli import listing_commands as listing

    if what not in listing.LISTS:
        raise BenchError(f"list {what}: unknown{nearest(what, listing.LISTS)} (there are: {', '.join(listing.LISTS)})")
    if what == "suites":
        print(listing.suites(Path.cwd()))
        return EXIT_OK
    specs = [str(Path(spec).resolve()) if spec.endswith(".py") else spec for spec in plugins]
    catalogue = Question(specs).answer()
    print(listing.registered(what, catalogue))
    for told in catalogue.plugins.values():
        if told.error:
            sys.stderr.write(f"{told.error}\n")
    return EXIT_OK


def fetch(dataset: str, *, data_root: Path | None) -> int:
    """Download a data set, with a bar where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    root = preparing.data_root(data_root)
    command = [sys.executable, "-m", "bench.worker.datasets.fetch", dataset, "--data-root", str(root)]
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    error = ""
    bar, tasks = Progress(*columns, console=Console(stderr=True)), dict[str, TaskID]()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            error = told.get("error", error)
            if "message" in told:
                bar.console.print(told["message"], markup=False, highlight=False)
            if "file" in told:
                name = told["file"]
                if not tasks:
                    bar.start()
                if name not in tasks:
                    tasks[name] = bar.add_task(name, total=told["total"])
                bar.update(tasks[name], completed=told["done"], total=told["total"])
    if tasks:
        bar.stop()
    if error:
        raise BenchError(error)
    return EXIT_OK if process.returncode == 0 else EXIT_USAGE


def doctor(results: Path | None) -> int:
    """Try the instruments on this machine, store what was found under `results`; 1 where one of them is wrong."""
    from bench.doctor.examine import examine
    from bench.present.doctor_text import doctor_text
    from bench.results import doctor as records

    voice = make_voice()
    if results is not None:
        records.refuse_unwritable(results)
    voice.say("bench doctor: known delays and allocations, A against A; takes about 40 s")
    try:
        found = examine(voice)
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; nothing is stored")
        return stopped.exit_code
    path = records.save(found, results) if results is not None else ""
    print(doctor_text(found, stored_at=str(path)))
    return EXIT_TRIALS if found.wrong else EXIT_OK


def export(
    target: Path, *, form: str, output: Path | None, results: Path, data_root: Path | None, plugins: Sequence[str]
) -> int:
    """Write the results of `target` in another tool's format: to `output`, or to stdout."""
    from bench.export import formats
    from bench.results.store import write_whole

    formats.known(form)
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise BenchError("--format parquet is no text for a terminal: say where to with --output FILE")
    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins)
    store.refresh_some()
    name = suite.name if suite is not None else store.folder.resolve().name
    exported = formats.export(form, store.results, suite=suite, name=name)
    if exported.note:
        sys.stderr.write(f"{exported.note}\n")
    if output is None:
        content = exported.content
        sys.stdout.write(content) if isinstance(content, str) else sys.stdout.buffer.write(content)
        return EXIT_OK
    try:
        write_whole(output, exported.content)
    except OSError as error:
        raise BenchError(
            f"{output}: cannot be written ({error.strerror}); choose another file with --output"
        ) from error
    return EXIT_OK
