"""The types of a suite file. Settings of training and measuring come from the records: they have one home."""

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from bench.base.records import SEED_LIMIT, MeasureSettings, SeedSettings, TrainSettings, settings_by_name
from bench.suite.mistakes import inline
from bench.suite.plan import FEWEST_SEEDS, MOST_SEEDS, WITHIN
from bench.suite.tune import TRIALS, VALIDATION, Sampler

SinkName = Literal["tensorboard", "mlflow"]  # tools that trials can be logged to; each is the name of its package
BY_CLASS = ("f1", "precision", "recall")  # metrics of one class of a data set
LIMIT_TRIALS = 1_000_000
MOST_MOST_SEEDS = 1000
MOST_TRIED = 10_000
SECTIONS = {"train": TrainSettings, "measure": MeasureSettings, "seed": SeedSettings}
# Every setting by its dotted name, with its type.
SETTINGS: dict[str, Any] = {
    f"{section}.{item.name}": get_type_hints(kind, include_extras=True)[item.name]
    for section, kind in SECTIONS.items()
    for item in fields(kind)
}
# Settings whose value is a list: a list of lists is several values of one.
_DEFAULTS = settings_by_name(TrainSettings(), MeasureSettings(), SeedSettings())
LISTS = frozenset(name for name, default in _DEFAULTS.items() if isinstance(default, tuple))


def _words(one: str, many: str) -> dict[str, Any]:
    """The words that a message uses for what is expected, where the schema gives none that are plain."""
    return {"expected": [one, many]}


class Table(BaseModel):
    """A table of a suite: unknown keys are refused, and no value is converted from another type."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, validate_default=False)


class ComponentTable(Table):
    """A data set or a model with settings: { name = "mlp", hidden = 100 }. The settings are the builder's keywords."""

    model_config = ConfigDict(strict=True, extra="allow")
    name: Annotated[str, Field(description="Registered name of a data set or a model.")]


SuiteName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9_-]{1,64}$",
        description="Names the folder under results/.",
        json_schema_extra=_words("1 to 64 of the characters a-z, 0-9, _ and -", "names"),
    ),
]


def _shown_text(most: int, description: str, many: str) -> Any:
    """A text that is printed on terminals and pages: no control characters, none that turn the direction of writing."""
    return Field(
        pattern=rf"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]{{1,{most}}}$",
        description=description,
        json_schema_extra=_words(f"1 to {most} characters without control characters", many),
    )


Title = Annotated[str, _shown_text(200, "Shown above the tables; the name where it is left out.", "titles")]
Source = Annotated[str, _shown_text(300, "Where the figure is from.", "sources")]
ComponentEntry = Annotated[
    str | ComponentTable,
    Field(json_schema_extra=_words("a name or a table { name = …, … }", "names or tables { name = …, … }")),
]
Seed = Annotated[int, Ge(0), Lt(SEED_LIMIT)]
BatchSize = Annotated[int, Ge(1)]


class SeedRange(Table):
    """`count` seeds from `start` on."""

    count: Annotated[int, Ge(1), Le(SEED_LIMIT)]
    start: Seed = 0


Seeds = Annotated[
    Annotated[list[Seed], MinLen(1)] | SeedRange,
    Field(
        description="A list of seeds, or { count = 30, start = 0 }.",
        json_schema_extra=_words(f"a list of integers from 0 to {SEED_LIMIT - 1}, or {{ count = 30, start = 0 }}", ""),
    ),
]


class _Grid(Table):
    """Crossed: one trial a combination. Any setting of [train], [measure], [seed] can be an axis by its dotted name."""

    dataset: Annotated[list[ComponentEntry], MinLen(1)]
    model: Annotated[list[ComponentEntry], MinLen(1)]
    seed: Seeds = [0]
    batch_size: Annotated[list[BatchSize], MinLen(1)] = [64]
    device: Annotated[list[str], MinLen(1)] = ["auto"]


class _Match(Table):
    """Matches the trials that match every key given; a list means any of its values."""

    dataset: ComponentEntry | Annotated[list[ComponentEntry], MinLen(1)] | None = None
    model: ComponentEntry | Annotated[list[ComponentEntry], MinLen(1)] | None = None
    seed: Seed | Annotated[list[Seed], MinLen(1)] | None = None
    batch_size: BatchSize | Annotated[list[BatchSize], MinLen(1)] | None = None
    device: str | Annotated[list[str], MinLen(1)] | None = None


class _Set(Table):
    """Settings by their dotted names, those of [train], [measure], [seed], and of a model (`mlp.hidden`)."""

    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)


def _dotted(name: str, base: type[Table], *, single: bool, many: bool) -> Any:
    """`base` with every setting of SECTIONS by its dotted name: one value, a list of them, or either."""
    own: dict[str, Any] = {}
    for dotted, annotation in SETTINGS.items():
        listed = Annotated[list[annotation], MinLen(1)]  # type: ignore[valid-type]  # made at run time
        several = Seeds if dotted.startswith("seed.") else listed
        kind = (annotation | listed if many else annotation) if single else several
        own[dotted.replace(".", "_")] = (kind, Field(default=None, alias=dotted))
    return create_model(name, __base__=base, __doc__=base.__doc__, **own)


