"""The plots of docs/performance.md, as reports look."""

from __future__ import annotations

from pathlib import Path

from bench.present.colours import COLOURS, MARKERS
from bench.present.style import FAINT, SMALL, Frame, figure_with_axes, save, setup
from tests.benchmarks.beside.measured import Json

SIDES = {"hand": "loop by hand", "tensors": "DataLoader over tensors", "lightning": "lightning.Trainer",
         "tutorial": "tutorial loop"}  # fmt: skip


def rates_plot(found: Json, stem: Path, *, conditions: str) -> None:
    """How many times as fast as each side the suite trains, per model and batch size, with 95 % intervals."""
    cells = found["cells"]
    with setup():
        figure, [ax] = figure_with_axes(
            "Training rate: the suite, as a multiple of what a user would write",
            [f"95 % intervals · 12,800 images of 28×28 · {found['threads']} threads · {conditions}"],
            rows=1, columns=1, panel_inches=0.62 * len(cells), frame=Frame(left=1.2, right=0.4), named=False,
        )  # fmt: skip
        ax.set_xscale("log")
        for index, (name, label) in enumerate(SIDES.items()):
            ratios = [cell["ratios"][name] for cell in cells]
            places = [row + (index - 1.5) * 0.16 for row in range(len(cells))]
            low = [r["ratio"] - (r["low"] or r["ratio"]) for r in ratios]
            high = [(r["high"] or r["ratio"]) - r["ratio"] for r in ratios]
            ax.errorbar(
                [r["ratio"] for r in ratios], places, xerr=[low, high], fmt=MARKERS[index], color=COLOURS[index],
                label=f"÷ {label}", markersize=5, elinewidth=1.2,
            )  # fmt: skip
        ax.axvline(1, color=FAINT, linewidth=1)
        ax.set_yticks(range(len(cells)), [f"{cell['model']}, batch {cell['batch_size']}" for cell in cells])
        ax.set_ylim(len(cells) - 0.5, -0.5)
        ticks = [tick for tick in (0.5, 1, 2, 5, 10, 20, 50, 100) if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
        ax.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
        ax.minorticks_off()
        ax.set_xlabel("images a second of the suite ÷ those of the other (log)")
        ax.legend(fontsize=SMALL, frameon=False, loc="best")
        save(figure, stem)


def scale_plot(found: Json, stem: Path, *, conditions: str) -> None:
    """Seconds of planning and of a report by number of results, both axes logarithmic, beside a straight proportion."""
    sizes = [row["results"] for row in found["sizes"]]
    with setup():
        figure, [ax] = figure_with_axes(
            "Planning and reports, by the number of results",
            [f"grey: proportional to the largest · {conditions}"],
            rows=1, columns=1, panel_inches=3.2, frame=Frame(left=0.85, right=1.5), named=False,
        )  # fmt: skip
        for index, (key, label) in enumerate((("report_seconds", "report"), ("plan_seconds", "plan"))):
            seconds = [row[key] for row in found["sizes"]]
            ax.plot(sizes, [seconds[-1] * size / sizes[-1] for size in sizes], color="#bbbbbb", linewidth=1, zorder=1)
            ax.plot(sizes, seconds, MARKERS[index] + "-", color=COLOURS[index])
            ax.annotate(
                f"{label}: {seconds[-1]:.1f} s", (sizes[-1], seconds[-1]), xytext=(8, 0), textcoords="offset points",
                va="center", color=COLOURS[index], annotation_clip=False,
            )  # fmt: skip
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
        low, high = ax.get_ylim()
        ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if low <= tick <= high]
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        ax.set_xlabel("results stored (log)")
        ax.set_ylabel("seconds, whole command (log)")
        save(figure, stem)
