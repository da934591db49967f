"""What plugins register, and models by a name with a colon.

Each is imported in a process of its own: it may raise, hang, crash, or leave processes.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from bench.base.kernel import adopt_orphans, die_with_parent, end_children, killed_by, oom_kills
from bench.base.records import Json, canonical_json
from bench.errors import BenchError
from bench.worker.catalogue.entries import KINDS, named_component, names, registered
from bench.worker.catalogue.kept import keep, kept, plugin_key, sha256
from bench.worker.common import discover
from bench.worker.common.discover import failed_to_import
from bench.worker.named import find_model

# For the catalogue as a whole, from its start: `bench list` answers within 30 s. Where importing torch took most of
# that, plugins still get their share.
ANSWER_SECONDS, FEWEST_SECONDS = 22.0, 12.0
MOST_SAID_BYTES = 16 << 20


def describe_plugins(specs: Sequence[str], *, began: float) -> dict[str, dict[str, Json]]:
    """Returns for each plugin its entries of each kind, and `error`, one line or empty.

    `began`: time.monotonic() at the start. All are imported at the same time: however many hang, it takes no longer.
    """
    found = {spec: kept("plugin", plugin_key(spec)) for spec in specs}
    missing = [spec for spec, known in found.items() if not known]
    if missing:
        discover.load_builtin()
        adopt_orphans()
        now = time.monotonic()
        seconds = max(FEWEST_SECONDS, began + ANSWER_SECONDS - now)
        for spec, (pid, pipe) in [(spec, _start_import(spec)) for spec in missing]:
            text, why = _answer(pid, pipe, deadline=now + seconds, seconds=seconds)
            error = f"{Path(spec).name}: failed to import: it {why}"
            found[spec] = _part(text) or _nothing(spec, error=error)
            if not found[spec].get("unknown"):
                keep("plugin", plugin_key(spec), found[spec])
        end_children(lambda child: True)
    return found


_groups: set[int] = set()  # process groups of the imports under way


def _start_import(spec: str) -> tuple[int, int]:
    """Starts a process that imports a plugin. Returns its id and the pipe on which it says what was registered."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _describe_and_exit(spec, writing)
    os.close(writing)
    _groups.add(pid)
    return pid, reading


def _answer(pid: int, pipe: int, *, deadline: float, seconds: float) -> tuple[bytes, str]:
    """Waits until an import has ended, or until `deadline`; then ends it and all that it started.

    Returns what it said; or nothing, and why. Its end counts, not the pipe's: what it has started may hold that open.
    """
    text, why, ended, status, before = b"", "", 0, 0, oom_kills()
    os.set_blocking(pipe, False)
    while not ended:
        ended, status = os.waitpid(pid, os.WNOHANG)
        with suppress(BlockingIOError):
            text += os.read(pipe, MOST_SAID_BYTES)
        if not ended and not why:
            if time.monotonic() > deadline:
                why = f"took longer than {seconds:.0f} s"
            elif len(text) > MOST_SAID_BYTES:
                why = f"said more than {MOST_SAID_BYTES:,} bytes"
            if why:
                _kill_group(pid)
            time.sleep(0.01)
    os.close(pipe)
    _kill_group(pid)  # what the import has left running
    _groups.discard(pid)
    code = os.waitstatus_to_exitcode(status)
    if why or not text:
        how = killed_by(-code, oom_kills_before=before).removeprefix("killed by ") if code < 0 else f"exit code {code}"
        return b"", why or f"ended its process ({how})"
    return text, "wrote something that is no answer"


def _part(text: bytes) -> dict[str, Json] | None:
    """What an import said, where that is what `_describe` gives."""
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        if isinstance(found, dict) and all(isinstance(found.get(kind), dict) for kind in KINDS):
            return found if all(isinstance(found.get(name), str) for name in ("error", "sha256")) else None
    return None


def end(*_: object) -> NoReturn:
    """Handles SIGTERM, which also comes when the parent dies: ends every import."""
    for group in _groups:
        _kill_group(group)
    end_children(lambda child: True)
    os._exit(1)


def _kill_group(leader: int) -> None:
    for kill in (os.killpg, os.kill):  # it may not have made its group yet
        with suppress(ProcessLookupError, PermissionError):
            kill(leader, signal.SIGKILL)


def _nothing(spec: str, *, error: str) -> dict[str, Json]:
    empty: dict[str, Json] = {kind: {} for kind in KINDS}
    return empty | {"error": error, "sha256": sha256(Path(spec)) if Path(spec).is_file() else ""}


def _describe_and_exit(spec: str, writing: int) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    os.setpgid(0, 0)
    own, nowhere = os.getpid(), os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):  # what the plugin prints is nobody's answer
        os.dup2(nowhere, descriptor)
    try:
        view = memoryview(canonical_json(_describe(spec)).encode())
        while view and os.getpid() == own:  # a plugin that forks goes on here twice
            view = view[os.write(writing, view) :]
    except OSError:  # it has closed the pipe
        os._exit(1)
    finally:
        os._exit(0)


def _describe(spec: str) -> dict[str, Json]:
    before, nothing = names(), _nothing(spec, error="")
    if is_name(spec):
        return nothing | _named(spec)
    try:
        discover.load_plugin(spec)
        found = registered(without=before, plugin=spec)
    except BenchError as error:
        return nothing | {"error": str(error)}
    except BaseException as error:  # KeyboardInterrupt and the like: here nobody else raises them
        return nothing | {"error": str(failed_to_import(Path(spec).name, error))}
    return nothing | found | {"files": _local_files(spec)}


def is_name(spec: str) -> bool:
    """Whether what was asked for is a model by a name with a colon, and no plugin."""
    return ":" in spec and not spec.endswith(".py")


def _named(name: str) -> dict[str, Json]:
    """The same of one model by its name; `unknown` says why there is none."""
    try:
        entry = find_model(name)
        found = named_component(entry)
    except BenchError as error:
        return {"unknown": str(error)}
    except BaseException as error:  # of the module that it names
        return {"error": str(failed_to_import(name, error))}
    files = {} if entry.source is None else _files_beside(entry.source.parent)
    return {"models": {name: found | {"plugin": ""}}, "files": files, "sha256": found["source_sha256"]}


def _local_files(spec: str) -> dict[str, str]:
    """The plugin's own file and what it imported beside it: nothing of Python's, ours or an installed package's."""
    if not spec.endswith(".py"):
        return {}
    path = Path(spec).resolve()
    return {str(path): sha256(path)} | _files_beside(path.parent)


def _files_beside(folder: Path) -> dict[str, str]:
    """What was imported from this folder."""
    origins = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    files = {Path(origin).resolve() for origin in origins if origin and "site-packages" not in origin}
    return {str(path): sha256(path) for path in files if path.is_relative_to(folder) and path.is_file()}
