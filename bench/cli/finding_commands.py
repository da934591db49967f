"""What `bench lr-find` does, from Python values to an exit code."""

from __future__ import annotations

from bench.errors import EXIT_OK, EXIT_TRIALS
from bench.execute.prepare import Options
from bench.execute.progress import make_voice
from bench.execute.signals import Stopped
from bench.lr_find.sweep import Range, sweep


def lr_find(options: Options, wanted: Range) -> int:
    """Sweep each cell, write what was found under <results>/<suite>/lr-find, print it; 1 where a cell has no curve."""
    from bench.lr_find.table import terminal_text
    from bench.lr_find.write import FOLDER, write

    voice = make_voice()
    try:
        prepared, curves = sweep(options, wanted, voice=voice)
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; nothing is written")
        return stopped.exit_code
    suite = prepared.suite
    page = write(prepared.store.folder / FOLDER, curves, title=suite.title or suite.name)
    print(f"{terminal_text(curves)}\n\nlearning rates  {page}")
    return EXIT_OK if all(curve.status in ("ok", "skipped") for curve in curves) else EXIT_TRIALS
