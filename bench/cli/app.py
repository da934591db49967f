"""The command line: parse, call, exit code. What is done stands elsewhere, and is imported when it is called for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from bench.cli import look as cli_look
from bench.cli import make as cli_make
from bench.cli import plan as cli_plan
from bench.cli import share as cli_share
from bench.cli.options import (
    DataRootOption,
    OnlyOption,
    PluginOption,
    ResultsOption,
    SetOption,
    SuiteArgument,
    TargetArgument,
)
from bench.cli.usage import UsageError, usage_line
from bench.errors import EXIT_OK, EXIT_SIGINT, EXIT_USAGE, BenchError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    help="Which model is better on this data, and what does it cost on this machine?\n\n"
    "\b\nExamples:\n"
    "  python -m bench run suites/baseline.toml\n"
    "  python -m bench run suites/mnist.toml --only model=mlp --set train.epochs=2\n"
    "  python -m bench report results/baseline\n"
    "  python -m bench list models\n"
    "  python -m bench fetch mnist",
)


@app.command(no_args_is_help=True)
def run(
    suite: SuiteArgument,
    set_: SetOption = None,
    only: OnlyOption = None,
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    executor: Annotated[
        str, typer.Option(help="local (this machine), ray (a cluster) or inline (debugging).")
    ] = "local",
    address: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="HOST:PORT", help="Of a Ray cluster [default: $RAY_ADDRESS, else the one here]."),
    ] = None,
    place: Annotated[
        str,
        typer.Option(metavar="any|environment", help="Of a cell on a cluster: any nodes, or nodes of one environment."),
    ] = "any",
    shard: Annotated[Optional[str], typer.Option(metavar="K/N", help="A fixed part of the plan: 3/16.")] = None,  # noqa: UP045
    fresh: Annotated[bool, typer.Option("--fresh", help="Run everything again; what is there stays on file.")] = False,
    retry: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="STATUS[,STATUS]", help="Run those again that ended so: failed,timeout,oom,crashed."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and train nothing.")] = False,
    plugin: PluginOption = None,
    timeout: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="SECONDS", help="Most seconds of a trial, whatever the suite says."),
    ] = None,
    budget: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TIME", help="90s, 30m, 1h30m: every cell once, then the seeds that decide most."),
    ] = None,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Only store: of one shard of many, `bench report` renders all.")
    ] = False,
) -> None:
    """Train what is not there yet, store it, render the report.

    \b
    Examples:
      python -m bench run suites/baseline.toml
      python -m bench run suites/mnist.toml --set train.epochs=2 --only model=mlp
      python -m bench run suites/mnist.toml --dry-run
      python -m bench run suites/mnist.toml --budget 30m
      python -m bench run my/suite.toml --plugin my/models.py --retry failed
      python -m bench run suites/mnist.toml --executor ray --address head:6379
    """
    from bench.cli import main_commands as commands
    from bench.execute.prepare import Options

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
    )
    raise typer.Exit(commands.dry_run(options) if dry_run else commands.run(options, report=not no_report))


@app.command(no_args_is_help=True)
def report(
    target: TargetArgument,
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    plugin: PluginOption = None,
) -> None:
    """Render tables and plots again from what is stored.

    \b
    Examples:
      python -m bench report suites/baseline.toml
      python -m bench report results/baseline
    """
    from bench.cli import main_commands as commands

    raise typer.Exit(commands.report(target, results=results, data_root=data_root, plugins=plugin or ()))


@app.command(no_args_is_help=True)
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Results to compare against: a folder, or a suite file.")],
    b: Annotated[Optional[Path], typer.Argument(metavar="B", help="What is judged. Without it: --by.")] = None,  # noqa: UP045
    by: Annotated[
        str,
        typer.Option(metavar="AXIS", help="Within A: environment, date, commit, device, engine, precision, model, …"),
    ] = "",
    values: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="A,B", help="Which two values of AXIS [default: the two that there are]."),
    ] = None,
    metric: Annotated[str, typer.Option(metavar="NAME", help="What is compared.  [train_samples_per_second]")] = "",
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Write Markdown, CSV, LaTeX and plots into DIR."),
    ] = None,
    fail_on: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="WHAT[,WHAT]", help="Exit code 3 where a cell is: slower, accuracy (less), missing."),
    ] = None,
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    plugin: PluginOption = None,
) -> None:
    """Is B faster or slower than A, cell by cell, and what differs between them?

    \b
    Examples:
      python -m bench compare results/before results/after
      python -m bench compare results/before results/after --fail-on slower
      python -m bench compare results/baseline --by device --values cpu,cuda
      python -m bench compare results/baseline --by model --output comparison

    \b
    Exit codes: 0; 3 where --fail-on names what was found; 2 a wrong command line.
    """
    from bench.cli.comparing_commands import compare as compare_results

    code = compare_results(
        a, b, by=by, values=values, metric=metric, output=output, fail_on=fail_on, results=results,
        data_root=data_root, plugin=plugin,
    )  # fmt: skip
    raise typer.Exit(code)


@app.command("list", no_args_is_help=True)
def list_(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="models, datasets, devices, metrics or suites.")],
    plugin: PluginOption = None,
) -> None:
    """Say what is registered, with settings, defaults, and whether it can be used here.

    \b
    Examples:
      python -m bench list models
      python -m bench list datasets
      python -m bench list models --plugin my/models.py
    """
    from bench.cli import main_commands as commands

    raise typer.Exit(commands.list_registered(what, plugins=plugin or ()))


@app.command(no_args_is_help=True)
def fetch(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="mnist, fashion_mnist, cifar10, optdigits.")],
    data_root: DataRootOption = None,
) -> None:
    """Download a data set into the data root, checked against its published checksum.

    \b
    Examples:
      python -m bench fetch mnist
      python -m bench fetch cifar10 --data-root /data
    """
    from bench.cli import main_commands as commands

    raise typer.Exit(commands.fetch(dataset, data_root=data_root))


@app.command(no_args_is_help=True)
def export(
    target: TargetArgument,
    form: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="csv (trials.csv), json, parquet, latex or pytest-benchmark."),
    ] = "csv",
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Where to write [default: stdout]."),
    ] = None,
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    plugin: PluginOption = None,
) -> None:
    """Write results in the format of another tool.

    \b
    Examples:
      python -m bench export results/baseline --format json
      python -m bench export results/baseline --format parquet \\
        --output today.parquet
      python -m bench export results/baseline --format pytest-benchmark \\
        --output today.json
      pytest-benchmark compare yesterday.json today.json --group-by=fullname
    """
    from bench.cli import main_commands as commands

    raise typer.Exit(
        commands.export(target, form=form, output=output, results=results, data_root=data_root, plugins=plugin or ())
    )


@app.command(no_args_is_help=True)
def check(
    target: Annotated[Path, typer.Argument(metavar="RESULTS", help="A folder of results, or a suite file.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Move damaged lines into trials/*.damaged; change nothing else.")
    ] = False,
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    plugin: PluginOption = None,
) -> None:
    """Is anything in a folder of results damaged, duplicated, orphaned, foreign or of a newer bench? 1 where it is.

    \b
    Examples:
      python -m bench check results/baseline
      python -m bench check suites/baseline.toml
      python -m bench check results/baseline --repair
    """
    from bench.cli import checking_commands as checking

    raise typer.Exit(checking.check(target, repair=repair, results=results, data_root=data_root, plugins=plugin or ()))


@app.command()
def doctor(
    results: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--results", metavar="DIR", help="Store the outcome in DIR/doctor: reports under DIR cite it."),
    ] = None,
) -> None:
    """Are the instruments right here, and how small a difference can this machine see?

    \b
    Examples:
      python -m bench doctor
      python -m bench doctor --results results
    """
    from bench.cli import main_commands as commands

    raise typer.Exit(commands.doctor(results))


cli_share.register(app)
cli_look.register(app)
cli_make.register(app)
cli_plan.register(app)


def main() -> None:
    """Entry point of `bench` and `python -m bench`. A user's mistake is one line; anything else shows its traceback."""
    try:
        code = app(standalone_mode=False)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        code = EXIT_USAGE
    except UsageError as error:
        sys.stderr.write(usage_line(error))
        code = EXIT_USAGE
    except typer.Abort:
        code = EXIT_SIGINT
    except BrokenPipeError:  # stdout went into `head`: nothing is wrong
        sys.stderr.close()
        code = EXIT_OK
    sys.exit(code or EXIT_OK)
