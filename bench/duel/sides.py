"""The two sides of a duel: A, this bench, and B, another one. Each has its interpreter, its catalogue and its plan."""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.base.privacy import published, reason
from bench.base.records import Environment, Json
from bench.base.version import PROTOCOL
from bench.errors import BenchError
from bench.execute.ask_worker import (
    PACKAGE,
    Interpreter,
    ask_catalogue,
    catalogue_question,
    worker_environment,
)
from bench.execute.prepare import Options, Prepared, prepare
from bench.results.duels import SIDES
from bench.results.store import Store
from bench.suite.catalogue import Catalogue, DeviceInfo
from bench.suite.plan import Suite
from bench.suite.read import SuiteFile

OLDEST_PYTHON = (3, 11)
PROBE_SECONDS = 60.0
# Which bench an interpreter imports, wherever it is asked: what lies in the current folder is A's.
PROBE = """
import importlib.util, json, sys
sys.path[:] = [folder for folder in sys.path if folder]
found = importlib.util.find_spec("bench")
print(json.dumps({"version": sys.version_info[:2], "bench": found and found.origin}))
"""


@dataclass(frozen=True, slots=True)
class Opponent:
    """What B is to be: another interpreter, another commit of the suite's repository, or both."""

    python: str | None = None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One side. `interpreter.side` is its letter."""

    interpreter: Interpreter
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class _Checkout:
    """A commit of the repository in `root`, as a worktree in `folder`."""

    root: Path
    folder: Path
    name: str  # as people know it


def both_sides(
    options: Options, file: SuiteFile, opponent: Opponent, *, folder: Path, stack: ExitStack
) -> tuple[Side, Side]:
    """Makes both ready; results go to `folder`, and `stack` ends what is there for a while. Raises BenchError, before
    anything trains, where B cannot take part."""
    if opponent.python is None and opponent.ref is None:
        raise BenchError(
            "bench duel: against what? give --against PYTHON, or --against-ref REF of the suite's repository"
        )
    b = Interpreter(side=SIDES[1])
    if opponent.python is not None:
        b = replace(b, python=opponent.python, package=_package_of(opponent.python))
    plugins, names = file.plugins, ["this Python", published(opponent.python or "")]
    if opponent.ref is not None:
        tree = _checked_out(opponent.ref, file.path, stack)
        plugins = tuple(_moved(each, tree) for each in plugins)
        if (tree.folder / "bench" / "worker").is_dir() or PACKAGE.is_relative_to(tree.root):
            b = replace(b, package=tree.folder / "bench")
        names = ["the working tree", f"{tree.name}{f', {names[1]}' if names[1] else ''}"]
    theirs = _catalogue(b, (*plugins, *file.named_models), said=_said(opponent))
    prepared = prepare(options, file, catalogue=ask_catalogue(file.asked))
    return (
        _side(Interpreter(side=SIDES[0]), prepared, prepared.catalogue, folder=folder, name=names[0]),
        _side(b, prepared, theirs, folder=folder, name=names[1]),
    )


def _said(opponent: Opponent) -> str:
    """How the command line says it."""
    python = f"--against {opponent.python}" if opponent.python is not None else ""
    return " ".join(filter(None, (python, f"--against-ref {opponent.ref}" if opponent.ref is not None else "")))


def _side(interpreter: Interpreter, prepared: Prepared, catalogue: Catalogue, *, folder: Path, name: str) -> Side:
    """The plan is A's on both sides, so that its trials have the same ids, and read the same files."""
    unknown = prepared.suite.unknown if interpreter.side == SIDES[0] else _unknown(prepared.suite, catalogue)
    missing = {
        device: DeviceInfo(False, f"side B has no device {device}")
        for device in prepared.catalogue.devices.keys() - catalogue.devices.keys()
    }
    environment = catalogue.environment
    noted = Environment(environment.facts, {**environment.notes, "duel": name})
    return Side(
        interpreter,
        replace(
            prepared,
            suite=replace(prepared.suite, unknown=unknown),
            catalogue=replace(catalogue, devices={**catalogue.devices, **missing}, environment=noted),
            store=Store(folder / interpreter.side),
        ),
    )


