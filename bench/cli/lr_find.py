"""`bench lr-find`: which learning rate to start from."""

from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, EXIT_TRIALS


def lr_find(
    suite: opt.Suite,
    lowest: Annotated[
        float, typer.Option("--from", metavar="RATE", help="The learning rate of the first step.")
    ] = 1e-6,
    highest: Annotated[
        float | None, typer.Option("--to", metavar="RATE", help="That of the last step [default: 1; of sgd 100].")
    ] = None,
    steps: Annotated[int, typer.Option(metavar="N", help="How many steps, at most.")] = 100,
    set_: opt.Set = None,
    only: opt.Only = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Find a learning rate to start from.

    Each cell trains for some steps while the rate rises, and its loss is shown. No result is stored.

    \b
    Examples:
      python -m bench lr-find suites/baseline.toml --only device=cpu
      python -m bench lr-find suites/mnist.toml --from 1e-5 --to 10 --steps 300
    """
    from bench.execute.prepare import Options
    from bench.execute.progress import make_voice
    from bench.execute.signals import Stopped
    from bench.lr_find.sweep import Range, sweep
    from bench.lr_find.write import FOLDER, terminal_text, write

    options = Options(
        suite=suite, sets=set_ or (), only=only or (), results=results, data_root=data_root, plugins=plugin or ()
    )
    voice = make_voice()
    try:
        prepared, curves = sweep(options, Range(lowest, highest, steps), voice=voice)
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; nothing is written")
        return stopped.exit_code
    found = prepared.suite
    page = write(prepared.store.folder / FOLDER, curves, title=found.title or found.name)
    print(f"{terminal_text(curves)}\n\nlearning rates  {page}")
    return EXIT_OK if all(curve.status in ("ok", "skipped") for curve in curves) else EXIT_TRIALS
