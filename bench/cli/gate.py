"""`bench gate`: keep a change, revert it, or undecided."""

import math
from collections.abc import Sequence
from dataclasses import replace
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.errors import BenchError
from bench.suite.shipped import suite_or_results

if TYPE_CHECKING:
    from bench.execute.prepare import Options
    from bench.gate.records import Asked, Gate

MOST = "10m"
OFF = -1.0  # of a loss: that metric is not judged
Losses = tuple[float | None, float | None]  # of accuracy and of speed, as asked for; None: the default


def gate(
    before: Annotated[
        Path,
        typer.Argument(
            metavar="BEFORE",
            help="Results before the change; with --against the suite to measure.",
            callback=suite_or_results,
        ),
    ],
    after: Annotated[Path | None, typer.Argument(metavar="AFTER", help="Results after it. Not with --against.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="PYTHON", help="Measure, by turns with this interpreter: it is before.")
    ] = None,
    against_ref: Annotated[
        str | None, typer.Option(metavar="REF", help="Measure, by turns with this commit of the suite's repository.")
    ] = None,
    within: Annotated[
        str | None, typer.Option(metavar="SHARE", help="A loss of accuracy that does not matter [default: 0.005].")
    ] = None,
    slower: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="A loss of speed that does not matter; off [default: 2%, by turns only]."),
    ] = None,
    most: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --against: at most so long [default: 10m].")
    ] = None,
    across_machines: Annotated[
        bool, typer.Option("--across-machines", help="Judge accuracies of two machines, too.")
    ] = False,
    json: opt.Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a comment for a pull request.")] = False,
    set_: opt.Set = None,
    only: opt.Only = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Say whether to keep a change or to revert it.

    All cells are judged with one error rate. Two folders are judged by accuracy.
    With --against, both sides train by turns until accuracy and speed are decided.

    \b
    Examples:
      python -m bench gate results/before results/after
      python -m bench gate results/before results/after --within 0.01 --json
      python -m bench gate suites/smoke.toml --against-ref main
      python -m bench gate suites/smoke.toml --against old/bin/python --most 30m

    \b
    Exit codes: 0 keep; 3 revert; 4 undecided; 2 for a wrong command line.
    """
    from bench.execute.prepare import Options

    if json and markdown:
        raise BenchError("--json --markdown: give one of the two")
    losses = _share(within, "--within"), _share(slower, "--slower")
    if losses == (OFF, OFF):
        raise BenchError("--within off --slower off: nothing is left to judge")
    if against is None and against_ref is None:
        _refuse(("--most", most), ("--set", set_), ("--only", only), why="is for measuring: add --against PYTHON")
        found = _judged(
            before, after, losses, across_machines, results=results, data_root=data_root, plugins=plugin or ()
        )
    else:
        _refuse(("AFTER", after), why="is not for --against, which measures it: give a suite alone")
        options = Options(
            suite=before, sets=set_ or (), only=only or (), results=results, data_root=data_root,
            plugins=plugin or (), fresh=True,
        )  # fmt: skip
        measured = _measured(options, against, against_ref, losses, most or MOST)
        if isinstance(measured, int):
            return measured
        found = measured
    return _told(found, json=json, markdown=markdown)


def _refuse(*given: tuple[str, object], why: str) -> None:
    for name, value in given:
        if value:
            raise BenchError(f"{name} {why}")


def _share(text: str | None, option: str) -> float | None:
    """Returns 0.02 of `2%` or `0.02`, OFF of `off`, None where nothing is given."""
    if text is None or text == "off":
        return None if text is None else OFF
    number, _, percent = text.strip().partition("%")
    try:
        share = float(number) / (100 if "%" in text else 1)
    except ValueError:
        share = math.nan
    if percent or not 0 < share < 1:
        raise BenchError(f"{option} {text}: expected a share between 0 and 1, as in 0.005 or 2%, or off")
    return share


def _judged(
    before: Path,
    after: Path | None,
    losses: Losses,
    across_machines: bool,
    *,
    results: Path,
    data_root: Path | None,
    plugins: Sequence[str],
) -> "Gate":
    """Returns the verdict on results that are there."""
    from bench.gate.judge import judge
    from bench.gate.open import is_judged_by_turns, sides_of, unjudged
    from bench.gate.records import SLOWER

    one, other, live = sides_of(before, after, results=results, data_root=data_root, plugins=plugins)
    by_turns = is_judged_by_turns(one, other)
    asked = _asked(losses, slower=SLOWER if by_turns else None, across_machines=across_machines)
    why = "" if losses[1] == OFF else unjudged(asked, one, other)
    return replace(judge(one, other, asked=asked, live=live), unjudged=why)


def _asked(losses: Losses, *, slower: float | None, across_machines: bool = False) -> "Asked":
    from bench.gate.records import WITHIN, Asked

    chosen = [default if loss is None else None if loss == OFF else loss
              for loss, default in zip(losses, (WITHIN, slower), strict=True)]  # fmt: skip
    if chosen == [None, None]:
        raise BenchError("--within off: the speeds of two runs at different times cannot be judged; see --against")
    return Asked(chosen[0], chosen[1], across_machines=across_machines)


def _measured(
    options: "Options",
    against: str | None,
    against_ref: str | None,
    losses: Losses,
    most: str,
) -> "Gate | int":
    """Returns the verdict on what it measures; the exit code where it was stopped."""
    from bench.duel.run import duel
    from bench.duel.sides import Opponent
    from bench.execute.progress import make_voice
    from bench.execute.signals import Stopped
    from bench.gate.as_json import gate_json
    from bench.gate.open import write_mark
    from bench.gate.records import SLOWER
    from bench.gate.rounds import Rounds, judge_duel
    from bench.suite.plan import parse_time

    asked = _asked(losses, slower=SLOWER)
    voice = make_voice()
    rounds = Rounds(asked, most_seconds=parse_time(most, option="--most"), say=voice.say)
    try:
        fought = duel(options, Opponent(against, against_ref), voice=voice, choose=rounds, name="bench gate")
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; the same command begins anew")
        return stopped.exit_code
    found = replace(judge_duel(fought.folder, asked=asked), stored=str(fought.folder), spent=rounds.spent)
    write_mark(fought.folder, gate_json(found))
    return found


def _told(found: "Gate", *, json: bool, markdown: bool) -> int:
    """Prints the verdict. Returns the exit code that it stands for."""
    from bench.gate.as_json import EXIT_CODES, gate_json
    from bench.gate.text import gate_markdown, gate_text

    if json:
        print(dumps(gate_json(found), indent=2))
    else:
        print(gate_markdown(found) if markdown else gate_text(found), end="")
    return EXIT_CODES[found.verdict]
