"""`bench duel`: two environments of one machine, which train the same trials by turns."""

import shlex
import sys
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, EXIT_TRIALS, BenchError


def duel(
    suite: opt.Suite,
    against: Annotated[
        str | None, typer.Option(metavar="PYTHON", help="The other interpreter, with a bench of its own.")
    ] = None,
    against_ref: Annotated[
        str | None, typer.Option(metavar="REF", help="Another commit of the repository that the suite lies in.")
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Run the suite's trials N times [default: until five pairs a cell]."),
    ] = None,
    set_: opt.Set = None,
    only: opt.Only = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Train a suite by turns in two environments and compare them.

    A is this interpreter, B the other one. What differs stands above the table.

    \b
    Examples:
      python -m bench duel suites/smoke.toml --against ~/torch-nightly/bin/python
      python -m bench duel suites/smoke.toml --against-ref main
      python -m bench duel suites/mnist.toml --against-ref HEAD~3 --only model=mlp

    \b
    Exit codes: 0 every trial ended well on both sides; 1 one did not; 2 for a
    wrong command line, suite or other side.
    """
    from bench.comparison.ask import compare_folders
    from bench.duel.run import duel as fight
    from bench.duel.sides import Opponent
    from bench.execute.prepare import Options
    from bench.execute.progress import make_voice
    from bench.execute.signals import Stopped

    options = Options(
        suite=suite,
        sets=set_ or (),
        only=only or (),
        results=results,
        data_root=data_root,
        plugins=plugin or (),
        fresh=True,
    )
    voice = make_voice()
    try:
        fought = fight(options, Opponent(against, against_ref), rounds=rounds, voice=voice)
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; the same command begins a new duel")
        return stopped.exit_code
    try:
        print(compare_folders(fought.folder), end="")
    except BenchError as error:  # no trial has ended well on both sides
        sys.stderr.write(f"{error}\n")
        return EXIT_TRIALS
    print(f"\nresults  {fought.folder} (python -m bench compare {shlex.quote(str(fought.folder))})")
    return EXIT_OK if fought.whole else EXIT_TRIALS
