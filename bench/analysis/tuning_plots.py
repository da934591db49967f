"""The plots of tuning before anybody draws them: expected best after k settings, heat map, effect of each setting."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.analysis.cells import axis_label
from bench.analysis.tuning import Searched, Tuning
from bench.present.format import plural, slug
from bench.suite.tune import Range

MOST_CURVES = 16
TRIALS_NOTE = "given up: counted by what it had reached then · failed: as the worst"
HEAT_NOTE = "a square: one setting · ring: chosen · cross: the default · small: given up"
EFFECT_NOTE = "a mark: one setting · ring: chosen · hollow: given up"


@dataclass(frozen=True, eq=False)
class TuningPlot:
    """One plot. `name`: of its file, without the ending. `notes` stand below the title, a line each.

    best: expected best score upwards, settings to the right, a curve a search. heat: `ranges` are the two
    settings of its one search. effect: a panel for each of `ranges`.
    """

    kind: Literal["best", "heat", "effect"]
    name: str
    title: str
    notes: tuple[str, ...]
    searched: tuple[Searched, ...]
    ranges: tuple[Range, ...] = ()
    alt: str = ""


def tuning_plots(tuning: Tuning) -> Iterator[TuningPlot]:
    """The plots of each group of searches in one place; of those in which more than the default was tried."""
    for place, group in tuning.groups.items():
        shown = list({id(each.search): each for each in group if len(each.tried) > 1}.values())
        if shown:
            yield _best(place, shown[:MOST_CURVES], tuning)
        for each in shown:
            yield _settings(place, each)


def _dataset(each: Searched) -> str:
    return each.search.default.dataset.label


def _name(*parts: str) -> str:
    return "-".join(slug(part) for part in parts if part)


def _best(place: str, group: Sequence[Searched], tuning: Tuning) -> TuningPlot:
    title = f"Expected best {group[0].score} on {_dataset(group[0])} after k settings"
    order = "in any order: of tpe later settings build on earlier ones" if tuning.tune.sampler == "tpe" else ""
    notes = " · ".join(filter(None, [place, "mean over all subsets of k of the settings tried", order])), TRIALS_NOTE
    told = "; ".join(
        f"{each.model} {each.bests[0]:.3f} after 1, {each.bests[-1]:.3f} after {len(each.bests)}" for each in group
    )
    return TuningPlot("best", _name("tuning", place), title, notes, tuple(group), alt=f"{title}. {told}")


def _settings(place: str, each: Searched) -> TuningPlot:
    ranges = tuple(each.search.ranges)
    kind: Literal["heat", "effect"] = "heat" if len(ranges) == 2 else "effect"
    by = " and ".join(axis_label(key.key) for key in ranges) if kind == "heat" else "each setting"
    title = f"V{each.score[1:]} of {each.model} on {_dataset(each)} by {by}"
    notes = " · ".join(filter(None, [place, f"{plural(len(each.tried), 'setting')} tried"]))
    key = HEAT_NOTE if kind == "heat" else EFFECT_NOTE
    name = _name("tuning", kind, each.model, place)
    return TuningPlot(kind, name, title, (notes, key), (each,), ranges, alt=title)
