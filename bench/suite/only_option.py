"""`--only KEY=VALUE[,VALUE…]`: the part of a grid whose values match."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bench.base.records import Component, Json
from bench.errors import BenchError, nearest
from bench.suite.document import SETTINGS
from bench.suite.mistakes import shorten, show
from bench.suite.plan import Rule, label

_SHOWN_CHOICES = 12
_COMMA = re.compile(r",(?![^\[]*\])")  # not those inside a list
_NUMBER = re.compile(r"[+-]?[0-9][0-9_]{0,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?|[+-]?\.[0-9]{1,30}")


def apply_only(
    axes: dict[str, Sequence[Any]],
    only: Sequence[str],
    *,
    base: Mapping[str, Json],
    later: Mapping[str, Sequence[Json]],
) -> list[Rule]:
    """Keep the values of `axes` (in place) that --only asks for; returns rules that only a finished trial can answer.

    base: dotted name -> value of every setting of [train], [measure] and [seed]; later: dotted name -> values that
    overrides set. Raises BenchError.
    """
    late: list[Rule] = []
    whole = dict(axes)
    for text in only:
        origin = f"--only {shorten(text)}"
        key, wanted = _parsed(text, origin, axes)
        early = whole[key] if key in whole else (base[key],)
        choices = (*early, *later[key]) if key in later else early
        for word in wanted:
            if not _kept(choices, [word]):
                raise BenchError(f"{origin}: {_no_value(key, word, choices)}")
        if key in later:
            late.append(Rule({}, {key: _kept(choices, wanted)}))
        elif key in axes:
            axes[key] = _kept(axes[key], wanted)
    return late


def _parsed(text: str, origin: str, axes: Mapping[str, Sequence[Any]]) -> tuple[str, list[str]]:
    key, equals, values = text.partition("=")
    key = key.strip().removeprefix("grid.")
    wanted = [value.strip() for value in _COMMA.split(values)]
    if not equals or not all(wanted):
        raise BenchError(f"{origin}: expected KEY=VALUE[,VALUE…], as in --only model=mlp,cnn")
    if key not in axes and key not in SETTINGS:
        near = nearest(key[:64], [*axes, *SETTINGS]) or nearest(f"train.{key[:64]}", SETTINGS)
        known = ", ".join(axes)
        raise BenchError(f"{origin}: unknown key {show(key)}{near} (the axes are {known}; settings by dotted name)")
    return key, wanted


def _kept(values: Sequence[Json | Component], wanted: Sequence[str]) -> tuple[Any, ...]:
    """The values that equal one of `wanted`: by registered name, as a number, or as text."""
    numbers = [float(word) for word in wanted if _NUMBER.fullmatch(word)]
    whole = {int(word) for word in wanted if _NUMBER.fullmatch(word) and word.lstrip("+-").replace("_", "").isdigit()}
    if isinstance(values, range):
        return tuple(value for value in values if value in whole)

    def matches(value: Json | Component) -> bool:
        if isinstance(value, Component):
            return value.name in wanted
        if isinstance(value, int | float) and not isinstance(value, bool):
            # Integers as integers: a float cannot tell two large seeds apart.
            return value in whole or (value in numbers and abs(value) < 2**53)
        if isinstance(value, list | tuple):  # a list may be written with or without spaces
            return label(value).replace(" ", "") in [word.replace(" ", "") for word in wanted]
        return label(value) in wanted

    return tuple(value for value in values if matches(value))


def _no_value(key: str, word: str, choices: Sequence[Json | Component]) -> str:
    if isinstance(choices, range):
        return f"this grid has no {key} {show(word)} (there are {choices.start} to {choices.stop - 1})"
    names = dict.fromkeys(value.name if isinstance(value, Component) else label(value) for value in choices)
    shown = list(names)[:_SHOWN_CHOICES]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return f"this grid has no {key} {show(word)}{nearest(word[:64], shown)} (there are: {', '.join(shown)}{more})"
