"""docs/performance.md from the figures that are kept: tables between markers, plots beside it. Its prose is by hand."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tabulate import tabulate

from tests.benchmarks.beside import duel, grid, null, scale, spinning, timing, training, turns
from tests.benchmarks.beside.floors import floor_seconds
from tests.benchmarks.beside.kept import Kept
from tests.benchmarks.beside.measured import Json
from tests.benchmarks.beside.plots import rates_plot, scale_plot

MARKED = re.compile(r"(<!-- measured:(\w+) -->\n).*?(<!-- /measured -->)", re.DOTALL)
NOT_YET = "Not measured yet.\n"
NAMES = {
    "hand": "loop by hand", "tensors": "DataLoader, tensors", "lightning": "lightning.Trainer",
    "tutorial": "tutorial loop",
}  # fmt: skip


def write(kept: Kept, path: Path) -> None:
    """Replace what stands between the markers, and draw the plots beside the document."""
    text = path.read_text(encoding="utf-8")
    path.write_text(MARKED.sub(lambda m: f"{m[1]}{_part(kept, m[2])}{m[3]}", text), encoding="utf-8")
    rates, sizes = kept.load("training"), kept.load("scale")
    if rates:
        rates_plot(rates["found"], path.with_name("performance-training"), conditions=_short(rates["conditions"]))
    if sizes:
        scale_plot(sizes["found"], path.with_name("performance-scale"), conditions=_short(sizes["conditions"]))


def _part(kept: Kept, name: str) -> str:
    if name == "conditions":
        return conditions(kept)
    held = kept.load("floors" if name == "floors" else name)
    if held is None:
        return NOT_YET
    found = held["found"]
    if name == "floors":
        rates = kept.load("training")
        return floors_table(found, rates["found"]) if rates else NOT_YET
    return PARTS[name](found)


def _short(held: Json) -> str:
    facts = held["facts"]
    quick = " · quick: no figures to trust" if held["quick"] else ""
    return f"{facts.get('cpu', '?')}, {facts.get('cores', '?')} cores · torch {facts.get('torch', '?')}{quick}"


def conditions(kept: Kept) -> str:
    """One line a benchmark: where, when, with how many processes a side, of which commit."""
    lines = []
    for name in ("training", "grid", "scale", "engines", "floors", "spinning", "turns", "null", "timing", "duel"):
        held = kept.load(name)
        if held is None:
            lines.append(f"- {name}: not measured yet")
            continue
        told = held["conditions"]
        commit = f"{told['commit'][:10]}{' with changes' if told['dirty'] else ''}" if told["commit"] else "unknown"
        rounds = (
            f"{told['rounds']} processes a side · "
            if name in ("training", "grid", "engines", "spinning", "timing")
            else ""
        )
        facts = told["facts"]
        software = f"Python {facts.get('python', '?')}, kernel {facts.get('kernel', '?')}"
        lines.append(f"- {name}: {_short(told)} · {rounds}{software} · {told['date']} · commit {commit}")
    return "\n".join(lines) + "\n"


def training_table(found: Json) -> str:
    """Images a second, and the suite's as a multiple of each other's, with what was asked of it."""
    rows = []
    for cell in found["cells"]:
        median = statistics.median(cell["samples_per_second"]["suite"])
        own = [f"{cell['model']}, {cell['batch_size']}", f"{median:,.0f}"]
        rows.append(own + [_times(cell["ratios"][name]) for name in training.OTHERS])
    picture = "![Training rate of the suite as a multiple of what a user would write](performance-training.png)\n\n"
    head = ["model, batch", "suite, images/s", *(f"× {NAMES[name]}" for name in training.OTHERS)]
    return picture + _table(rows, head) + "\n" + "\n".join(_training_verdicts(found)) + "\n"


def _training_verdicts(found: Json) -> list[str]:
    lines = []
    for name, floor, models in training.NEEDED:
        cells = [cell for cell in found["cells"] if cell["model"] in models]
        short = [
            f"{cell['model']} at {cell['batch_size']} ({_times(cell['ratios'][name])})"
            for cell in cells
            if cell["ratios"][name]["ratio"] < floor
        ]
        what = f"- At least {floor:g} times the {NAMES[name]}, {', '.join(models)}: "
        lines.append(what + ("reached." if not short else f"**falls short** for {', '.join(short)}."))
    return lines


def grid_table(found: Json) -> str:
    """The whole suite beside the script, and where its seconds went."""
    seconds, parts = found["seconds"], found["parts"]
    median = {name: statistics.median(values) for name, values in parts.items()}
    rows = [
        ["script: nested loops over DataLoaders, which measure nothing", *_spread(seconds["script"])],
        ["**suite, from command to report**", *_spread(seconds["suite"])],
        ["· start, plan, import of torch", *_spread(parts["start_seconds"])],
        ["· training", *_spread(parts["training_seconds"])],
        ["· trials beside training", *_spread(parts["beside_training_seconds"])],
        ["· report: tables, plots, page", *_spread(parts["report_seconds"])],
        ["second invocation: all is there", *_spread(parts["second_seconds"])],
    ]
    trial = ", ".join(f"{name} {median[f'beside_{name}_seconds']:.3f} s" for name in training.MODELS)
    lines = [
        f"- Suite ÷ script: {_times(found['times'])}"
        f"{_short_of(found['times']['ratio'], grid.NEEDED['suite'])}; 1.0 is wanted.",
        f"- A trial beside its training, median: {median['trial_median_seconds']:.3f} s "
        f"({trial}; of that outside its process {median['outside_process_median_seconds']:.3f} s)"
        f"{_short_of(median['trial_median_seconds'], grid.NEEDED['trial_seconds'])}.",
        f"- A second invocation: {median['second_seconds']:.2f} s"
        f"{_short_of(median['second_seconds'], grid.NEEDED['second_seconds'])}.",
    ]
    return _table(rows, ["", "median, s", "least", "most"]) + "\n" + "\n".join(lines) + "\n"


def _short_of(value: float, most: float) -> str:
    return f" (at most {most:g}: {'reached' if value <= most else '**falls short**'})"


def scale_table(found: Json) -> str:
    """Planning and reports by number of results; counting; appends."""
    rows = [
        [
            f"{row['results']:,}", f"{row['stored_bytes'] / 1e6:,.0f}", f"{row['plan_seconds']:.1f}",
            f"{row['plan_bytes'] / 2**20:,.0f}", f"{row['report_seconds']:.1f}", f"{row['report_bytes'] / 2**20:,.0f}",
            f"{row['unchanged_report_seconds']:.1f}",
        ]
        for row in found["sizes"]
    ]  # fmt: skip
    head = ["results", "stored, MB", "plan, s", "plan, MiB", "report, s", "report, MiB", "unchanged report, s"]
    picture = "![Seconds of planning and of a report by number of results](performance-scale.png)\n\n"
    last, need, append = found["sizes"][-1], scale.NEEDED, found["append"]
    most = max(told["seconds"] for told in found["count"].values())
    lines = [
        f"- Counting a grid of 10^6 trials, with rules and without: {most:.3f} s"
        f"{_short_of(most, need['count_seconds'])}.",
        f"- Planning {last['results']:,} trials against as many results: {last['plan_seconds']:.1f} s"
        f"{_short_of(last['plan_seconds'], need['plan_seconds'])}, {last['plan_bytes'] / 2**20:,.0f} MiB"
        f"{_short_of(last['plan_bytes'] / 2**20, need['plan_bytes'] / 2**20)}.",
        f"- A report over them: {last['report_seconds']:.1f} s"
        f"{_short_of(last['report_seconds'], need['report_seconds'])}.",
        f"- Appends until the disk has them, median of the first and of the last tenth of {append['appends']:,} in one "
        f"file of {append['bytes'] / 1e6:,.0f} MB: {append['first_tenth_seconds'] * 1e3:.2f} ms and "
        f"{append['last_tenth_seconds'] * 1e3:.2f} ms.",
    ]
    return picture + _table(rows, head) + "\n" + "\n".join(lines) + "\n"


def engines_table(found: Json) -> str:
    """Rates as multiples of the plain ones: seeds at once, compiled steps, memory formats and bfloat16."""
    cells = {(cell["model"], cell["seeds"]): cell for cell in found["at_once"]}
    models = list(dict.fromkeys(model for model, _ in cells))
    counts = sorted({count for _, count in cells if count > 1})
    at_once = [
        [model, f"{statistics.median(cells[model, 1]['samples_per_second']):,.0f}"]
        + [_times(cells[model, count]["ratio"]) for count in counts]
        for model in models
    ]
    compiled = [
        [cell["model"], _times(cell["ratio"]), f"{statistics.median(cell['compile_seconds']):.1f}"]
        for cell in found["compiled"]
    ]
    shapes = list(dict.fromkeys(cell["shape"] for cell in found["formats"]))
    formats = [[shape, *(_times(cell["ratio"]) for cell in found["formats"] if cell["shape"] == shape)]
               for shape in shapes]  # fmt: skip
    at_head = ["digits, batch 64", "eager, images/s", *(f"{count} seeds at once" for count in counts)]
    return "\n".join(
        [
            "Seeds at once (`vectorized`), images/s of all of them ÷ those of one seed after the other (`eager`):\n",
            _table(at_once, at_head),
            "`compiled` ÷ `eager`, 1×28×28, batch 64, and the seconds to compile with a cold cache:\n",
            _table(compiled, ["model", "× eager", "to compile, s"])
            if compiled
            else "No compiler was there: `compiled` was skipped.\n",
            "cnn at batch 64, ÷ contiguous float32:\n",
            _table(formats, ["images", "channels_last", "bfloat16", "both"]),
        ]
    )


def floors_table(found: Json, rates: Json) -> str:
    """For each cell the least time of a step, what bounds it, and how far the suite and the loop by hand are off."""
    rows = []
    for cell in rates["cells"]:
        floor = floor_seconds(found, model=cell["model"], batch_size=cell["batch_size"])
        step = {n: cell["batch_size"] / statistics.median(cell["samples_per_second"][n]) for n in ("suite", "hand")}
        bound = "bytes" if floor["memory_seconds"] > floor["arithmetic_seconds"] else "FLOPs"
        rows.append(
            [f"{cell['model']}, {cell['batch_size']}", f"{floor['arithmetic_seconds'] * 1e6:.1f}",
             f"{floor['memory_seconds'] * 1e6:.1f}", bound, f"{step['suite'] * 1e6:,.0f}",
             f"{step['suite'] / floor['floor_seconds']:.1f}", f"{step['hand'] / floor['floor_seconds']:.1f}"]
        )  # fmt: skip
    head = ["model, batch", "FLOPs ÷ peak, µs", "bytes ÷ bandwidth, µs", "bound by", "step, µs"]
    head += ["suite ÷ floor", "by hand ÷ floor"]
    peak = f"Measured peak: {found['peak_flops'] / 1e9:,.0f} GFLOP/s (float32 products of 2048² matrices)"
    return f"{peak}, {found['bytes_per_second'] / 1e9:.1f} GB/s (copies of 40 MB).\n\n{_table(rows, head)}"


def spinning_table(found: Json) -> str:
    """By setting and cell the rate as a multiple of that as it is: alone, then beside busy programs."""
    titles = {"alone": "Alone", "beside": f"Beside {found['busy_programs']} busy programs"}
    return "\n".join(part for where, title in titles.items() for part in _spinning(found, where, title))


def _spinning(found: Json, where: str, title: str) -> Iterator[str]:
    rates, ratios = found["rates"][where], spinning.ratios(found, where)
    known = {cell: f"{statistics.median(own[spinning.AS_IT_IS]):,.0f}" for cell, own in rates.items()}
    rows = [[f"{spinning.AS_IT_IS}, images/s", "", *known.values()]]
    for side in [side for side in spinning.SIDES if side != spinning.AS_IT_IS]:
        own = [ratios[cell, side] for cell in rates]
        mean = statistics.geometric_mean([ratio["ratio"] for ratio in own])
        rows.append([f"{side}, ×", f"{mean:.3f}", *map(_times, own)])
    yield f"{title}, {found['threads']} threads, batch {found['batch_size']}:\n"
    yield _table(rows, ["", "geometric mean", *rates])


def turns_table(found: Json) -> str:
    """Spread of the ratios by cell, one after the other and by turns; and its geometric mean over the cells."""
    rows, means = [], list[float]()
    sds = {where: {manner: {cell: turns.sd(values) for cell, values in cells.items()} for manner, cells in own.items()}
           for where, own in found["log_ratios"].items() if _repeats(own) > 1}  # fmt: skip
    for own in sds.values():
        means += [statistics.geometric_mean(cells.values()) for cells in own.values()]
    for cell in next(iter(sds["beside"].values())):
        rows.append([cell, *_spreads([cells[cell] for own in sds.values() for cells in own.values()])])
    rows.append(["**geometric mean**", *_spreads(means)])
    head = ["sd of the log-ratio", *(f"{where}, {name}" for where in sds for name in (*turns.MANNERS, "÷"))]
    least, most = _worst(sds["beside"])
    repeats = ", ".join(f"{where} {_repeats(found['log_ratios'][where])}" for where in sds)
    return _table(rows, head) + (
        f"\nRepeats: {repeats}. Beside: one "
        f"program, busy for 0 to {found['busy_seconds']:g} s at random. "
        f"There by turns ÷ one after the other: {least:.2f} (at most a third), at most {most:.2f} (0.6) in a cell.\n"
    )


def _repeats(own: Json) -> int:
    """How many repeats every cell has, in both manners."""
    return min((len(values) for cells in own.values() for values in cells.values()), default=0)


def _spreads(values: Sequence[float]) -> list[str]:
    """One after the other, by turns and the quotient: alone, then beside."""
    pairs = zip(values[::2], values[1::2], strict=True)
    return [text for one, turn in pairs for text in (f"{one:.3f}", f"{turn:.3f}", f"{turn / one:.2f}")]


def _worst(own: Json) -> tuple[float, float]:
    """Geometric mean and most of the quotients of the spreads."""
    one, turn = (list(cells.values()) for cells in own.values())
    quotients = [b / a for a, b in zip(one, turn, strict=True)]
    return statistics.geometric_mean(quotients), max(quotients)


def timing_table(found: Json) -> str:
    """By timing_seconds: half-widths of the ratios, states of the timings, seconds of a run."""
    rows = []
    for value, side in found["sides"].items():
        widths = [width for run in side["half_widths"] for width in run]
        states = side["states"]
        runs = len(side["seconds"])
        bad = f"{(states.get('rough', 0) + states.get('disturbed', 0)) / runs:.1f} of {sum(states.values()) // runs}"
        middle, most = (f"{100 * of(widths):.1f} %" if widths else "" for of in (statistics.median, max))
        near = f"{sum(width <= timing.GOAL for width in widths)} of {len(widths)}"
        rows.append([value, middle, most, near, bad, f"{statistics.median(side['seconds']):.1f}"])
    head = ["timing_seconds", "half-width, median", "most", "at most 5 %", "rough or disturbed, a run", "a run, s"]
    read = "; ".join(dict.fromkeys(found["readings"]))
    return _table(rows, head) + f"\nBefore the rounds `--wait-quiet` read: {read}.\n"


def null_table(found: Json) -> str:
    """By what was planted: how many comparisons, and how many intervals hold 1 or leave it out."""
    rows = []
    for case in found["cases"]:
        seconds = "default" if case["timing_seconds"] is None else f"{case['timing_seconds']:g}"
        for seeds in case["seed_counts"]:
            if not (ratios := null.intervals(case, seeds)):
                continue
            count, out = len(ratios), null.found_in(ratios)
            middle = statistics.geometric_mean([each.ratio for each in ratios])
            half = statistics.median([math.log(each.high / each.low) / 2 for each in ratios if each.low and each.high])
            rows.append([f"{100 * case['share']:.0f} %", str(seeds), seconds, str(count), f"{middle:.3f}",
                         f"± {100 * half:.1f} %", str(count - out), f"{100 * out / count:.0f} %"])  # fmt: skip
    head = ["planted wait", "seeds", "timing_seconds", "comparisons", "ratio", "half-width", "hold 1", "leave 1 out"]
    return _table(rows, head)


def duel_table(found: Json) -> str:
    """By what one side waits: duels, in how many a cell or every cell has a verdict, and what cells are called."""
    rows = []
    for case in found["cases"]:
        duels, told = case["duels"], duel.verdicts(case["duels"])
        middle = statistics.geometric_mean([cell[1] for cells in duels for cell in cells])
        rows.append([f"{100 * case['share']:.0f} %", str(len(duels)), str(duel.decided(duels)), str(duel.agreed(duels)),
                     str(told.total()), *(str(told[each]) for each in duel.VERDICTS),
                     str(duel.left_out(duels)), f"{middle:.3f}"])  # fmt: skip
    head = ["B waits", "duels", "a cell faster or slower", "every cell so", "cells", *duel.VERDICTS, "leave 1 out",
            "ratio"]  # fmt: skip
    return _table(rows, head)


def _times(ratio: Json) -> str:
    """`1.02 [0.99, 1.05]`."""
    digits = 2 if ratio["ratio"] < 10 else 1
    interval = f" [{ratio['low']:.{digits}f}, {ratio['high']:.{digits}f}]" if ratio["low"] is not None else ""
    return f"{ratio['ratio']:.{digits}f}{interval}"


def _spread(values: Sequence[float]) -> list[str]:
    return [f"{value:.2f}" for value in (statistics.median(values), min(values), max(values))]


def _table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    align = ["left", *["right"] * (len(head) - 1)]
    return tabulate(rows, headers=head, tablefmt="github", colalign=align, disable_numparse=True) + "\n"


PARTS: dict[str, Callable[[Json], str]] = {
    "training": training_table,
    "grid": grid_table,
    "scale": scale_table,
    "engines": engines_table,
    "spinning": spinning_table,
    "turns": turns_table,
    "null": null_table,
    "timing": timing_table,
    "duel": duel_table,
}
