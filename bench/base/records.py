"""Trial, Result, Environment: the records that parent and worker exchange, and that lie on disk.

Identity lives here and nowhere else. What makes a `trial_id` cannot be changed once people have results:
a setting that equals its default is left out of it, so a setting that is added later changes no old id.

History of the schema of results (`SCHEMA`); bench/results/validate.py makes old ones new:
  1  the first one.
  2  `artifact_sha256`, so that a damaged HDF5 file is found out; `bench`, the version that wrote the line.
  3  `notes`: what a reader of its accuracy has to know.
  4  `group_id`: which trials shared the time by turns; `samples.block_round`, the round of each timed block; `answers`:
     which test examples were classified right; `trial.seeds`, the seeds that were set apart from `seed`.
  5  `trial.search`: of a training that only serves a search. An older bench would take it for a trial.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args

from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen

from bench.base.answers import Answers
from bench.base.version import __version__
from bench.errors import BenchError

SCHEMA = 5

Json: TypeAlias = Any  # what json.loads returns; a recursive alias costs more in mypy than it finds

Status = Literal["ok", "failed", "diverged", "oom", "timeout", "crashed", "skipped", "interrupted"]
STATUSES: tuple[str, ...] = get_args(Status)
NOT_THERE = frozenset({"skipped", "interrupted"})  # a result with one of these does not stop its trial from running

Optimizer = Literal["sgd", "adam", "adamw", "rmsprop", "lbfgs"]
Precision = Literal["float32", "tf32", "bfloat16", "float16"]
Engine = Literal["eager", "compiled", "cudagraph", "vectorized"]
Loader = Literal["resident", "dataloader"]
MemoryFormat = Literal["contiguous", "channels_last"]
Scaling = Literal["unit", "standard", "symmetric"]
Task = Literal["classification", "regression"]
LossName = Literal["cross_entropy", "focal", "mse", "l1", "huber"]
# What each task can be trained on; the first is its own, where a suite names none.
LOSSES: dict[str, tuple[LossName, ...]] = {
    "classification": ("cross_entropy", "focal", "mse"),
    "regression": ("mse", "l1", "huber"),
}
TargetMetric = Literal["test_accuracy", "test_loss", "r2", "mae", "rmse"]
Schedule = Literal["none", "step", "plateau", "cosine", "onecycle"]
Beta = Annotated[float, Ge(0), Lt(1)]

# Engines that train all seeds of a cell in one process: what was timed there is one measurement, however many seeds.
TOGETHER: frozenset[str] = frozenset({"vectorized"})

# Shares of a training at which a search looks whether its settings are clearly behind.
RUNGS = (0.25, 0.5)

SEED_LIMIT = 2**63
WHOLE_LIMIT = 2**63  # what a column of whole numbers can hold
LONGEST_TRACEBACK = 200_000  # bytes; of a longer one the first and the last are kept
# How pydantic checks a record of settings that comes from a file: no value is converted, no unknown name is taken.
STRICT: dict[str, Any] = {"strict": True, "extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that a text matches: in an annotation, for pydantic, which the worker never imports."""

    regex: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return handler(source) | {"pattern": self.regex}