def _section(section: str, doc: str) -> Any:
    own: dict[str, Any] = {f.name: (SETTINGS[f"{section}.{f.name}"], f.default) for f in fields(SECTIONS[section])}
    return create_model(section.title(), __base__=Table, __doc__=doc, **own)


if TYPE_CHECKING:  # what a type checker can know of models that are made from the fields of the records
    Grid: TypeAlias = _Grid
    Match: TypeAlias = _Match
    Set: TypeAlias = Table
    Train: TypeAlias = Table
    Measure: TypeAlias = Table
    SeedTable: TypeAlias = Table
else:
    Grid = _dotted("Grid", _Grid, single=False, many=True)
    Match = _dotted("Match", _Match, single=True, many=True)
    Set = _dotted("Set", _Set, single=True, many=False)
    Train = _section("train", "How every trial trains.")
    Measure = _section("measure", "How every trial is measured.")
    SeedTable = _section("seed", "Seeds of single sources of chance; what is left out follows the seed of the trial.")


class Override(Table):
    """Where trials match, set these settings; of several, the later ones win."""

    where: Match
    set: Set


class Decide(Table):
    """Seeds go on, a round of all models that are still open at a time, until each pair of models is decided."""

    within: Annotated[float, Ge(0), Lt(1), Field(description="Differences of accuracy below this do not matter.")] = (
        WITHIN
    )
    most_seeds: Annotated[
        int,
        Ge(FEWEST_SEEDS),
        Le(MOST_MOST_SEEDS),
        Field(description="No model gets more seeds, the grid's among them."),
    ] = MOST_SEEDS


End = Annotated[int | float, Field(json_schema_extra=_words("a number", "numbers"))]


class ValueRange(Table):
    """What lies between two numbers, both included; `log`: by factors."""

    low: End
    high: End
    log: bool = False


Searched = Annotated[
    Annotated[list[JsonValue], MinLen(1)] | ValueRange,
    Field(
        description="The values to try: a list, or { low = 1e-3, high = 1.0, log = true }.",
        json_schema_extra=_words("a list of values, or { low = 1e-3, high = 1.0, log = true }", ""),
    ),
]


class Tune(Table):
    """Each model at its best, at equal cost: settings are tried on a validation part of the training set, then each
    model is trained with all seeds at those that won. A key is a setting of [train] or of a model (`mlp.hidden`)."""

    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, Searched] = Field(init=False)

    trials: Annotated[int, Ge(1), Le(MOST_TRIED), Field(description="Settings tried for each model.")] = TRIALS
    validation: Annotated[
        float, Gt(0), Lt(1), Field(description="Share of the training set that they are chosen by.")
    ] = VALIDATION
    seeds: Annotated[int, Ge(1), Le(MOST_MOST_SEEDS), Field(description="Trainings of each setting.")] = 1
    sampler: Sampler = "tpe"
    stop_early: Annotated[bool, Field(description="Give up settings that are clearly behind.")] = True
    seconds: Annotated[float, Ge(0), Field(description="Of training for each model, instead of trials.")] = 0.0


class PublishedFigure(Table):
    """A figure from elsewhere, to stand beside ours in the report; no part of what a trial is."""

    where: Annotated[Match | None, Field(description="The trials that it is of; all where it is left out.")] = None
    metric: Annotated[str, Field(description="A metric of bench, or f1, precision or recall of a class.")] = (
        "test_accuracy"
    )
    class_: Annotated[str | None, Field(alias="class", description="Name of a class of the data set.")] = None
    value: Annotated[float, Field(description="As it was published.")] | None = None
    range: Annotated[
        list[float] | None, Field(min_length=2, max_length=2, description="[low, high], instead of value.")
    ] = None
    source: Source


class Report(Table):
    """What the report shows."""

    baseline: Annotated[str, Field(description="Ratios are against this model, which is one of the grid's.")] = ""
    sinks: Annotated[list[SinkName], Field(description="Where every trial is logged as well, after the run.")] = []
    weights: Annotated[bool, Field(description="A table of the norms of weights, and how many are near zero.")] = False
    published: Annotated[list[PublishedFigure], Field(description="Figures from elsewhere, to stand beside ours.")] = []


class Document(Table):
    """A suite: a grid of axes, and the settings that all its trials share."""

    name: SuiteName
    title: Title | None = None
    plugins: Annotated[list[str], Field(description="Files (relative to the suite) or modules.")] = []
    grid: Grid
    exclude: Annotated[list[Match], Field(description="Trials that match every key given are not run.")] = []
    override: list[Override] = []
    train: Train | None = None
    measure: Measure | None = None
    seed: SeedTable | None = None
    decide: Decide | None = None
    tune: Tune | None = None
    report: Report | None = None


TUNE_KEYS = frozenset(Tune.model_fields)  # what else stands in [tune] is a setting to search


@cache
def document_schema() -> dict[str, Any]:
    """JSON schema of a suite, without references; with the words of refusals under `expected`."""
    return inline(Document.model_json_schema(by_alias=True))
