"""What plugins register. Each is imported in a process of its own: it may raise, hang, crash, or leave processes."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bench.base.records import Json, canonical_json
from bench.errors import BenchError
from bench.worker.catalogue.entries import KINDS, registered, told
from bench.worker.catalogue.kept import keep, kept, plugin_key, sha256
from bench.worker.process.process import die_with_parent

# For the catalogue as a whole, from its start: `bench list` answers within 30 s. Where importing torch took most of
# that, plugins still get their share.
ANSWER_SECONDS, FEWEST_SECONDS = 22.0, 12.0


def describe_plugins(specs: Sequence[str], *, began: float) -> dict[str, dict[str, Json]]:
    """spec → its entries of each kind, and its `error`: '' or one line. `began`: time.monotonic() at the start.

    All are imported at the same time: however many of them hang, the answer takes no longer.
    """
    found = {spec: kept("plugin", plugin_key(spec)) for spec in specs}
    missing = [spec for spec, known in found.items() if not known]
    if missing:
        from bench.worker.common import discover

        discover.load_builtin()
        now = time.monotonic()
        seconds = max(FEWEST_SECONDS, began + ANSWER_SECONDS - now)
        for spec, child in [(spec, _Child.importing(spec)) for spec in missing]:
            found[spec] = child.answer(now + seconds, seconds=seconds)
            keep("plugin", plugin_key(spec), found[spec])
    return found


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that imports one plugin and says what it has registered."""

    spec: str
    pid: int
    pipe: int

    @classmethod
    def importing(cls, spec: str) -> _Child:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _describe_and_exit(spec, writing)
        os.close(writing)
        _groups.add(pid)
        return cls(spec, pid, reading)

    def answer(self, deadline: float, *, seconds: float) -> dict[str, Json]:
        """Wait for what it says, until `deadline`; then it and all that it started are ended."""
        text, timed_out = _read_until(self.pipe, deadline=deadline)
        os.close(self.pipe)
        if timed_out:
            _kill_group(self.pid)
        _, status = os.waitpid(self.pid, 0)
        _kill_group(self.pid)  # what the import has left running
        _groups.discard(self.pid)
        if text and not timed_out:
            found: dict[str, Json] = json.loads(text)
            return found
        why = f"took longer than {seconds:.0f} s" if timed_out else f"ended its process ({_ended(status)})"
        digest = sha256(Path(self.spec)) if Path(self.spec).is_file() else ""
        return _nothing(error=f"{Path(self.spec).name}: failed to import: it {why}", digest=digest)


_groups: set[int] = set()  # of the children that are importing


def end(*_: object) -> NoReturn:
    """Handler of SIGTERM, which also comes when the parent dies: leave nothing behind."""
    for group in _groups:
        _kill_group(group)
    os._exit(1)


def _kill_group(leader: int) -> None:
    for kill in (os.killpg, os.kill):  # it may not have made its group yet
        with suppress(ProcessLookupError, PermissionError):
            kill(leader, signal.SIGKILL)


def _ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _nothing(*, error: str, digest: str) -> dict[str, Json]:
    empty: dict[str, Json] = {kind: {} for kind in KINDS}
    return empty | {"error": error, "sha256": digest}


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
    # Whatever the plugin prints must not get between the catalogue's lines.
    os.dup2(2, 1)
    try:
        found = canonical_json(_describe(spec)).encode()
        view = memoryview(found)
        while view:
            view = view[os.write(writing, view) :]
    finally:
        os._exit(0)


def _describe(spec: str) -> dict[str, Json]:
    from bench.worker.common import discover

    before = registered()
    digest = sha256(Path(spec)) if Path(spec).is_file() else ""
    try:
        discover.load_plugin(spec)
        found: dict[str, Json] = {
            kind: {
                name: told(kind, entry) | {"plugin": spec}
                for name, entry in entries.items()
                if name not in before[kind]
            }
            for kind, entries in registered().items()
        }
    except BenchError as error:
        return _nothing(error=str(error), digest=digest)
    return found | {"error": "", "sha256": digest, "files": _local_files(spec)}


def _local_files(spec: str) -> dict[str, str]:
    """The plugin's own file and what it imported beside it: nothing of Python's, ours or an installed package's."""
    folder = Path(spec).resolve().parent if spec.endswith(".py") else None
    files = {Path(spec).resolve()} if folder else set()
    for module in list(sys.modules.values()):
        origin = getattr(module, "__file__", None)
        if folder and origin and Path(origin).resolve().is_relative_to(folder) and "site-packages" not in origin:
            files.add(Path(origin).resolve())
    return {str(path): sha256(path) for path in files if path.is_file()}