# Limits of what a result may say, which are checked where it is read: a folder of results may come from anybody.
Hex = Annotated[str, Pattern("^[0-9a-f]{16}$")]
FileName = Annotated[str, Pattern("^[0-9A-Za-z][0-9A-Za-z_.-]{0,99}$")]
Name = Annotated[str, MinLen(1), MaxLen(64)]
Line = Annotated[str, MaxLen(10_000)]
Number = Annotated[int, Gt(-WHOLE_LIMIT), Lt(WHOLE_LIMIT)] | float


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a trial trains. The default of a field never changes: it is part of every id that leaves the field out."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    epochs: Annotated[int, Ge(1)] = 10
    steps: Annotated[int, Ge(1)] | None = None  # instead of epochs
    optimizer: Optimizer = "sgd"
    learning_rate: Annotated[float, Gt(0)] = 0.1
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.0
    weight_decay: Annotated[float, Ge(0)] = 0.0
    validation_split: Annotated[float, Ge(0), Lt(1)] = 0.0
    precision: Precision = "float32"
    engine: Engine = "eager"
    loader: Loader = "resident"
    num_workers: Annotated[int, Ge(0), Le(256)] = 0
    pin_memory: bool = False
    threads: Annotated[int, Ge(0), Le(4096)] = 0
    deterministic: bool = True
    memory_format: MemoryFormat = "contiguous"
    nesterov: bool = False
    betas: Annotated[Sequence[Beta], Len(2, 2)] = (0.9, 0.999)  # of adam and adamw; a tuple, whatever it is built from
    l1: Annotated[float, Ge(0)] = 0.0  # times the sum of |w| over trained parameters of two or more dimensions
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    gradient_clip: Annotated[float, Ge(0)] = 0.0  # most that the norm of all gradients together may be; 0: no clipping
    schedule: Schedule = "none"
    schedule_step_epochs: Annotated[int, Ge(1)] = 10  # of "step"
    schedule_factor: Annotated[float, Gt(0), Lt(1)] = 0.1  # of "step" and "plateau"
    schedule_patience: Annotated[int, Ge(0)] = 10  # of "plateau": epochs without a better validation loss
    early_stopping_patience: Annotated[int, Ge(0)] = 0  # epochs without a better validation loss; 0: no early stopping
    augment_flip: bool = False  # of training images, each by chances of its own: half of them mirrored, left to right
    augment_crop_padding: Annotated[int, Ge(0), Le(1024)] = 0  # pixels of black around, then a random piece of old size
    augment_rotation_degrees: Annotated[float, Ge(0), Le(180)] = 0.0  # most that one is turned either way
    checkpoint_every_epochs: Annotated[int, Ge(1)] | None = None  # neither this nor the next is part of what a trial is
    keep_checkpoints: bool = False
    drop_last: bool = False  # the last batch of an epoch where it is smaller; with either loader
    loss: LossName | None = None  # None: the task's own, the first of LOSSES

    def __post_init__(self) -> None:
        # JSON has lists; a setting has to be hashable. 0.0 is added because -0.0 would be another text for the same.
        object.__setattr__(self, "betas", tuple(beta + 0.0 for beta in self.betas))


@dataclass(frozen=True, slots=True)
class MeasureSettings:
    """How a trial is measured. What NOT_IDENTITY names is no part of what a trial is."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    warmup_steps: Annotated[int, Ge(0), Le(100_000)] = 10
    timeout_seconds: Annotated[float, Gt(0)] = 600.0
    target_accuracy: Annotated[float, Gt(0), Le(1)] | None = None
    turns: Annotated[int, Ge(0), Le(64)] = 0  # trials of one seed that share the time; 0: as many as fit; 1: none
    timing_seconds: Annotated[float, Ge(0)] = 0.2  # least time that is timed; a short training goes on for timing only
    energy: bool = False
    evaluate: Literal["full", "accuracy"] = "full"  # full: what the model gets right and wrong, too
    target_metric: TargetMetric | None = None  # of the target; None: the task's main metric
    target_value: float | None = None  # instead of target_accuracy


@dataclass(frozen=True, slots=True)
class SeedSettings:
    """Seeds of single sources of chance, apart from the trial's `seed`; one that is None follows it.

    init: what the model draws: its first weights, and its dropout. order: in which order and how augmented the training
    images come. split: which images are the test part, where it is drawn, and the validation part.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    init: Annotated[int, Ge(0), Lt(SEED_LIMIT)] | None = None
    order: Annotated[int, Ge(0), Lt(SEED_LIMIT)] | None = None
    split: Annotated[int, Ge(0), Lt(SEED_LIMIT)] | None = None


Settings: TypeAlias = TrainSettings | MeasureSettings | SeedSettings  # a table of a suite that is a record

