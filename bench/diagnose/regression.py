"""The page of a trained regression: how far it is off, where, and by how much at most."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.analysis.artifacts import Array, Regressed
from bench.base import files
from bench.base.metrics import BUILT_IN
from bench.diagnose import tables
from bench.present.columns import page_of
from bench.present.files import save_figures
from bench.present.format import plain, plural
from bench.present.tables import Column, Table, TableCell, escape_markdown, table_of, to_markdown
from bench.statistics.intervals import paired_bootstrap

MOST_TARGETS = 6  # that are drawn
HEADS = (*((name, BUILT_IN[name].short) for name in ("r2", "mae", "rmse")), ("bias", "mean error"))
BIAS = "mean error: of prediction − target; above 0 it predicts too much."


class Scores(NamedTuple):
    """Of one target."""

    name: str
    r2: float  # NaN where all targets are the same
    mae: float
    rmse: float
    bias: float  # mean of prediction - target


def page(found: Regressed, folder: Path, *, what: str) -> Path:
    """Writes <trial>.md with its figures; `what` is the trial in one line. Returns its path."""
    trial_id, count = found.result.trial_id, len(found.targets)
    scores = scores_of(found)
    blocks = [f"# {escape_markdown(what)}", escape_markdown(_answer(scores))]
    figures = save_figures(_figures(found, what), folder)
    blocks += [f"![{escape_markdown(f'{title}: {what}')}]({name}.png)" for name, title in figures.items()]
    blocks += ["## By target", to_markdown(_by_target(scores)).rstrip()]
    if len(found.worst):
        blocks += ["## Largest errors", to_markdown(_worst(found)).rstrip()]
    if found.layers:
        blocks += ["## Weights", to_markdown(tables.by_layer(found)).rstrip()]
    blocks.append(f"Trial {trial_id} · run {found.result.run_id} · {count:,} samples of the test set.")
    path = folder / f"{trial_id}.md"
    files.write(path, page_of(blocks))
    return path


def models_text(group: Sequence[Regressed], names: Sequence[str], *, dataset: str, which: str) -> str:
    """The page of several models on the same samples; `which`: which trained models they are, in a sentence."""
    blocks = [f"# Where models differ on {escape_markdown(dataset)}", escape_markdown(which)]
    for index, target in enumerate(group[0].target_names[:MOST_TARGETS]):
        rows = [(name, scores_of(each)[index]) for name, each in zip(names, group, strict=True)]
        blocks += [f"## {escape_markdown(target)}", to_markdown(_by_model(rows)).rstrip()]
        blocks.append(to_markdown(_pairs(group, names, index)).rstrip())
    links = [f"[{escape_markdown(name)}]({each.result.trial_id}.md)" for name, each in zip(names, group, strict=True)]
    return page_of([*blocks, f"Each of them: {' · '.join(links)}"])


def _by_model(rows: Sequence[tuple[str, Scores]]) -> Table:
    """A row a model."""
    return table_of(
        "models",
        "Models",
        rows,
        [
            (Column("model", "model", numeric=False), lambda row: row[0]),
            *((Column(key, head), lambda row, key=key: _number(getattr(row[1], key))) for key, head in HEADS),
        ],
        notes=[BIAS],
    )


def _pairs(group: Sequence[Regressed], names: Sequence[str], index: int) -> Table:
    """Each two models on the same samples: on how many each is nearer, and how much nearer on average."""
    generator = np.random.default_rng(0)  # the same results give the same page
    errors = [np.abs(each.predictions[:, index].astype(float) - each.targets[:, index]) for each in group]
    rows = []
    for (a, name), (b, other) in combinations(zip(errors, names, strict=True), 2):
        gap = paired_bootstrap(a, b, generator=generator)
        mean, *ends = (plain(each) for each in (gap.mean, gap.low, gap.high) if each is not None)
        difference = f"{mean} [{', '.join(ends)}]" if ends else mean
        cells = (TableCell(f"{int(near.sum()):,}", int(near.sum())) for near in (a < b, b < a))
        rows.append((TableCell(name), TableCell(other), *cells, TableCell(difference.replace("-", "−"), gap.mean)))
    columns = (
        Column("a", "A", numeric=False), Column("b", "B", numeric=False), Column("nearer_a", "A nearer"),
        Column("nearer_b", "B nearer"), Column("difference", "A − B, absolute error"),
    )  # fmt: skip
    note = (
        "A − B: mean difference of absolute errors with its 95 % interval over samples (bootstrap of pairs); below 0, "
        "A is nearer. It judges these trained models on this test set, not their architectures: another seed is "
        "another model."
    )
    return Table("pairs", "On the same samples", columns, tuple(rows), (note,))


def scores_of(found: Regressed) -> list[Scores]:
    """How far the predictions of each target are off."""
    scores = []
    pairs = zip(found.target_names, found.predictions.T.astype(float), found.targets.T.astype(float), strict=True)
    for name, predicted, true in pairs:
        errors, around = predicted - true, float(np.square(true - true.mean()).sum())
        r2 = 1 - float(np.square(errors).sum()) / around if around else float("nan")
        rmse = float(np.sqrt(np.square(errors).mean()))
        scores.append(Scores(name, r2, float(np.abs(errors).mean()), rmse, float(errors.mean())))
    return scores


def _answer(scores: list[Scores]) -> str:
    """One sentence a target: of many, of those that are drawn."""
    texts = []
    for each in scores[:MOST_TARGETS]:
        lean = "too high" if each.bias > 0 else "too low"
        share = f" R² is {each.r2:.3f}." if np.isfinite(each.r2) else ""
        texts.append(
            f"{each.name} is off by {plain(each.mae)} on average, {plain(abs(each.bias))} {lean} all in all.{share}"
        )
    more = len(scores) - MOST_TARGETS
    return " ".join([*texts, f"{plural(more, 'other target')}: see the table."] if more > 0 else texts)


def _figures(found: Regressed, what: str) -> Iterator[tuple[str, str, Any]]:
    from bench.diagnose import draw, draw_residuals  # matplotlib: half a second

    for index, name in enumerate(found.target_names[:MOST_TARGETS]):
        of = f" of {name}" if len(found.target_names) > 1 else ""
        title = f"What was predicted, and how far off it was{of}"
        drawn = draw_residuals.residuals(found, index, title=title, subtitle=what)
        yield f"{found.result.trial_id}-residuals{'' if index == 0 else f'-{index + 1}'}", title, drawn
    if found.layers:
        title = "How the weights of each layer lie"
        yield f"{found.result.trial_id}-weights", title, draw.histograms(found, title=title, subtitle=what)


def _number(value: float) -> TableCell:
    return TableCell(plain(value), value) if np.isfinite(value) else TableCell("")


def _by_target(scores: list[Scores]) -> Table:
    """R², MAE, RMSE and the mean error of each target, in its own unit."""
    return table_of(
        "targets",
        "By target",
        scores,
        [
            (Column("target", "target", numeric=False), lambda row: row.name),
            *((Column(key, head), lambda row, key=key: _number(getattr(row, key))) for key, head in HEADS),
        ],
        notes=[BIAS],
    )


def _worst(found: Regressed) -> Table:
    """The test samples with the largest errors, by their place in the test set."""

    def figures(array: Array) -> Any:
        return lambda place: ", ".join(plain(float(value)) for value in array[place][:MOST_TARGETS])

    return table_of(
        "worst",
        "Largest errors",
        found.worst.tolist(),
        [
            (Column("place", "place in the test set"), lambda place: TableCell(f"{place:,}", place)),
            (Column("target", "target", numeric=False), figures(found.targets)),
            (Column("prediction", "prediction", numeric=False), figures(found.predictions)),
            (Column("error", "error", numeric=False), figures(found.predictions - found.targets)),
        ],
    )
