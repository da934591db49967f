"""What plugins register. Each is imported in a process of its own: it may raise, hang, crash, or leave processes."""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from bench.base.kernel import die_with_parent
from bench.base.records import Json, canonical_json
from bench.errors import BenchError
from bench.worker.catalogue.entries import KINDS, names, registered
from bench.worker.catalogue.kept import keep, kept, plugin_key, sha256
from bench.worker.common import discover

# For the catalogue as a whole, from its start: `bench list` answers within 30 s. Where importing torch took most of
# that, plugins still get their share.
ANSWER_SECONDS, FEWEST_SECONDS = 22.0, 12.0


def describe_plugins(specs: Sequence[str], *, began: float) -> dict[str, dict[str, Json]]:
    """Returns for each plugin its entries of each kind, and `error`, one line or empty.

    `began`: time.monotonic() at the start. All are imported at the same time: however many hang, it takes no longer.
    """
    found = {spec: kept("plugin", plugin_key(spec)) for spec in specs}
    missing = [spec for spec, known in found.items() if not known]
    if missing:
        discover.load_builtin()
        now = time.monotonic()
        seconds = max(FEWEST_SECONDS, began + ANSWER_SECONDS - now)
        for spec, (pid, pipe) in [(spec, _start_import(spec)) for spec in missing]:
            text, why = _answer(pid, pipe, deadline=now + seconds, seconds=seconds)
            error = f"{Path(spec).name}: failed to import: it {why}"
            found[spec] = json.loads(text) if text else _nothing(spec, error=error)
            keep("plugin", plugin_key(spec), found[spec])
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
    """Waits for an import until `deadline`, then ends it and all that it started.

    Returns what it said; or nothing, and why.
    """
    text, timed_out = _read_until(pipe, deadline=deadline)
    os.close(pipe)
    if timed_out:
        _kill_group(pid)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    _kill_group(pid)  # what the import has left running
    _groups.discard(pid)
    if timed_out:
        return b"", f"took longer than {seconds:.0f} s"
    return text, f"ended its process ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"


def end(*_: object) -> NoReturn:
    """Handles SIGTERM, which also comes when the parent dies: ends every import."""
    for group in _groups:
        _kill_group(group)
    os._exit(1)


def _kill_group(leader: int) -> None:
    for kill in (os.killpg, os.kill):  # it may not have made its group yet
        with suppress(ProcessLookupError, PermissionError):
            kill(leader, signal.SIGKILL)


def _nothing(spec: str, *, error: str) -> dict[str, Json]:
    empty: dict[str, Json] = {kind: {} for kind in KINDS}
    return empty | {"error": error, "sha256": sha256(Path(spec)) if Path(spec).is_file() else ""}


def _read_until(descriptor: int, *, deadline: float) -> tuple[bytes, bool]:
    text = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left)[0]:
            continue
        part = os.read(descriptor, 65536)
        if not part:
            return text, False
        text += part
    return b"", True


def _describe_and_exit(spec: str, writing: int) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    os.setpgid(0, 0)
    os.dup2(2, 1)  # what the plugin prints must not get between the catalogue's lines
    try:
        view = memoryview(canonical_json(_describe(spec)).encode())
        while view:
            view = view[os.write(writing, view) :]
    finally:
        os._exit(0)


def _describe(spec: str) -> dict[str, Json]:
    before, nothing = names(), _nothing(spec, error="")
    try:
        discover.load_plugin(spec)
        found = registered(without=before, plugin=spec)
    except BenchError as error:
        return nothing | {"error": str(error)}
    return nothing | found | {"files": _local_files(spec)}


def _local_files(spec: str) -> dict[str, str]:
    """The plugin's own file and what it imported beside it: nothing of Python's, ours or an installed package's."""
    folder = Path(spec).resolve().parent if spec.endswith(".py") else None
    files = {Path(spec).resolve()} if folder else set()
    for module in list(sys.modules.values()):
        origin = getattr(module, "__file__", None)
        if folder and origin and Path(origin).resolve().is_relative_to(folder) and "site-packages" not in origin:
            files.add(Path(origin).resolve())
    return {str(path): sha256(path) for path in files if path.is_file()}