# Of [train] and [measure]. What stands here changes neither what is learned nor what is timed.
_TARGETS = ("target_accuracy", "target_metric", "target_value")
NOT_IDENTITY = frozenset(
    {"timeout_seconds", *_TARGETS, "turns", "timing_seconds", "checkpoint_every_epochs", "keep_checkpoints"}
)
COMMON_DATASET_SETTINGS: dict[str, Json] = {"train_limit": None, "test_limit": None, "scaling": "unit"}


def canonical_json(value: Json) -> str:
    """The one text of a JSON value: sorted keys, no white space, ASCII. Raises ValueError on NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(text: str | bytes) -> str:
    """First 16 hex digits of the SHA-256."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:16]


def non_defaults(settings: Settings) -> dict[str, Json]:
    """The fields whose value differs from their default, as JSON."""
    kept = {f.name: value for f in fields(settings) if (value := getattr(settings, f.name)) != f.default}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}


def settings_by_name(train: TrainSettings, measure: MeasureSettings, seeds: SeedSettings) -> dict[str, Json]:
    """Every setting by its dotted name in a suite: `train.epochs`."""
    sections: dict[str, Settings] = {"train": train, "measure": measure, "seed": seeds}
    return {f"{section}.{f.name}": getattr(own, f.name) for section, own in sections.items() for f in fields(own)}


@dataclass(frozen=True)
class Component:
    """A registered data set or model with the settings that differ from its defaults.

    `files`: setting that names a data file → SHA-256 of its content, or "absent". It stands in the identity in place of
    the path, which may be written in many ways.
    """

    name: Name
    settings: Mapping[str, Json] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def canonical(self) -> str:
        """Canonical JSON: what of this component enters the identity of a trial."""
        # A file that is not there cannot count by its content: its path stands for it, else two would be one trial.
        digests = {key: f"sha256:{value}" for key, value in self.files.items() if value != "absent"}
        settings = {**self.settings, **digests}
        return canonical_json({"name": self.name} | ({"settings": settings} if settings else {}))

    @property
    def label(self) -> str:
        """The component as a table shows it: `mlp` or `mlp(hidden=200)`."""
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in self.settings.items()}
        inner = ", ".join(f"{key}={text}" for key, text in sorted(texts.items()))
        return f"{self.name}({inner})" if inner else self.name

    @cached_property
    def settings_text(self) -> str:
        """JSON of the settings that differ from the default; a data file stands there by its digest."""
        files = {key: f"sha256:{value}" for key, value in self.files.items() if key not in self.settings}
        return json.dumps({**self.settings, **files}, sort_keys=True, ensure_ascii=False)

    def to_json(self) -> dict[str, Json]:
        return {"name": self.name, "settings": dict(self.settings), "files": dict(self.files)}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "Component":
        return cls(value["name"], value.get("settings", {}), value.get("files", {}))


