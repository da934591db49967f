"""The command line: every command, in the order of the help, and how a mistake is told.

A command imports what it needs when it is called: the help answers at once.
"""

import sys
from collections.abc import Sequence
from typing import Any, NoReturn, cast

import typer

from bench.cli import inspect
from bench.cli.check import check
from bench.cli.compare import compare
from bench.cli.convert import convert
from bench.cli.diagnose import diagnose
from bench.cli.doctor import doctor
from bench.cli.duel import duel
from bench.cli.explain import explain
from bench.cli.export import export
from bench.cli.export_model import export_model
from bench.cli.fetch import fetch
from bench.cli.gate import gate
from bench.cli.history import history
from bench.cli.list import list_
from bench.cli.lr_find import lr_find
from bench.cli.merge import merge
from bench.cli.new import new
from bench.cli.plan import plan
from bench.cli.plot import plot
from bench.cli.publish import publish
from bench.cli.report import report
from bench.cli.run import run
from bench.cli.status import status
from bench.cli.streams import open_streams
from bench.cli.tune import tune
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
app.command(no_args_is_help=True)(run)
app.command(no_args_is_help=True)(report)
app.command(no_args_is_help=True)(tune)
app.command(no_args_is_help=True)(compare)
app.command(no_args_is_help=True)(duel)
app.command(no_args_is_help=True)(gate)
app.command("list", no_args_is_help=True)(list_)
app.command(no_args_is_help=True)(new)
app.command(no_args_is_help=True)(fetch)
app.command(no_args_is_help=True)(export)
app.command(no_args_is_help=True)(check)
app.command()(doctor)
app.command(no_args_is_help=True)(publish)
app.command(no_args_is_help=True)(plot)
app.command(no_args_is_help=True)(merge)
app.command(no_args_is_help=True)(history)
app.command(no_args_is_help=True)(diagnose)
app.command(no_args_is_help=True)(explain)
app.command("export-model", no_args_is_help=True)(export_model)
app.command(no_args_is_help=True)(convert)
app.command("lr-find", no_args_is_help=True)(lr_find)
app.command(no_args_is_help=True)(plan)
app.command(no_args_is_help=True)(status)
app.add_typer(inspect.group, name="inspect")

# A mistake on the command line, which typer finds. Some versions of typer have a click of their own, others take the
# installed one: this class typer gives away itself.
UsageError = cast(
    "type[Exception]", next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of `bench` and `python -m bench`. A user's mistake is one line; anything else shows its traceback."""
    if arguments is None:
        open_streams()
    try:
        code = app(arguments, standalone_mode=False)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        code = EXIT_USAGE
    except UsageError as error:
        sys.stderr.write(usage_line(error))
        code = EXIT_USAGE
    except typer.Abort:
        code = EXIT_SIGINT
    sys.exit(code or EXIT_OK)


def usage_line(error: Any) -> str:
    """What is wrong with the command line, and where to read what is right; the help itself where nothing was given."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return f"{error.format_message()}\n"
    context, text = getattr(error, "ctx", None), " ".join(error.format_message().split()).rstrip(".")
    command = context.command_path if context is not None else "python -m bench"
    return f"{text[:1].lower()}{text[1:]} (see {command} --help)\n"
