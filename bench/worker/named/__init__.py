"""Models that nobody has to register: `torchvision:resnet18`, `timm:vit_tiny_patch16_224`, `package.module:Class`.

The part before the colon says who builds the model. Nothing is imported before a name is asked for.
"""

from collections.abc import Callable
from typing import Any

from bench.errors import BenchError
from bench.registry import Entry
from bench.worker.named import module_paths, timm_models, torchvision_models

LIBRARIES: dict[str, Any] = {"torchvision": torchvision_models, "timm": timm_models}
LONGEST = 64  # of a name in a result


def find_model(name: str) -> Entry[Callable[..., Any]]:
    """The entry of a model by a name with a colon. Raises BenchError where there is none; whatever a module raises."""
    library, _, own = name.partition(":")
    if len(name) > LONGEST:
        raise BenchError(f"model {name[:LONGEST]!r}…: a name has at most {LONGEST} characters")
    found: Entry[Callable[..., Any]]
    found = LIBRARIES[library].find(name, own) if library in LIBRARIES else module_paths.find(name)
    return found


def model_names() -> list[str]:
    """Every name of the libraries that are installed. Imports them."""
    return [f"{library}:{name}" for library, module in LIBRARIES.items() for name in module.names()]
