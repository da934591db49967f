"""Tables of tuning: default and tuned models side by side, and every setting that was tried."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from bench.analysis.cells import Cell, axis_key, axis_label, is_number, value_text
from bench.analysis.interval_words import meanings, purpose
from bench.analysis.ladder_text import wrapped
from bench.analysis.tuning import Searched, Tuning, sentences, settings_text
from bench.base.metrics import Metric
from bench.base.records import Json
from bench.present.columns import to_text
from bench.present.format import DASH, accuracy, difference, listing, plural, printable
from bench.present.tables import Column, Columns, Table, TableCell, count_cell, table_of
from bench.results.searches import TriedSetting

GAIN = "gain: tuned less default, over the seeds that both have, with its 95 % interval"
BUDGET = "seconds of search: of all trainings of the search, those that were given up or failed among them"
UNCHANGED = "default"  # is what the search chose
TRIED = "tuning"  # name of the table of every setting
MOST_LINES = 8  # of models, on a terminal
HEADS = {"tried": "tried", "seconds": "search (s)"}  # where there is less room
Row = tuple[Searched, TriedSetting]


def tuned_table(tuning: Tuning) -> Table:
    """A row a model: default and tuned test accuracy, the chosen settings, what was tried and what that cost."""
    several = len(tuning.groups) > 1
    machines = {cell.machine for each in tuning.searched for cell in (each.default, each.tuned) if cell}
    columns: Columns[Searched] = [(Column("model", "model", numeric=False), lambda each: printable(each.model))]
    if several:
        columns.append((Column("on", "on", numeric=False), lambda each: printable(tuning.place(each))))
    if len(machines) > 1:
        columns.append((Column("environment", "environment", numeric=False), _environment))
    columns += [
        (Column("default_score", "default", interval=True), lambda each: _score(each.default, each.metric)),
        (Column("tuned_score", "tuned", interval=True), lambda each: _score(_tuned(each), each.metric)),
        (Column("gain", "gain", interval=True), _gain),
        (Column("n", "n"), _n),
        (Column("settings", "chosen settings", numeric=False), _chosen),
        (Column("tried", "settings tried"), _tried),
        (Column("seconds", "seconds of search"), _seconds),
    ]
    table = table_of("default-and-tuned", "Default and tuned", tuning.searched, columns)
    cells = [(cell, each.metric) for each in tuning.searched for cell in (each.default, each.tuned)]
    overs = meanings(cell.estimate(metric.name) for cell, metric in cells if cell is not None)
    named = listing(list(dict.fromkeys(metric.title for _, metric in cells)))
    what = f"default, tuned: mean {named} on the test set{f' ± {purpose(overs)}' if overs else ''}"
    notes = (f"{what}; {GAIN}; {BUDGET}.",)
    return Table(table.name, table.title, table.columns, table.rows, notes)


def _environment(each: Searched) -> str:
    cell = each.tuned or each.default
    return cell.environment if cell is not None else DASH


def _tuned(each: Searched) -> Cell | None:
    return each.tuned if each.search.done else None


def _score(cell: Cell | None, metric: Metric) -> TableCell:
    found = None if cell is None else cell.estimate(metric.name)
    if found is None:
        return TableCell(DASH)
    return TableCell(accuracy(found.mean, found.ends), found.mean, found.low, found.high, over=found.over)


def _n(each: Searched) -> TableCell:
    cell = each.tuned or each.default
    return count_cell(0 if cell is None else cell.n_of(each.metric.name))


def _gain(each: Searched) -> TableCell:
    found = each.gain
    return TableCell(DASH) if found is None else TableCell(difference(found), found.mean, found.low, found.high)


def _chosen(each: Searched) -> str:
    chosen = each.search.chosen
    if chosen is None:
        return "not chosen yet"
    text = settings_text(chosen.settings)
    return printable(f"{UNCHANGED} ({text})" if chosen.is_default else text)


def _tried(each: Searched) -> TableCell:
    """`16 (5 given up)`"""
    tried = each.tried
    parts = [f"{count} {word}" for word in ("given up", "failed") if (count := sum(s.status == word for s in tried))]
    more = f" ({', '.join(parts)})" if parts else ""
    return TableCell(f"{len(tried):,}{more}", len(tried))


def _seconds(each: Searched) -> TableCell:
    seconds = each.search.seconds
    return TableCell(f"{seconds:,.1f}" if seconds < 100 else f"{seconds:,.0f}", seconds)


def tuning_lines(tuning: Tuning | None, *, width: int) -> Iterator[list[str]]:
    """For a terminal: default and tuned accuracy and what the search cost, the chosen settings, what is said of them;
    nothing without [tune]."""
    if tuning is None:
        return
    table = tuned_table(tuning)
    keys = [column.key for column in table.columns]
    short = [index for index, key in enumerate(keys) if key not in ("n", "settings", "environment", "on")]
    rows = tuple(
        # How many of them were given up takes the room of the interval of the gain.
        tuple(replace(row[index], text=row[index].text.split()[0]) if keys[index] == "tried" else row[index]
              for index in short)
        for row in table.rows[:MOST_LINES]
    )  # fmt: skip
    columns = tuple(table.columns[index] for index in short)
    columns = tuple(replace(column, head=HEADS.get(column.key, column.head)) for column in columns)
    yield to_text(replace(table, columns=columns, rows=rows, notes=()), width=width).splitlines()
    chosen = [f"{row[0].text}: {row[keys.index('settings')].text}" for row in table.rows[:MOST_LINES]]
    more = len(table.rows) - MOST_LINES
    chosen += [f"… and {more} more: see the report"] if more > 0 else []
    yield [line for text in (*chosen, *sentences(tuning)) for line in wrapped(text, width=width)]


def tried_table(tuning: Tuning) -> Table:
    """A row a setting that was tried, in the order in which it was: `tuning.csv`."""
    searches = {id(each.search): each for each in tuning.searched}
    rows = [(each, setting) for each in searches.values() for setting in each.search.tried]
    axes = dict.fromkeys(name for _, setting in rows for name in setting.axes)
    keys = dict.fromkeys(name for _, setting in rows for name in setting.settings)
    columns: Columns[Row] = [
        (Column("model", "model", numeric=False), lambda row: row[0].model),
        (Column("dataset", "data set", numeric=False), lambda row: row[1].dataset),
        (Column("batch_size", "batch size"), lambda row: count_cell(row[1].batch_size)),
        *((Column(axis_key(name), axis_label(name), numeric=False), partial(_axis, name)) for name in axes),
        (Column("number", "number"), lambda row: count_cell(row[1].number)),
        *((Column(name, axis_label(name), numeric=False), partial(_setting, name)) for name in keys),
        (Column("validation_score", "validation score"), lambda row: _number(row[1].validation_accuracy)),
        (Column("reached", "reached"), lambda row: _number(row[1].reached)),
        (Column("seeds", "seeds"), lambda row: count_cell(row[1].seeds)),
        (Column("epochs", "epochs"), lambda row: count_cell(row[1].epochs)),
        (Column("seconds", "seconds"), lambda row: TableCell(f"{row[1].seconds:.2f}", row[1].seconds)),
        (Column("status", "status", numeric=False), lambda row: row[1].status),
        (Column("default", "default", numeric=False), lambda row: str(row[1].is_default).lower()),
        (Column("chosen", "chosen", numeric=False), lambda row: str(row[1].is_chosen).lower()),
        (Column("reason", "reason", numeric=False), lambda row: row[1].reason),
    ]
    return table_of(TRIED, f"{plural(len(rows), 'setting')} tried", rows, columns)


def _axis(name: str, row: Row) -> TableCell:
    return _value(row[1].axes.get(name))


def _setting(name: str, row: Row) -> TableCell:
    return _value(row[1].settings.get(name))


def _value(value: Json) -> TableCell:
    return TableCell("" if value is None else value_text(value), number=float(value) if is_number(value) else None)


def _number(value: float | None) -> TableCell:
    return TableCell(DASH if value is None else f"{value:.3f}", value)
