"""Parameters of somebody else's model as settings of a suite: those that a JSON value can give."""

import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

Parameter = inspect.Parameter
KEYWORDS = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
PLAIN = (bool, int, float, str, type(None))


def pass_through(owner: Callable[..., Any], *, without: Collection[str]) -> list[Parameter]:
    """The keywords of `owner` that a suite may set. None, the default, leaves each to its own default.

    A library's function may have another default than the class that it builds: only what the suite says is passed on.
    """
    hints, found = _hints(owner), []
    for name, each in inspect.signature(owner).parameters.items():
        kind = _as_json(hints.get(name, Any))
        if name not in without and each.kind in KEYWORDS and _may_be_set(kind, each.default):
            found.append(Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=_optional(kind)))
    return found


def _may_be_set(kind: Any, default: Any) -> bool:
    """Whether a suite can say it: no layers, no functions, nothing that the library's function has to give."""
    if default is Parameter.empty:
        return kind in PLAIN
    return kind is not Any or (default is not None and is_json(default))


def stated(owner: Callable[..., Any], *, without: Collection[str]) -> list[Parameter]:
    """The parameters of `owner` with their own defaults; one without a default has to be given."""
    hints, found = _hints(owner), []
    for name, each in inspect.signature(owner).parameters.items():
        if name in without or each.kind not in KEYWORDS:
            continue
        kind = _as_json(hints.get(name, Any))
        if each.default is not Parameter.empty and not is_json(each.default):
            kind, each = _optional(kind), each.replace(default=None)  # its own default, which is no JSON value
        found.append(Parameter(name, Parameter.KEYWORD_ONLY, default=each.default, annotation=kind))
    return found


def with_settings(build: Callable[..., Any], settings: Iterable[Parameter], *, doc: str) -> Callable[..., Any]:
    """`build` with these keywords in its signature, where the catalogue looks for settings."""
    settings = list(settings)
    first = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("input_shape", "num_outputs")]
    build.__name__ = build.__name__ if hasattr(build, "__name__") else "build"
    build.__signature__ = inspect.Signature([*first, *settings])  # type: ignore[attr-defined]
    build.__annotations__ = {each.name: each.annotation for each in settings}
    build.__doc__ = doc
    return build


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the suite gives; a list as the tuple that Python's functions expect."""
    return {name: as_tuple(value) for name, value in settings.items() if value is not None}


def as_tuple(value: Any) -> Any:
    return tuple(map(as_tuple, value)) if isinstance(value, list) else value


def is_json(value: Any) -> bool:
    """Whether a default can stand in a suite."""
    return all(map(is_json, value)) if isinstance(value, list | tuple) else isinstance(value, PLAIN)


def _hints(owner: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(owner.__init__ if inspect.isclass(owner) else owner)
    except Exception:  # an annotation of a name that is there for type checkers only
        return {}


def _optional(kind: Any) -> Any:
    kind = _as_json(kind)
    return kind if kind is Any else kind | None


def _as_json(kind: Any) -> Any:
    """The type where every part of it is one of JSON; else Any: what does not fit is then the model's to refuse."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal or kind in PLAIN:
        return kind
    if origin in (list, tuple, typing.Union, types.UnionType):
        known = [_as_json(part) for part in parts if part is not Ellipsis]
        return kind if known and Any not in known else Any
    return Any
