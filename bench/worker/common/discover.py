"""Finding what can be trained: the built-in data sets, devices and models, and the plugins of other people."""

import importlib
import importlib.util
import sys
import sysconfig
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from bench.base.kernel import hold_descriptors
from bench.base.records import digest
from bench.errors import BenchError, said_by
from bench.registry import MODELS
from bench.worker.named import find_model

BENCH_FOLDER = Path(__file__).resolve().parents[2]
MODELS_PACKAGE = "bench_models"

MODELS.find_named = find_model  # nothing of theirs is imported before a name is asked for

_failed: dict[str, BenchError] = {}  # a module that failed half-way has registered names: it is not run a second time


def load_builtin() -> None:
    """Import every data set, device and model of ours; a second call does nothing.

    Raises BenchError '<file>: failed to import: <Type>: <message>', the original as its cause.
    """
    for folder in ("datasets", "devices"):
        for file in _sources(BENCH_FOLDER / "worker" / folder):
            _import(f"bench.worker.{folder}.{file.stem}", label=f"bench/worker/{folder}/{file.name}")
    if MODELS_PACKAGE not in sys.modules:
        # A package made here, not found on sys.path: its modules import, and pickle, by name like any others.
        package = ModuleType(MODELS_PACKAGE, "The models of this bench.")
        package.__path__ = [str(models_folder())]
        sys.modules[MODELS_PACKAGE] = package
    for file in _sources(models_folder()):
        _import(f"{MODELS_PACKAGE}.{file.stem}", label=f"models/{file.name}")


def models_folder() -> Path:
    """Where the models lie: `bench/_models` of an installed bench, else `models` beside the package in a checkout.

    In this order: beside an installed bench, a folder called `models` would be somebody else's.
    """
    installed = BENCH_FOLDER / "_models"
    return installed if installed.is_dir() else BENCH_FOLDER.parent / "models"


def load_plugin(spec: str) -> None:
    """Import a plugin: the path of a .py file, or the name of a module. A second call does nothing.

    The file's own folder is put on sys.path, so that its local imports work: before what is installed, as Python does
    for a script, but behind Python's own modules, which a file beside the plugin may be called like.
    Raises BenchError '<plugin>: failed to import: <Type>: <message>', the original as its cause.
    """
    if not spec.endswith(".py"):
        _import(spec, label=spec)
        return
    path = Path(spec).expanduser().resolve()
    name = plugin_module(path)
    if name not in sys.modules:
        folder = str(path.parent)
        if folder not in sys.path:
            sys.path.insert(_behind_python(), folder)
        _import(name, label=path.name, path=path)


def _behind_python() -> int:
    """The place on sys.path behind the standard library."""
    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    own |= {f"{folder}/lib-dynload" for folder in own}
    return max((at + 1 for at, folder in enumerate(sys.path) if folder in own), default=0)


def plugin_module(path: Path) -> str:
    """The module name of a plugin file: two files of one name in two folders are two modules."""
    return f"bench_plugin_{digest(str(path))}_{path.stem}"


def installed_plugins() -> tuple[str, ...]:
    """The modules that installed packages offer under the entry point `bench.plugins`, for `load_plugin`."""
    return tuple(sorted({point.module for point in entry_points(group="bench.plugins")}))


def _sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def _import(name: str, *, label: str, path: Path | None = None) -> None:
    if name in _failed:
        raise _failed[name]
    try:
        if path is None:
            importlib.import_module(name)
        else:
            _import_file(name, path)
    except (Exception, SystemExit) as error:
        _failed[name] = failed_to_import(label, error)
        raise _failed[name] from error
    finally:
        hold_descriptors()  # it may have closed them


def failed_to_import(label: str, error: BaseException) -> BenchError:
    """What is said of a module that did not come to its end."""
    return BenchError(": ".join(filter(None, [label, "failed to import", type(error).__name__, said_by(error)])))


def _import_file(name: str, path: Path) -> None:
    """Raises FileNotFoundError where there is no such file, else whatever the file raises."""
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path.name}")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("no Python source file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
