"""`package.module:Class`: a model by the place that Python imports it from.

What is called with `input_shape` and `num_outputs` (or `num_classes`), where it has parameters of these names, and with
the arguments that the suite states. The module is imported where the model is asked for: in the process of a trial.
"""

import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable
from typing import Any

from bench.errors import BenchError, nearest
from bench.registry import Entry, source_of
from bench.worker.named import parameters

PLACE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")
OUTPUTS = ("num_outputs", "num_classes")
GIVEN = ("input_shape", *OUTPUTS)


def find(name: str) -> Entry[Callable[..., Any]]:
    """The entry of `package.module:Class`. Raises BenchError where there is none, and whatever the module raises."""
    if not PLACE.match(name):
        raise BenchError(
            f"model {name!r}: expected torchvision:NAME, timm:NAME or package.module:Class, as in my_package.nets:Net"
        )
    place, _, own = name.partition(":")
    if not _is_there(place):
        raise BenchError(f"model {name!r}: there is no module {place} (looked for where Python does, and here)")
    module = importlib.import_module(place)
    target = getattr(module, own, None)
    if not callable(target):
        callables = [each for each, value in vars(module).items() if callable(value) and not each.startswith("_")]
        raise BenchError(f"model {name!r}: {place} has no {own} that can be called{nearest(own, callables)}")
    build = parameters.with_settings(
        lambda input_shape, num_outputs, **settings: _build(target, input_shape, num_outputs, settings),
        parameters.stated(target, without=GIVEN),
        doc=(inspect.getdoc(target) or "").partition("\n")[0],
    )
    return Entry(name, build, source_of(target))


def _is_there(place: str) -> bool:
    try:
        return importlib.util.find_spec(place) is not None
    except ModuleNotFoundError:  # a package above it
        return False


def _build(target: Callable[..., Any], input_shape: tuple[int, ...], num_outputs: int, settings: dict[str, Any]) -> Any:
    """Whatever `target` gives, with the arguments that it has."""
    takes = inspect.signature(target).parameters
    known = {"input_shape": input_shape, **dict.fromkeys(OUTPUTS, num_outputs)}
    arguments = {name: value for name, value in known.items() if name in takes}
    # None stands for a default that is no JSON value: left to the class itself.
    own = {
        name: parameters.as_tuple(value)
        for name, value in settings.items()
        if value is not None or takes[name].default is None
    }
    return target(**arguments, **own)
