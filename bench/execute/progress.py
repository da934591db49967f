"""What a person sees of a run: a live line on a terminal, plain lines elsewhere. All of it goes to stderr."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

from bench.base.metrics import main_metric
from bench.base.records import Json, Result, Trial
from bench.errors import numberless, one_line
from bench.present.format import printable, printable_lines
from bench.present.names import short_names
from bench.results.searches import GIVEN_UP, behind_text, score_name, score_of
from bench.suite.mistakes import setting_text
from bench.suite.plan import Suite, label

NAME = 20  # columns of a name beside the bar
BAR = 16
CLEAR = "\r\x1b[K"  # to the line's start, and erase to its end
NOTHING: Mapping[str, str] = MappingProxyType({})
REDRAW_SECONDS = 0.5  # between two redraws where several trials have something to say


def varying(suite: Suite) -> tuple[str, ...]:
    """Dotted names of the settings in which trials of the suite differ; those of [train] that it searches too."""
    searched = () if suite.tune is None else (each.key for each in suite.tune.ranges if each.of_train)
    return (*(axis.name for axis in suite.axes if "." in axis.name and len(axis) > 1), *searched)


def describe_trial(trial: Trial, axes: Sequence[str] = (), *, short: Mapping[str, str] = NOTHING) -> str:
    """`digits · cnn · cpu · batch 64 · seed 3 · learning rate 0.1`; `axes`: dotted names of settings to be told;
    `short`: names of data sets and models, where there is little room."""
    names = [printable(each.label) for each in (trial.dataset, trial.model)]
    settings = [f"{setting_text(name)} {printable(label(trial.setting(name)))}" for name in axes]
    parts = [*(short.get(name, name) for name in names), trial.device, f"batch {trial.batch_size}"]
    return " · ".join([*parts, f"seed {trial.seed}", *settings])


class Voice:
    """Plain lines: one where something is to be known, one a finished trial."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.total = self.done = 0
        self.axes: tuple[str, ...] = ()
        self._noted: set[tuple[str, str, str]] = set()

    def say(self, line: str) -> None:
        """A line that stays."""
        if not self.quiet:
            sys.stderr.write(printable_lines(line) + "\n")
            sys.stderr.flush()

    def begin(self, total: int, *, axes: Sequence[str] = (), names: Sequence[str] = ()) -> None:
        """`total` trials are going to run; `axes` are the dotted names of the settings in which they differ, `names`
        those of their data sets and models."""
        self.total, self.done, self.axes = total, 0, tuple(axes)

    def goes_on(self, count: int) -> None:
        """So many trials more are going to run."""
        self.total += count

    def trial_begins(self, trial: Trial) -> None:
        """A trial's process is being started."""

    def progress(self, trial: Trial, what: Mapping[str, Json]) -> None:
        """Where the trial is: phase, epoch, epochs, loss."""

    def trial_ends(self, result: Result, *, side: str = "") -> None:
        """Say what became of it; `side`: of a duel."""
        self.done += 1
        self.say(f"[{self.done}/{self.total}] {self._called(result, side)}: {describe_ending(result)}")
        self.say_notes(result)

    def _called(self, result: Result, side: str) -> str:
        return " · ".join(filter(None, (side, describe_trial(result.trial, self.axes))))

    def say_notes(self, result: Result) -> None:
        """What has to be known of a result, once for each data set and model."""
        for note in result.notes:
            found = (result.trial.dataset.label, result.trial.model.label, numberless(note))
            if found not in self._noted:
                self._noted.add(found)
                self.say(one_line(f"note: {' · '.join(found[:2])}: {note}"))

    def end(self) -> None:
        """No more trials."""


def describe_ending(result: Result) -> str:
    """`accuracy 0.978 in 0.9 s`, `R² 0.412 in 0.9 s`, or the status with its reason; of a search's training what it
    reached there."""
    if result.status != "ok":
        return f"{result.status}: {printable(result.reason)}"
    main, seconds = main_metric(result.metrics), result.metrics.get("total_seconds")
    if result.trial.search is not None:
        return f"{_of_search(result)}, in {seconds:.1f} s"
    reached = result.metrics.get(main.name)
    return f"{main.title} {'undefined' if reached is None else f'{reached:.3f}'} in {seconds:.1f} s"


