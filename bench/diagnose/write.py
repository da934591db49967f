"""Pages of diagnosis: <trial>.md with its figures, and models.md, which sets the models of a suite side by side."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.analysis.artifacts import Diagnosed, Regressed, read, read_regression
from bench.analysis.cells import labels_of
from bench.base import files
from bench.base.metrics import main_metric
from bench.base.records import Result
from bench.diagnose import regression, tables
from bench.errors import BenchError
from bench.present.columns import page_of
from bench.present.files import save_figures, writing
from bench.present.format import accuracy, plural, slug
from bench.present.tables import escape_markdown, to_markdown
from bench.results.store import Store, newest_ok

FOLDER = "diagnosis"  # under report/
MOST_CLASSES = 100  # of a confusion matrix that can be looked at
MOST_LISTED = 20


def pages(
    store: Store, results: Sequence[Result], *, trial: str | None, say: Callable[[str], object] = lambda _: None
) -> list[Path]:
    """Write the pages of `results`: of one trial by its id or the start of it, else of each model's first seed, and
    the models side by side. Returns the pages, the most telling first. What cannot be read is said and left out;
    raises BenchError where nothing is left."""
    chosen = [newest_ok(results, trial)] if trial else _one_a_model(results)
    folder = store.folder / "report" / FOLDER
    found, unread = list[Diagnosed | Regressed](), list[BenchError]()
    for result in chosen:
        try:
            reads = read_regression if main_metric(result.metrics).name == "r2" else read
            found.append(reads(result, store.artifact_path(result.run_id, result.trial_id)))
        except BenchError as error:
            unread.append(error)
    if not found:
        raise unread[0]
    for why in unread:
        say(f"left out: {why}")
    classified = [each for each in found if isinstance(each, Diagnosed)]
    if bare := next((each.result.trial_id for each in classified if not each.arrays), ""):
        raise BenchError(
            f'trial {bare}: it was trained with evaluate = "accuracy" or by an older bench, so its file has no '
            "diagnosis; run the suite with --set 'measure.evaluate=\"full\"' --fresh"
        )
    with writing(folder, "the diagnosis", inside=store.folder, option="--results"):
        written = [_page(each, folder) for each in found]
        # Trials that were tested on the same examples can be compared one by one.
        groups: dict[tuple[str, bytes], list[Diagnosed]] = {}
        for each in classified:
            groups.setdefault((each.result.trial.dataset.canonical, each.labels.tobytes()), []).append(each)
        pages = [_models_page(group, folder) for group in groups.values() if len(group) > 1]
        regressed: dict[tuple[str, bytes], list[Regressed]] = {}
        for other in found:
            if isinstance(other, Regressed):
                key = other.result.trial.dataset.canonical, other.targets.tobytes()
                regressed.setdefault(key, []).append(other)
        pages += [_regressions_page(group, folder) for group in regressed.values() if len(group) > 1]
    return [*reversed(pages), *written]


def _page(found: Diagnosed | Regressed, folder: Path) -> Path:
    if isinstance(found, Diagnosed):
        return _trial_page(found, folder)
    return regression.page(found, folder, what=describe(found))


def _one_a_model(results: Sequence[Result]) -> list[Result]:
    """Of every data set and model the newest result of its first trial: first seed, first setting of the plan."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.status == "ok":
            groups.setdefault((result.trial.dataset.canonical, result.trial.model.canonical), []).append(result)
    if not groups:
        raise BenchError("no trial is ok, so there is no model to diagnose; run the suite first")
    return [min(group, key=_order) for group in groups.values()]


def _order(result: Result) -> tuple[object, ...]:
    later = tuple(-ord(character) for character in result.finished_at)  # of one trial, the newest first
    return (result.trial.seed, result.trial.batch_size, result.trial.device, result.trial_id, later)


def describe(found: Diagnosed | Regressed) -> str:
    """The trial in one line: `mlp on digits, batch size 64, seed 0, cpu`."""
    trial = found.result.trial
    where = f"batch size {trial.batch_size}, seed {trial.seed}, {trial.device}"
    return f"{trial.model.label} on {trial.dataset.label}, {where}"


def _trial_page(found: Diagnosed, folder: Path) -> Path:
    trial_id = found.result.trial_id
    blocks = [f"# {escape_markdown(describe(found))}", escape_markdown(_answer(found))]
    figures = save_figures(_figures(found), folder)
    blocks += [f"![{escape_markdown(f'{title}: {describe(found)}')}]({name}.png)" for name, title in figures.items()]
    blocks += ["## By class", to_markdown(tables.by_class(found)).rstrip(), escape_markdown(tables.top_k(found))]
    if found.layers:
        blocks += ["## Weights", to_markdown(tables.by_layer(found)).rstrip()]
    blocks.append(f"Trial {trial_id} · run {found.result.run_id} · {len(found.labels):,} examples of the test set.")
    path = folder / f"{trial_id}.md"
    files.write(path, page_of(blocks))
    return path