def _unknown(suite: Suite, catalogue: Catalogue) -> Mapping[str, str]:
    """What the suite names and B lacks, with why: as `Suite.unknown`."""
    failed = "".join(f"; {reason(plugin.error)}" for plugin in catalogue.plugins.values() if plugin.error)
    found = {}
    for axis, word, there in (("model", "model", catalogue.models), ("dataset", "data set", catalogue.datasets)):
        for name in {component.name for component in suite.axis(axis).values} - there.keys():
            found[f"{axis}:{name}"] = f"side B has no {word} {name}{failed}"
    return found


def _package_of(python: str) -> Path:
    """The folder of the bench that an interpreter imports. Raises BenchError where it imports none, or is none."""
    try:
        done = subprocess.run(
            [python, "-c", PROBE],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            env=worker_environment(),
            stdin=subprocess.DEVNULL,
        )
        told = json.loads(done.stdout.splitlines()[-1])
        version, origin = tuple(told["version"]), told["bench"]
    except OSError as error:
        raise BenchError(f"--against {python}: {error.strerror}; give a Python, as in .venv/bin/python") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"--against {python}: it does not answer within {PROBE_SECONDS:g} s") from error
    except (LookupError, TypeError, ValueError) as error:
        raise BenchError(f"--against {python}: it is no Python; give one, as in .venv/bin/python") from error
    if version < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        raise BenchError(
            f"--against {python}: it is Python {'.'.join(map(str, version))}; bench needs {needed} or newer"
        )
    if not origin or Path(origin).name != "__init__.py":
        raise BenchError(f"--against {python}: it has no bench; install one there: {python} -m pip install -e CHECKOUT")
    return Path(origin).resolve().parent


def _catalogue(interpreter: Interpreter, plugins: Sequence[str], *, said: str) -> Catalogue:
    """What the other side has. Raises BenchError where its bench does not speak as ours does."""
    try:
        if not (interpreter.package / "__init__.py").is_file():
            raise BenchError("there is no bench in it")
        answer: dict[str, Json] = catalogue_question(plugins, interpreter=interpreter).answer()
    except BenchError as error:
        lacks = "ModuleNotFoundError" in str(error)
        cure = f"; install what it needs there: {interpreter.python} -m pip install -e CHECKOUT" if lacks else ""
        raise BenchError(f"{said}: its bench takes no part in a duel: {error}{cure}") from error
    if answer.get("protocol") != PROTOCOL:
        what = "an older one" if answer.get("protocol", 0) < PROTOCOL else "a newer one"
        raise BenchError(
            f"{said}: its bench takes no part in a duel: it is {what} (protocol {answer.get('protocol', 0)}, "
            f"this one's {PROTOCOL}); bring both to one version"
        )
    try:
        return Catalogue.from_json(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BenchError(
            f"{said}: its bench says what this one cannot read ({type(error).__name__}: {error})"
        ) from error


def _checked_out(ref: str, suite: Path, stack: ExitStack) -> _Checkout:
    """A worktree of the commit `ref` of the repository that the suite lies in, until `stack` ends."""
    beside = suite.resolve().parent
    root = Path(
        _git(beside, "rev-parse", "--show-toplevel", said=f"--against-ref {ref}: {suite} lies in no repository")
    )
    commit = _git(
        root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}",
        said=f"--against-ref {ref}: the repository of {suite} has no such commit",
    )  # fmt: skip
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-duel-"))) / root.name
    _git(root, "worktree", "add", "--detach", str(place), commit, said=f"--against-ref {ref}: no worktree can be made")
    stack.callback(_forget, root, place)
    name = commit[:8] if commit.startswith(ref) else f"{ref} ({commit[:8]})"
    return _Checkout(root, place.resolve(), name)


def _forget(root: Path, place: Path) -> None:
    subprocess.run(["git", "-C", str(root), "worktree", "remove", "--force", str(place)], capture_output=True)  # noqa: S607


def _git(folder: Path, *arguments: str, said: str) -> str:
    """What git prints. Raises BenchError, beginning with `said`, with what git says."""
    words = ["git", "-C", str(folder), "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    except OSError as error:
        raise BenchError(f"{said}: git cannot be run ({error.strerror})") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise BenchError(": ".join([said, *last]))
    return done.stdout.strip()


def _moved(plugin: str, tree: _Checkout) -> str:
    """A plugin's file as it is in the worktree; another one stays."""
    path = Path(plugin)
    return (
        str(tree.folder / path.relative_to(tree.root))
        if path.is_absolute() and path.is_relative_to(tree.root)
        else plugin
    )
