"""What `bench lr-find` does, from Python values to an exit code."""

from __future__ import annotations

from bench.errors import EXIT_OK, EXIT_TRIALS
from bench.execute.prepare import Options
from bench.execute.progress import make_voice
from bench.execute.signals import Stopped
from bench.lr_find.sweep import Range, sweep


def lr_find(options: Options, wanted: Range) -> int:
    """Sweep each cell, write what was found under <results>/<suite>/lr-find, print it; 1 where a cell has no curve."""
    from bench.lr_find import write as report

    voice = make_voice()
    try:
        prepared, swept = sweep(options, wanted, voice=voice)
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; nothing is written")
        return stopped.exit_code
    curves = [
        report.Curve(
            each.trial, each.suite_rates, "" if each.status == "ok" else f"{each.status}: {each.reason}", each.rates,
            each.losses, each.smoothed, each.diverged,
        )
        for each in swept
    ]  # fmt: skip
    suite = prepared.suite
    page, *_ = report.write(prepared.store.folder / report.FOLDER, curves, title=suite.title or suite.name)
    print(f"{report.terminal(curves)}\n\nlearning rates  {page}")
    return EXIT_OK if all(each.status in ("ok", "skipped") for each in swept) else EXIT_TRIALS
