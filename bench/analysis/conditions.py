"""Under which conditions figures were measured, in words: no figure stands without them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.analysis.cells import Section, short_ids, value_text
from bench.base.records import Environment, Json, Result, TrainSettings, Trial
from bench.errors import numberless
from bench.present.doctor_text import doctor_facts
from bench.present.format import listing, plural, ranges, scale_of, span
from bench.results.doctor import Doctor, newest

UNKNOWN = "unknown"
MOST_WAITS = 3  # of runs that waited for a quiet machine
FACTS = ("os", "kernel", "memory_bytes", "gpu", "driver", "torch", "blas", "cuda", "python")


def conditions(section: Section) -> str:
    """One line: machine, CPU or GPU, threads, torch, date, n, and the settings that all cells share."""
    facts = section.facts
    parts = [
        machine(facts),
        device(section.device, section.environment),
        _threads(section),
        f"torch {facts.get('torch') or UNKNOWN}",
        dates(section.results) or "not run yet",
        seeds_text(section),
        _training(section),
    ]
    return "Conditions: " + " · ".join(part for part in parts if part) + "."


def conditions_short(section: Section, *others: Section) -> str:
    """What stands in a plot: device (of `others` too), machine, threads, torch."""
    facts = section.facts
    devices = listing([device(each.device, section.environment) for each in (section, *others)])
    parts = [devices, machine(facts), _threads(section), f"torch {facts.get('torch') or UNKNOWN}"]
    return ", ".join(part for part in parts if "as in the table" not in part)


def machine(facts: Mapping[str, Json]) -> str:
    """`Intel(R) Xeon(R) Processor, 2 cores`"""
    name, cores = facts.get("cpu"), facts.get("usable_cores") or facts.get("cores")
    return f"{name or 'machine unknown'}" + (f", {plural(int(cores), 'core')}" if cores else "")


def device(name: str, environment: Environment) -> str:
    """What the device calls itself: `CPU`, `GPU (cuda): NVIDIA H200`."""
    told = environment.notes.get("devices")
    if isinstance(told, dict) and isinstance(told.get(name), str):
        return str(told[name])
    # Results of older versions say nothing of devices but the card's name among the facts.
    gpu = environment.facts.get("gpu") if name == "cuda" else None
    return "CPU" if name == "cpu" else f"GPU ({name}): {gpu}" if gpu else f"device {name}"


def dates(results: Iterable[Result]) -> str:
    """The day, or the first and the last, on which they finished (UTC)."""
    days = sorted({result.finished_at[:10] for result in results if result.finished_at})
    return "" if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _threads(section: Section) -> str:
    if "train.threads" in section.shown:
        return "threads as in the table"
    threads = next((cell.setting("train.threads") for cell in section.cells), 0)
    return plural(threads, "thread") if threads else "threads: every core"


def seeds_text(section: Section) -> str:
    """`n = 5 seeds`, of timings; of the accuracy too where that is another number."""
    counts, pooled = ({cell.n_of(name) for cell in section.measured} for name in ("fit_seconds", section.main.name))
    if not counts:
        return "n = 0"
    if section.together:
        return f"n = {span(pooled)} seeds, trained at once: timings are of the process, not of a seed"
    own = f"n = {plural(max(counts), 'seed')}" if len(counts) == 1 else f"n = {span(counts)} seeds"
    return own if counts == pooled else f"{own} ({section.main.title}: {span(pooled)})"


def _training(section: Section) -> str:
    """What all cells have in common of how they were trained."""
    cell = section.cells[0]
    train, shown = cell.trial.train, section.shown

    def named(field: str, text: str) -> str:
        return "" if f"train.{field}" in shown else text

    if train.steps is not None:
        length = named("steps", plural(train.steps, "step"))
    else:
        most = "at most " if train.early_stopping_patience else ""
        length = "" if "train.steps" in shown else named("epochs", most + plural(train.epochs, "epoch"))
    parts = [
        length,
        named("optimizer", train.optimizer),
        named("learning_rate", f"learning rate {value_text(train.learning_rate)}"),
        named("momentum", f"momentum {value_text(train.momentum)}" if train.momentum else ""),
        named("weight_decay", f"weight decay {value_text(train.weight_decay)}" if train.weight_decay else ""),
        *(named(name, text) for name, text in (_beside(train) | _dropped(section)).items()),
        "" if "batch_size" in shown else f"batch size {cell.trial.batch_size:,}",
        *(named(name, str(getattr(train, name))) for name in ("precision", "engine", "loader")),
        named("memory_format", "" if train.memory_format == "contiguous" else train.memory_format.replace("_", " ")),
        named("deterministic", "" if train.deterministic else "not deterministic"),
    ]
    return ", ".join(part for part in parts if part)


def _dropped(section: Section) -> dict[str, str]:
    """How many samples an epoch leaves out, where the last batch is; by the setting that asks for it."""
    results = [result for cell in section.measured for result in cell.ok]
    found = {int(counts[0]) for result in results if (counts := result.samples.get("dropped_samples"))}
    return {"drop_last": f"{span(found)} samples of the last batch left out of each epoch"} if found else {}


def _beside(train: TrainSettings) -> dict[str, str]:
    """What was asked for beside a plain step, in words, by the setting that asks for it."""
    factor = f"× {value_text(train.schedule_factor)}"
    schedules = {
        "step": f"learning rate {factor} every {plural(train.schedule_step_epochs, 'epoch')}",
        "plateau": f"learning rate {factor} on a plateau (patience {plural(train.schedule_patience, 'epoch')})",
        "cosine": "cosine schedule",
        "onecycle": "one-cycle schedule",
    }
    wanted = {
        "nesterov": (train.nesterov, "Nesterov"),
        "betas": (train.betas != TrainSettings().betas, f"betas {value_text(train.betas)}"),
        "l1": (train.l1, f"L1 {value_text(train.l1)}"),
        "loss": (train.loss, f"loss {train.loss}"),
        "label_smoothing": (train.label_smoothing, f"label smoothing {value_text(train.label_smoothing)}"),
        "gradient_clip": (train.gradient_clip, f"gradients clipped at norm {value_text(train.gradient_clip)}"),
        "schedule": (train.schedule != "none", schedules.get(train.schedule, "")),
        "early_stopping_patience": (
            train.early_stopping_patience,
            f"early stopping (patience {plural(train.early_stopping_patience, 'epoch')})",
        ),
        "drop_last": (train.drop_last, "a smaller last batch left out"),
        "augment_flip": (train.augment_flip, "mirrored at random"),
        "augment_crop_padding": (
            train.augment_crop_padding,
            f"cropped at random (padding {plural(train.augment_crop_padding, 'pixel')})",
        ),
        "augment_rotation_degrees": (
            train.augment_rotation_degrees,
            f"turned at random (up to {value_text(train.augment_rotation_degrees)}°)",
        ),
    }
    return {name: text for name, (asked, text) in wanted.items() if asked}


def reasons(pairs: Iterable[tuple[str, str]], *, most: int = 3) -> str:
    """`2 failed: RuntimeError: …; 1 missing: no result yet`, from (status, reason), the most frequent first."""
    counted = Counter(pairs).most_common()
    texts = [f"{count:,} {status}: {reason}" for (status, reason), count in counted[:most]]
    left = sum(count for _, count in counted[most:])
    return "; ".join(texts + ([f"{left:,} for other reasons"] if left else []))


def notes(results: Iterable[Result]) -> list[str]:
    """What has to be known of results: `digits · mlp: <note>.`, each note once with the data sets and models that it
    is of. Of notes on a data set that differ in their numbers only, from seed to seed, the first."""
    first: dict[tuple[str, str], str] = {}
    found: dict[str, list[Trial]] = {}
    for result in results:
        for note in result.notes:
            shown = first.setdefault((result.trial.dataset.canonical, numberless(note)), note.rstrip("."))
            found.setdefault(shown, []).append(result.trial)
    return [_note(trials, note) for note, trials in found.items()]


def _note(trials: Sequence[Trial], note: str) -> str:
    datasets, models = (listing(list(dict.fromkeys(names))) for names in (
        (trial.dataset.label for trial in trials), (trial.model.label for trial in trials)
    ))  # fmt: skip
    return f"{datasets} · {models}: {note}."


def environment_lines(sections: Sequence[Section], doctors: Sequence[Doctor]) -> list[tuple[str, list[str]]]:
    """Machine, versions, days and commit of every environment that something ran in, each with its heading."""
    results: dict[str, list[Result]] = {}
    for section in sections:
        results.setdefault(section.machine, []).extend(section.results)
    found = [
        (
            f"Environment {short_ids(sorted({result.environment_id for result in group}))}",
            [*_facts_of(group), *doctor_facts(newest(doctors, machine=machine_id))],
        )
        for machine_id, group in results.items()
        if group
    ]
    return found or [("Environment", ["Nothing has run yet."])]


def _facts_of(results: Sequence[Result]) -> Iterator[str]:
    """Machine, versions, commit and days of results of one environment, a line each."""
    environment = next((r.environment for r in results if r.environment.facts), Environment({}))
    facts, notes = environment.facts, environment.notes
    yield f"machine: {machine(facts)}"
    for name in FACTS:
        if facts.get(name):
            yield f"{name.removesuffix('_bytes').replace('_', ' ')}: {fact_text(name, facts[name])}"
    threads = sorted({result.threads for result in results if result.threads})
    yield f"threads: {ranges(threads) or 'unknown'}"
    if switches := facts.get("switches"):
        yield "switches: " + ", ".join(f"{name}={value}" for name, value in dict(switches).items())
    if versions := notes.get("versions"):
        yield "versions: " + ", ".join(f"{name} {version}" for name, version in dict(versions).items())
    if notes.get("governor"):
        yield f"governor of the clock: {notes['governor']}"
    waited = (str(result.environment.notes.get("quiet", "")) for result in results)
    if waits := [text for text in dict.fromkeys(waited) if text]:
        more = f"; {len(waits) - MOST_WAITS} runs more" if len(waits) > MOST_WAITS else ""
        yield f"before the trials: {'; '.join(waits[-MOST_WAITS:])}{more}"
    commits = {str(r.environment.notes["commit"]) for r in results if r.environment.notes.get("commit")}
    if commits:
        dirty = any(result.environment.notes.get("dirty") for result in results)
        yield f"commit: {', '.join(sorted(each[:12] for each in commits))}{' (with changes)' if dirty else ''}"
    yield f"days: {dates(results) or 'unknown'}"
    yield f"environment: {', '.join(sorted({result.environment_id for result in results}))}"


def fact_text(name: str, value: object) -> str:
    if name.endswith("_bytes") and isinstance(value, int | float):
        scale = scale_of("bytes", [value])
        return f"{value / scale.divisor:.1f} {scale.unit}"
    return str(value)