def _answer(found: Diagnosed) -> str:
    wrong = int((~found.right).sum())
    text = f"{accuracy(float(found.right.mean()))} of the test set is right, {plural(wrong, 'example')} wrong"
    kinds = list(zip(found["confusions/label"], found["confusions/answer"], found["confusions/count"], strict=True))[:3]
    names = found.class_names
    mistakes = ", ".join(f"{names[int(a)]} for {names[int(b)]} ({count:,})" for b, a, count in kinds)
    gap, count = float(found["calibration/expected_error"]), found["calibration/count"]
    confidence = float(np.nansum(found["calibration/confidence"] * count) / count.sum())
    towards = "surer than it is right" if confidence > found.right.mean() else "less sure than it is right"
    often = f"; most often it answers {mistakes}" if mistakes else ""
    return f"{text}{often}. It is {towards}: calibration error {gap:.3f}."


def _figures(found: Diagnosed) -> Iterator[tuple[str, str, Any]]:
    """Every figure of a trial that can show something: (file name, title, figure)."""
    from bench.diagnose import draw  # matplotlib: half a second

    what = describe(found)
    drawn: list[tuple[str, str, Callable[..., Any], bool]] = [
        ("confusion", "What was answered for what", draw.confusion, len(found.class_names) <= MOST_CLASSES),
        ("errors", "The wrong answers that it was surest of", draw.errors, _has(found, "errors/images")),
        ("confusions", "What the most common confusions look like", draw.confusions,
         _has(found, "confusions/mean_image")),
        ("calibration", "Is it as often right as it is sure?", draw.calibration, True),
        ("curves", "How well the classes can be told apart", draw.curves,
         bool(np.isfinite(found["roc/area"]).any())),
        ("first-batch", "The same examples before and after training", draw.first_batch,
         _has(found, "first_batch/before") and _has(found, "first_batch/images")),
        ("templates", "What the first layer looks for", draw.weights, draw.templates(found) is not None),
        ("weights", "How the weights of each layer lie", draw.histograms, bool(found.layers)),
    ]  # fmt: skip
    for name, title, make, worth in drawn:
        if worth:
            yield f"{found.result.trial_id}-{name}", title, make(found, title=title, subtitle=what)


def _has(found: Diagnosed, place: str) -> bool:
    """Whether there is something to draw: inputs that are no images are not kept."""
    return len(found.arrays.get(place, ())) > 0


def _names(group: Sequence[Diagnosed | Regressed]) -> list[str]:
    models = [each.result.trial.model for each in group]
    return [labels_of(models)[model.canonical] for model in models]


def _which(group: Sequence[Diagnosed | Regressed], examples: str) -> str:
    """`One trained model each: seed 0, batch size 64, 360 examples of the test set.`"""
    seeds = ", ".join(map(str, sorted({each.result.trial.seed for each in group})))
    sizes = ", ".join(map(str, sorted({each.result.trial.batch_size for each in group})))
    return f"One trained model each: seed {seeds}, batch size {sizes}, {examples}."


def _regressions_page(group: Sequence[Regressed], folder: Path) -> Path:
    dataset = group[0].result.trial.dataset
    told = _which(group, f"{len(group[0].targets):,} samples of the test set")
    path = folder / f"models-{slug(dataset.label)}.md"
    files.write(path, regression.models_text(group, _names(group), dataset=dataset.label, which=told))
    return path


def _models_page(group: Sequence[Diagnosed], folder: Path) -> Path:
    from bench.diagnose import draw
    from bench.present.colours import styles_of

    dataset, names = group[0].result.trial.dataset, _names(group)
    stem = f"models-{slug(dataset.label)}"
    title = f"Recall of each class of {dataset.label}"
    subtitle = _which(group, f"{len(group[0].labels):,} examples of the test set")

    def figure() -> Iterator[tuple[str, str, Any]]:
        drawn = draw.recalls(group, names, title=title, subtitle=subtitle, styles=styles_of(names))
        yield f"{stem}-recall", title, drawn

    save_figures(figure(), folder)
    blocks = [f"# Where models differ on {escape_markdown(dataset.label)}", escape_markdown(subtitle)]
    blocks += [to_markdown(tables.models(group, names)).rstrip(), f"![{escape_markdown(title)}]({stem}-recall.png)"]
    blocks += ["## On the same examples", to_markdown(tables.pairs(group, names)).rstrip(), *_one_alone(group, names)]
    links = [f"[{escape_markdown(name)}]({each.result.trial_id}.md)" for name, each in zip(names, group, strict=True)]
    blocks.append(f"Each of them: {' · '.join(links)}")
    path = folder / f"{stem}.md"
    files.write(path, page_of(blocks))
    return path


def _one_alone(group: Sequence[Diagnosed], names: Sequence[str]) -> Iterator[str]:
    """For each model, the examples that it alone got right, and those that it alone got wrong."""
    right = np.stack([each.right for each in group])
    for index, name in enumerate(names):
        others = np.delete(right, index, axis=0)
        alone = {"right": right[index] & ~others.any(axis=0), "wrong": ~right[index] & others.all(axis=0)}
        for word, mask in alone.items():
            if not mask.any():
                continue
            places = np.flatnonzero(mask)
            listed = places[:MOST_LISTED]
            classes = [group[0].class_names[int(label)] for label in group[0].labels[listed]]
            shown = ", ".join(f"{place} ({label})" for place, label in zip(listed, classes, strict=True))
            more = f", and {len(places) - MOST_LISTED:,} more" if len(places) > MOST_LISTED else ""
            count = plural(len(places), "example")
            yield escape_markdown(f"Only {name} got {count} {word}, by place in the test set (class): {shown}{more}.")
