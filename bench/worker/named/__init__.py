"""Models that nobody has to register: `torchvision:resnet18`, `timm:vit_tiny_patch16_224`, `package.module:Class`.

The part before the colon says who builds the model. Nothing is imported before a name is asked for.
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from bench.errors import BenchError
from bench.registry import Entry

LIBRARIES = ("torchvision", "timm")
LONGEST = 64  # of a name in a result


def find_model(name: str) -> Entry[Callable[..., Any]]:
    """The entry of a model by a name with a colon. Raises BenchError where there is none; whatever a module raises."""
    library, _, own = name.partition(":")
    if len(name) > LONGEST:
        raise BenchError(f"model {name[:LONGEST]!r}…: a name has at most {LONGEST} characters")
    if library in LIBRARIES:
        found: Entry[Callable[..., Any]] = _of(library).find(name, own)
        return found
    from bench.worker.named import module_paths

    return module_paths.find(name)


def model_names() -> list[str]:
    """Every name of the libraries that are installed. Imports them."""
    return [f"{library}:{name}" for library in LIBRARIES for name in _of(library).names()]


def library_of(name: str) -> ModuleType | None:
    """The module here that knows the models of `torchvision:NAME`; None of any other name."""
    library = name.partition(":")[0]
    return _of(library) if library in LIBRARIES else None


def _of(library: str) -> ModuleType:
    # Where one is asked for: these import torch, which what only reads data does without.
    return importlib.import_module(f"{__name__}.{library}_models")
