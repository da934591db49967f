"""What a model reached, as the Hugging Face Hub reads it: the `model-index` of a model card, in YAML.

Fields and which of them are required: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bench.analysis.cells import Cell, Section
from bench.analysis.interval_words import meanings, purpose
from bench.analysis.sections import sections_of
from bench.base.metrics import ACCURACY, BUILT_IN
from bench.errors import BenchError
from bench.present.format import figure, plural, printable, scale_of
from bench.results.frame import Latest
from bench.suite.plan import Suite

# Our name of a metric → its id on the Hub, where it has one (https://hf.co/metrics).
METRICS = {ACCURACY: "accuracy", "test_macro_f1": "f1", "r2": "r_squared", "mae": "mae", "rmse": "rmse",
           "test_loss": "loss"}  # fmt: skip
REGRESSION = "r2"
TASKS = {True: "tabular-regression", False: "image-classification"}  # whether it is a regression


def model_index(found: Latest, suite: Suite | None, name: str, *, task: str = "") -> str:
    """The front matter of a card, with an entry a model: each data set, device and setting it was measured at, with
    means over seeds. `task`: as the Hub calls it, where the models do another one than classify images. Speeds are left
    out: they are of a machine. BenchError: nothing was measured."""
    models: dict[str, list[Any]] = {}
    for section in sections_of(found.rows, suite):
        for cell in section.measured:
            if entry := _entry(section, cell, task=task):
                models.setdefault(cell.model, []).append(entry)
    if not models:
        raise BenchError(f"{name}: no trial is ok and has a metric of a test set: nothing for a model card")
    index = [{"name": model, "results": entries} for model, entries in models.items()]
    return "\n".join(["---", *_yaml({"model-index": index}), "---"]) + "\n"


def _entry(section: Section, cell: Cell, *, task: str) -> dict[str, Any]:
    """One result: task, data set, metrics; empty where no metric of a test set was measured."""
    metrics = [each for name, kind in METRICS.items() if (each := _metric(section, cell, name, kind))]
    if not metrics:
        return {}
    regression = cell.estimate(REGRESSION) is not None
    return {
        "task": {"type": task or TASKS[regression]},
        "dataset": {"type": cell.trial.dataset.name, "name": cell.dataset, "split": "test"},
        "metrics": metrics,
    }


def _metric(section: Section, cell: Cell, name: str, kind: str) -> dict[str, Any]:
    found = cell.estimate(name)
    if found is None:
        return {}
    setting = section.describe(section.variant_of(cell))
    where = ", ".join(filter(None, [section.title.partition(" · ")[2], setting]))
    metric = BUILT_IN[name]
    over = ""
    if found.ends is not None:
        over = f", {figure(found.mean, scale_of(metric.unit, [found.mean]), ends=found.ends)}"
        over += f" ({purpose(meanings([found]))})"
    told = f"{metric.label}, mean of {plural(cell.n_of(name), 'seed')}{over}; {where}"
    return {"type": kind, "value": round(found.mean, 6), "name": told}


def _yaml(value: Any) -> Iterator[str]:
    """The lines of a mapping or a list in block style. Texts are quoted as JSON, which YAML reads as it is."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(each, Mapping | list):
                yield f"{key}:"
                yield from (f"  {line}" for line in _yaml(each))
            else:
                yield f"{key}: {_scalar(each)}"
    else:
        for each in value:
            first, *rest = _yaml(each)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _scalar(value: object) -> str:
    return json.dumps(printable(value) if isinstance(value, str) else value, ensure_ascii=False, allow_nan=False)
