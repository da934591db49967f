"""Sinks: every trial in the store of another tool, for those whose team uses it. Written after the run.

A result is flat there: parameters, curves by epoch, final figures. It is logged once: a sink knows it by its key.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from bench.base.records import NOT_IDENTITY, NOT_THERE, Json, Result, digest, non_defaults
from bench.present.format import plural, printable
from bench.results.frame import latest
from bench.results.timing import GOOD, timings
from bench.suite.plan import Suite

Value = bool | int | float | str


def log(names: Sequence[str], results: Sequence[Result], *, folder: Path, suite: Suite) -> Iterator[str]:
    """Log the newest result of every trial that came to an end, well or not, to the sinks called `names`.

    A line for each sink says what was done.

    Raises BenchError where a sink cannot be written or reached.
    """
    rows = latest(results, suite).rows
    found = [row.result for row in rows if row.result is not None and row.status not in NOT_THERE]
    for name in names:
        # Each is a module here of that name; its `log` gives the number of new trials, and where they lie.
        new, where = import_module(f"bench.export.{name}").log(found, folder=folder, suite_name=suite.name)
        done = f"{new:,} of {plural(len(found), 'trial')} logged" if new else "every trial is there already"
        yield f"{name}  {done}: {where}"


def key_of(result: Result) -> str:
    """The key of a result in a sink."""
    return digest("|".join((result.trial_id, result.run_id, result.finished_at)))


def name_of(result: Result) -> str:
    """The name of a result for people: `mlp · digits · cpu · batch 64 · seed 0`."""
    trial = result.trial
    return printable(
        f"{trial.model.label} · {trial.dataset.label} · {trial.device} · batch {trial.batch_size} · seed {trial.seed}"
    )


def parameters(result: Result) -> dict[str, Value]:
    """Hyper-parameters by their dotted names: every setting of [train], what is no default of the rest."""
    trial = result.trial
    found: dict[str, Json] = {
        "dataset": trial.dataset.name,
        "model": trial.model.name,
        "seed": trial.seed,
        "batch_size": trial.batch_size,
        "device": trial.device,
    }
    found |= {f"dataset.{key}": value for key, value in trial.dataset.settings.items()}
    found |= {f"model.{key}": value for key, value in trial.model.settings.items()}
    found |= {
        f"train.{field.name}": getattr(trial.train, field.name)
        for field in fields(trial.train)
        if field.name not in NOT_IDENTITY
    }
    found |= {f"measure.{k}": v for k, v in non_defaults(trial.measure).items() if k not in NOT_IDENTITY}
    found |= {f"seed.{name}": value for name, value in non_defaults(trial.seeds).items()}
    found |= {"train.threads": result.threads or trial.train.threads}
    return {
        key: value if isinstance(value, bool | int | float | str) else json.dumps(value, sort_keys=True)
        for key, value in found.items()
        if value is not None
    }


def tags(result: Result) -> dict[str, str]:
    """Where a result is from, and what became of it."""
    notes = result.environment.notes
    (timing,) = timings([result])
    found = {
        "bench.key": key_of(result),
        "bench.trial_id": result.trial_id,
        "bench.run_id": result.run_id,
        "bench.environment_id": result.environment_id,
        "bench.code_id": result.code_id,
        "bench.status": result.status,
        "bench.reason": result.reason,
        "bench.valid": str(timing.word == GOOD).lower() if timing.word else "",
        "bench.timing": timing.word,
        "bench.timing_notes": "; ".join(timing.notes),
        "bench.commit": str(notes.get("commit") or ""),
        "bench.torch": str(result.environment.facts.get("torch") or ""),
    }
    return {key: value for key, value in found.items() if value}


def curve_points(result: Result) -> Iterator[tuple[str, int, float, float]]:
    """(name, epoch, value, seconds of training until then) of every curve; gaps are left out."""
    epochs = result.curves.get("epoch") or []
    seconds = result.curves.get("train_seconds") or []
    for name, values in result.curves.items():
        if name == "epoch":
            continue
        for index, value in enumerate(values):
            at = seconds[index] if index < len(seconds) else None
            if value is not None:
                epoch = epochs[index] if index < len(epochs) else None
                yield name, int(epoch if epoch is not None else index + 1), value, at or 0.0


def epoch_seconds(text: str) -> float:
    """Seconds since 1970 of a time in ISO 8601; 0 where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
