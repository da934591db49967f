"""Checks of values out of a checkpoint, which may come from a stranger. What does not fit is a ValueError."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import torch

T = TypeVar("T")
MOST_WHOLE = 2**63


def number(value: Any) -> float:
    """A finite number; whole ones stay whole."""
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) >= MOST_WHOLE:
        raise ValueError(f"{value!r:.40} where a number belongs")
    found: float = value
    return found


def number_or_none(value: Any) -> float | None:
    return None if value is None else number(value)


def numbers(value: Any) -> list[float]:
    return [number(each) for each in items(value)]


def numbers_or_none(value: Any) -> list[float | None]:
    return [number_or_none(each) for each in items(value)]


def whole(value: Any) -> int:
    if type(value) is not int or abs(value) >= MOST_WHOLE:
        raise ValueError(f"{value!r:.40} where a whole number belongs")
    return int(value)


def wholes(value: Any) -> list[int]:
    return [whole(each) for each in items(value)]


def items(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError(f"{type(value).__name__} where a list belongs")
    return list(value)


def mapping(value: Any) -> dict[str, Any]:
    if type(value) is not dict or any(type(key) is not str for key in value):
        raise ValueError(f"{type(value).__name__} where named values belong")
    return dict(value)


def flat(record: Any) -> dict[str, Any]:
    """The fields of a dataclass of numbers; a tuple becomes a list."""
    found = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def built(kind: type[T], value: Any) -> T:
    """The dataclass, of numbers and tuples of numbers, that `flat` made its fields of."""
    given = mapping(value)
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass, says the caller
    if set(given) != names:
        raise ValueError(f"{kind.__name__} of {', '.join(sorted(given))[:80]}")
    return kind(**{name: _field(each) for name, each in given.items()})


def all_built(kind: type[T], value: Any) -> list[T]:
    return [built(kind, each) for each in items(value)]


def _field(value: Any) -> Any:
    if type(value) is list:
        return tuple(numbers(value))
    return value if isinstance(value, bool) else number_or_none(value)


def same_tensors(own: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise ValueError where the tensors of two modules' states differ in name, shape or type."""
    if set(own) != set(given):
        raise ValueError(f"weights of other names: {', '.join(sorted(set(own) ^ set(given)))[:80]}")
    for name, value in own.items():
        if isinstance(value, torch.Tensor) and _looks(given[name]) != _looks(value):
            raise ValueError(f"{name} is {_looks(given[name])}, not {_looks(value)}")


def _looks(value: Any) -> object:
    return (tuple(value.shape), value.dtype) if isinstance(value, torch.Tensor) else type(value).__name__


def same_kinds(own: Any, given: Any) -> None:
    """Raise ValueError where `given` has other names than `own`, or values of another kind."""
    if isinstance(own, dict) and isinstance(given, dict):
        if set(own) != set(given):
            raise ValueError(f"settings of other names: {', '.join(sorted(map(str, set(own) ^ set(given))))[:80]}")
        for name, value in own.items():
            same_kinds(value, given[name])
    elif _kind(own) != _kind(given):
        raise ValueError(f"{given!r:.40} where {type(own).__name__} belongs")


def _kind(value: Any) -> object:
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, list | tuple):
        return [_kind(each) for each in value]
    if type(value) in (int, float):
        return "NaN" if math.isnan(value) else float
    return type(value)


def same_length(named: Mapping[str, list[Any]]) -> None:
    if len({len(each) for each in named.values()}) > 1:
        raise ValueError(f"{', '.join(named)} differ in length"[:120])