@dataclass(frozen=True, slots=True)
class SearchRole:
    """What makes a training one that only serves a search: it is chosen by what it reaches on the validation part of
    its training set, and never looks at the test set.

    give_up: (share of the training, accuracy): it ends at the first evaluation behind that share where its validation
    accuracy is below.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    give_up: tuple[tuple[float, float], ...] = ()

    def to_json(self) -> dict[str, Json]:
        return {"give_up": [list(rung) for rung in self.give_up]} if self.give_up else {}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "SearchRole":
        return cls(tuple((share, accuracy) for share, accuracy in value.get("give_up", ())))


@dataclass(frozen=True)
class Trial:
    """One combination of a grid. `device` is never `auto`: that was resolved when the trial was planned. `search`: of a
    training that only serves a search; such a one is no replicate of anything."""

    dataset: Component
    model: Component
    seed: Annotated[int, Ge(0), Lt(SEED_LIMIT)]
    batch_size: Annotated[int, Ge(1), Lt(WHOLE_LIMIT)]
    device: Name
    train: TrainSettings = TrainSettings()
    measure: MeasureSettings = MeasureSettings()
    seeds: SeedSettings = SeedSettings()
    search: SearchRole | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed < SEED_LIMIT:
            raise BenchError(f"seed {self.seed}: a seed lies between 0 and {SEED_LIMIT - 1}")
        if self.batch_size < 1:
            raise BenchError(f"batch_size {self.batch_size}: a batch has at least one sample")
        if self.device == "auto":
            raise BenchError("a trial needs a resolved device; 'auto' is for suites")

    @cached_property
    def trial_id(self) -> str:
        """The digest of the canonical JSON."""
        return digest(self._canonical(f'"seed":{self.seed},'))

    @cached_property
    def cell_id(self) -> str:
        """The same without the seed: trials of one cell are replicates of each other."""
        return digest(self._canonical(""))

    @property
    def init_seed(self) -> int:
        """What the model draws from."""
        return self.seed if self.seeds.init is None else self.seeds.init

    @property
    def order_seed(self) -> int:
        """What the order of the training images and their augmentation are drawn from."""
        return self.seed if self.seeds.order is None else self.seeds.order

    @property
    def split_seed(self) -> int:
        """What the test part, where the set has none of its own, and the validation part are drawn from."""
        return self.seed if self.seeds.split is None else self.seeds.split

    @property
    def label(self) -> str:
        """The trial as a line of progress shows it: `digits · mlp · cpu · batch 64 · seed 3`."""
        what = f"{self.dataset.label} · {self.model.label} · {self.device}"
        return f"{what} · batch {self.batch_size} · seed {self.seed}"

    @property
    def together(self) -> bool:
        """Whether it is trained in one process with the other trials of its cell."""
        return self.train.engine in TOGETHER

    def _canonical(self, seed: str) -> str:
        # Put together from parts in the order of sorted keys: the parts are shared by many trials of a grid.
        measure, train, seeds = map(settings_json, (self.measure, self.train, self.seeds))
        return (
            f'{{"batch_size":{self.batch_size},"dataset":{self.dataset.canonical},"device":{json.dumps(self.device)},'
            + (f'"measure":{measure},' if measure else "")
            + f'"model":{self.model.canonical},'
            + ("" if self.search is None else f'"search":{canonical_json(self.search.to_json())},')
            + seed
            + (f'"seeds":{seeds},' if seeds else "")
            + (f'"train":{train}' if train else "")
        ).rstrip(",") + "}"

    def to_json(self) -> dict[str, Json]:
        own: dict[str, Json] = {
            "dataset": self.dataset.to_json(),
            "model": self.model.to_json(),
            "seed": self.seed,
            "batch_size": self.batch_size,
            "device": self.device,
            "train": non_defaults(self.train),
            "measure": non_defaults(self.measure),
        }
        own |= {"seeds": non_defaults(self.seeds)} if self.seeds != SeedSettings() else {}
        return own | ({} if self.search is None else {"search": self.search.to_json()})

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "Trial":
        """Raises KeyError or TypeError where `value` is not what `to_json` gives."""
        return cls(
            dataset=Component.from_json(value["dataset"]),
            model=Component.from_json(value["model"]),
            seed=value["seed"],
            batch_size=value["batch_size"],
            device=value["device"],
            train=TrainSettings(**value.get("train", {})),
            measure=MeasureSettings(**value.get("measure", {})),
            seeds=SeedSettings(**value.get("seeds", {})),
            search=SearchRole.from_json(value["search"]) if "search" in value else None,
        )

    def setting(self, dotted: str) -> Json:
        """The value of an axis by its name in a suite: `seed`, `model`, `train.learning_rate`. A list is a tuple, which
        a set can hold. KeyError: no such."""
        section, _, key = dotted.partition(".")
        if section in ("dataset", "model", "seed", "batch_size", "device") and not key:
            value = getattr(self, section)
            return value.name if isinstance(value, Component) else value
        sections: dict[str, Settings] = {"train": self.train, "measure": self.measure, "seed": self.seeds}
        if section not in sections or key not in sections[section].__dataclass_fields__:
            raise KeyError(dotted)
        return getattr(sections[section], key)


@cache  # grids share settings
def settings_json(settings: Settings) -> str:
    """Canonical JSON of what is no default and is identity; empty where there is none."""
    kept = {key: value for key, value in non_defaults(settings).items() if key not in NOT_IDENTITY}
    if kept.get("loss") == "cross_entropy":  # what a trial without it has, too: a regression is not trained on it
        del kept["loss"]
    return canonical_json(kept) if kept else ""


@dataclass(frozen=True)
class Environment:
    """Fingerprint of machine and software. `facts` are what can change a timing; `notes` are recorded beside them.
    Neither holds a user name, a host name or a home path: results get published."""

    facts: Mapping[str, Json]
    notes: Mapping[str, Json] = field(default_factory=dict)

    def identity(self, *, threads: int) -> str:
        """`environment_id` of a trial with `threads` resolved threads."""
        return digest(canonical_json({**self.facts, "threads": threads}))

    def to_json(self) -> dict[str, Json]:
        return {"facts": dict(self.facts), "notes": dict(self.notes)}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "Environment":
        return cls(value["facts"], value.get("notes", {}))


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one trial. `metrics` holds only what was measured; raw samples and curves lie beside them.

    samples: name → list of numbers (`block_seconds`, `block_steps`, `block_samples`, ...).
    group_id: the same for trials that shared the time by turns; empty where a trial had it for itself. A round of
    theirs (`block_round`) is the same stretch of time.
    curves: name → one number an epoch (`epoch`, `train_loss`, `test_loss`, `test_accuracy`, `train_seconds`, ...).
    notes: what a reader of its accuracy has to know, one line each; `validity_notes` are of its timings.
    answers: which test examples were classified right; None where it was not stored.
    """

    trial: Trial
    trial_id: Hex
    run_id: FileName
    environment_id: Hex
    code_id: Hex
    status: Status
    reason: Line = ""
    traceback: str = ""
    metrics: Mapping[Name, Number] = field(default_factory=dict)
    samples: Mapping[str, list[float]] = field(default_factory=dict)
    curves: Mapping[str, list[float | None]] = field(default_factory=dict)
    valid: bool | None = None
    validity_notes: tuple[Line, ...] = ()
    notes: tuple[Line, ...] = ()
    instruments: Mapping[str, str] = field(default_factory=dict)  # metric → how it was read, where that varies
    threads: Annotated[int, Ge(0), Le(4096)] = 0
    code: Mapping[str, str] = field(default_factory=dict)  # source file → digest: what `code_id` is made of
    environment: Environment = Environment({})
    started_at: Annotated[str, MaxLen(64)] = ""
    finished_at: Annotated[str, MaxLen(64)] = ""
    artifact_sha256: Annotated[str, Pattern("^([0-9a-f]{64})?$")] = ""  # of the trial's HDF5 file; empty: it wrote none
    group_id: Annotated[str, Pattern("^([0-9a-f]{16})?$")] = ""
    answers: Answers | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise BenchError(f"status {self.status!r}: it is one of {', '.join(STATUSES)}")
        if self.status != "ok" and not self.reason:
            raise BenchError(f"a result that is {self.status} has a reason")
        for name, value in self.metrics.items():
            number = type(value) is float or (isinstance(value, int | float) and not isinstance(value, bool))
            if not number or not math.isfinite(value):
                raise BenchError(f"metric {name}: {value!r} is not a finite number; leave out what was not measured")

    def to_json(self) -> dict[str, Json]:
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        own |= {"trial": self.trial.to_json(), "environment": self.environment.to_json()}
        own |= {"samples": dict(self.samples), "curves": dict(self.curves)}
        own |= {"validity_notes": list(self.validity_notes), "notes": list(self.notes)}
        own["answers"] = None if self.answers is None else self.answers.to_json()
        return {"schema": SCHEMA, "bench": __version__} | own
