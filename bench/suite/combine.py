"""Combines the plans of one suite that was run in parts or on several machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.base.records import Json, canonical_json
from bench.errors import BenchError
from bench.suite.plan import Axis, Suite
from bench.suite.stored import suite_to_json

# What may differ between two runs of one plan: how it was called, and which part of it was run.
FREE = frozenset({
    "title", "source", "plugins", "plugins_added", "sets", "baseline", "only", "shard", "keep", "budget", "published",
    "weights",
})  # fmt: skip


def combine(plans: Mapping[str, Suite]) -> tuple[Suite, list[str]]:
    """The plan that `plans` (folder → plan) are parts of, and notes on what was combined.

    Shards and `--only` of one plan become the whole plan. Values of one axis (the devices of two machines) are
    joined. Raises BenchError for two suites, and for plans that differ in more than that: their trials together are
    the grid of neither.
    """
    (first_place, found), *others = plans.items()
    notes: list[str] = []
    for place, plan in others:
        if plan.name != found.name:
            raise BenchError(
                f"two suites: {first_place} is of {found.name}, {place} of {plan.name}; "
                "merge the results of each suite into a folder of its own"
            )
        found = _narrowed(found, plan, notes)
        found = _joined(found, plan, notes, places=(first_place, place))
    return found, list(dict.fromkeys(notes))


def _narrowed(a: Suite, b: Suite, notes: list[str]) -> Suite:
    """`a` without the shard or the --only that made it a part of the plan, where `b` is another part."""
    if a.shard != b.shard:
        notes.append("the folders hold shards of one plan: the merged folder has the whole plan")
        a = replace(a, shard=None)
    if (a.only, a.keep) != (b.only, b.keep):
        notes.append("the folders were run with different --only: the merged folder has the whole plan")
        a = replace(a, only=(), keep=())
    return replace(a, budget=a.budget or b.budget)


def _joined(a: Suite, b: Suite, notes: list[str], *, places: tuple[str, str]) -> Suite:
    """`a` with the values that `b` has on the one axis in which they differ."""
    if differing := _settings(a, b):
        raise _two_plans(places, differing)
    axes = [name for name in (axis.name for axis in a.axes) if tuple(a.axis(name).values) != tuple(b.axis(name).values)]
    if not axes:
        return a
    ruled = {name for rule in (*a.exclude, *a.keep, *(each.rule for each in a.override)) for name in rule.at}
    if len(axes) > 1 or axes[0] in ruled:
        raise _two_plans(places, [f"{name}: {_values(a, name)} against {_values(b, name)}" for name in axes])
    (name,) = axes
    values = [*a.axis(name).values, *(value for value in b.axis(name).values if value not in a.axis(name).values)]
    joined = Axis(name, tuple(values))
    notes.append(f"the values of {name} are joined: {', '.join(joined.labels[:8])}")
    return replace(a, axes=tuple(joined if axis.name == name else axis for axis in a.axes))


def _settings(a: Suite, b: Suite) -> list[str]:
    """The settings in which two plans differ, apart from the values of axes."""
    first, second = (_plain(suite) for suite in (a, b))
    return [
        f"{key}: {_shown(first[key])} against {_shown(second[key])}"
        for key in first
        if canonical_json(first[key]) != canonical_json(second[key])
    ]


def _plain(suite: Suite) -> dict[str, Json]:
    value = {key: part for key, part in suite_to_json(suite).items() if key not in FREE}
    return value | {"axes": [axis["name"] for axis in value["axes"]]}


def _shown(value: Json) -> str:
    text = canonical_json(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _values(suite: Suite, name: str) -> str:
    labels = suite.axis(name).labels
    return ", ".join(labels[:4]) + (", …" if len(labels) > 4 else "")


def _two_plans(places: tuple[str, str], differing: Sequence[str]) -> BenchError:
    return BenchError(
        f"two plans: {places[0]} and {places[1]} differ in {'; '.join(differing)}; merge them separately, or choose "
        "with --plan DIR the plan that the merged folder keeps (results of the other stay on file)"
    )