def _of_search(result: Result) -> str:
    if GIVEN_UP in result.metrics:
        return f"given up: {behind_text(result)}"
    found = score_of(result)
    return "no score on the validation part" if found is None else f"validation {score_name(result)} {found:.3f}"


class LiveVoice(Voice):
    """A bar with the trial under way, redrawn only when the trial has something to say: at most twice a second.

    Drawn by hand: beside a trial that keeps the caches busy, a redraw of rich's bar took 15 ms, more than the parent is
    allowed (1 % of a core).
    """

    def __init__(self) -> None:
        super().__init__()
        self._line: str | None = None  # what stands there; None before the first trial and after the last one
        self._under_way: set[str] = set()  # trial_id; several where they take turns, or on a cluster
        self._drawn = float("-inf")

    def begin(self, total: int, *, axes: Sequence[str] = (), names: Sequence[str] = ()) -> None:
        super().begin(total, axes=axes)
        self._short = short_names(map(printable, names), most=NAME)
        self._started = time.monotonic()
        self._draw(None, "")

    def say(self, line: str) -> None:
        standing, self._line = self._line, None
        if standing is not None:
            sys.stderr.write(CLEAR)
        super().say(line)
        if standing is not None:
            self._show(standing)

    def trial_begins(self, trial: Trial) -> None:
        self._under_way.add(trial.trial_id)
        self._draw(trial, "")

    def progress(self, trial: Trial, what: Mapping[str, Json]) -> None:
        if len(self._under_way) > 1 and time.monotonic() - self._drawn < REDRAW_SECONDS:
            return
        where = what["phase"]
        if "epoch" in what:
            where = f"epoch {what['epoch']}/{what['epochs']} · loss {what['loss']:.3f}"
        self._draw(trial, where)

    def trial_ends(self, result: Result, *, side: str = "") -> None:
        self.done += 1
        self._under_way.discard(result.trial_id)
        if result.status not in ("ok", "skipped"):
            self.say(f"{self._called(result, side)}: {describe_ending(result)}")
        self.say_notes(result)
        self._draw(None, "")

    def end(self) -> None:
        if self._line is not None:
            self._line = None
            sys.stderr.write(CLEAR)
            sys.stderr.flush()

    def _draw(self, trial: Trial | None, where: str) -> None:
        description = left = ""
        if trial is not None:
            what = describe_trial(trial, self.axes, short=self._short)
            description = f"{what.partition(' · ')[2]} · {where}" if where else what
        if self.done:
            left = clock_text((time.monotonic() - self._started) / self.done * (self.total - self.done))
        if description and len(self._under_way) > 1:
            description = f"{len(self._under_way)} at once · {description}"
        self._drawn = time.monotonic()
        self._show(live_line(self.done, self.total, description, left, columns=_columns()))

    def _show(self, line: str) -> None:
        self._line = line
        sys.stderr.write(CLEAR + line)
        sys.stderr.flush()


def live_line(done: int, total: int, description: str, left: str, *, columns: int) -> str:
    """`━━━━━━──────────  19/30  cnn · batch 64 · seed 3 · epoch 4/10    0:06`, one column short of `columns`: at a
    full line some terminals go on to the next. A description that is too long is cut."""
    from rich.cells import cell_len, set_cell_size  # knows how many columns a character takes

    full = BAR * done // max(1, total)
    start = f"{'━' * full}{'─' * (BAR - full)}  {done}/{total}  "
    end = f"  {left}" if left else ""
    room = max(0, columns - 1 - len(start) - len(end))
    if cell_len(description) > room:
        description = set_cell_size(description, max(0, room - 1)).rstrip() + "…"
    return set_cell_size(start + (set_cell_size(description, room) if end else description) + end, columns - 1).rstrip()


def _columns() -> int:
    """Of the terminal that stderr is; `COLUMNS` in the environment counts first, as elsewhere."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given):
        return int(given)
    with suppress(ValueError, OSError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    return 80


def clock_text(seconds: float) -> str:
    """`0:06`, `1:02:03`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def make_voice() -> Voice:
    """A live one where stderr is a terminal that can erase a line."""
    return LiveVoice() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Voice()
