"""Asks a worker process one thing: what there is, or to do something that needs torch, which the parent never imports.

The request is a JSON object on the worker's standard input. On standard output comes a JSON object a line: progress,
and last the answer, or {"error": text}. The worker's side is bench.worker.common.answer.
"""

import os
import platform
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.base.kernel import has_to_go_on, killed_by, oom_kills
from bench.base.records import Json, canonical_json
from bench.errors import BenchError
from bench.execute.json_lines import Lines
from bench.suite.catalogue import Catalogue

# Plugins take at most 30 s together; importing torch from a cold disk takes a while too.
CATALOGUE_SECONDS = 150.0
NOT_LISTED = "models and devices cannot be listed"
LOOK_SECONDS = 0.5  # between two looks at what the kernel does not tell; a trial speaks as often
MOST_PRINTED_BYTES, LAST_BYTES = 16 << 20, 64 << 10  # of what it prints: most that is kept; where its last line is
GRACE_SECONDS = 2.0  # for a process that was asked to end, before it is killed

# Importing numpy alone starts OpenBLAS's threads, and a process with threads cannot be forked safely. The hash of a
# text would differ from run to run, and with it the order of a set and what a model makes of either. What a model
# prints goes to a log, which takes every character, whatever the terminal does.
WORKER_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONIOENCODING": "utf-8:backslashreplace",
}

# Beside other programs a thread that looks busily whether another one is done keeps the core that the other one needs.
# libgomp looks 300,000 times before it sleeps (7 ms on an AMD EPYC), libomp and libiomp 200 ms long, into another
# trial's turn. Fewer looks than the gaps between two parallel parts of a step take cost a trial that is alone:
# `python -m tests.benchmarks spinning` measures both. On an Intel Xeon 30,000 is the least that cost under 2 % alone.
# How long a look takes is the processor's: nothing is set where it is no x86.
WAITING_THREADS = {"KMP_BLOCKTIME": "1"} | (  # ms, the least but none; not measured: no machine of ours has these two
    {"GOMP_SPINCOUNT": "30000"} if platform.machine() in ("x86_64", "AMD64") else {}
)
# A user's own word on it stands: where one of these is set, the worker's environment says nothing of it.
OWN_WORD = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY")

# The worker's bench is the one that asks, wherever it lies, and what lies in the current folder comes last on its path
# (-P leaves it out): a user's own random.py or bench/ takes no module's place, and plugins there are found.
PACKAGE = Path(__file__).resolve().parents[1]
START = """
import os, runpy, sys
from importlib.util import module_from_spec, spec_from_file_location
package, *sys.argv = sys.argv[1:]
found = spec_from_file_location("bench", f"{package}/__init__.py", submodule_search_locations=[package])
sys.modules["bench"] = module_from_spec(found)
found.loader.exec_module(sys.modules["bench"])
sys.path += [folder for folder in (os.path.dirname(package), "") if folder not in sys.path]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What a worker runs in: a Python, and the folder of the bench that it imports. `side`: of a duel, A or B; each has
    a template of its own, also where all else is the same."""

    python: str = sys.executable
    package: Path = PACKAGE
    side: str = ""


OWN = Interpreter()


class Question:
    """One thing that a worker process is asked. It works from now on; the parent may do something else meanwhile.

    `failed` begins the message where the worker ends without an answer: "models cannot be listed".
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        failed: str,
        request: Mapping[str, Json] | None = None,
        limit_seconds: float | None = None,
        interpreter: Interpreter = OWN,
    ) -> None:
        self._failed, self._limit_seconds, self._oom_kills = failed, limit_seconds, oom_kills()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed in `answer`
        with tempfile.TemporaryFile() as asked:
            asked.write(canonical_json(request or {}).encode())
            asked.seek(0)
            streams: dict[str, Any] = {"stdin": asked, "stdout": subprocess.PIPE, "stderr": self._errors}
            self._process = start_worker(module, *arguments, interpreter=interpreter, **streams)

    def answer(self, told: Callable[[dict[str, Json]], object] = lambda line: None) -> dict[str, Json]:
        """Wait for the last line; `told` gets each line as it comes. Raises BenchError with what went wrong."""
        last: dict[str, Json] | None = None
        stop = None if self._limit_seconds is None else time.monotonic() + self._limit_seconds
        with self._errors, self._process:
            try:
                for last in self._messages(stop):
                    told(last)
                code = self._process.wait(None if stop is None else max(0.0, stop - time.monotonic()))
            except BaseException as error:
                self._process.terminate()  # it ends what it has started
                wait_or_kill(self._process)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise BenchError(f"{self._failed}: no answer after {self._limit_seconds:.0f} s") from error
                raise
            if last is not None and "error" in last:
                raise BenchError(str(last["error"]))
            if code or last is None:
                raise BenchError(f"{self._failed}: {why_none(code, self._errors, oom_kills_before=self._oom_kills)}")
        return last

    def _messages(self, stop: float | None) -> Iterator[dict[str, Json]]:
        """What it says, until it ends. Raises TimeoutExpired at the time `stop`, BenchError where it is no JSON."""
        assert self._process.stdout is not None
        pipe, lines = self._process.stdout.fileno(), Lines()
        while not lines.ended:
            seconds = LOOK_SECONDS if stop is None else min(LOOK_SECONDS, stop - time.monotonic())
            if seconds < 0:
                raise subprocess.TimeoutExpired(self._process.args, self._limit_seconds or 0)
            if select.select([pipe], [], [], seconds)[0]:
                yield from lines.read(pipe)
            has_to_go_on(self._process.pid)
            if lines.wrong:
                raise BenchError(f"{self._failed}: its process wrote something that is no answer: {lines.wrong}")
            if not lines.ended and os.fstat(self._errors.fileno()).st_blocks * 512 > MOST_PRINTED_BYTES:
                self._errors.truncate(0)  # it writes on at the same place, behind a hole


def worker_environment() -> dict[str, str]:
    """The environment of the worker's processes: the user's own, what they need, and how their threads wait."""
    waits = {} if any(os.environ.get(name) for name in OWN_WORD) else WAITING_THREADS
    return {**os.environ, **waits, **WORKER_ENVIRONMENT}


def start_worker(
    module: str, *arguments: str, mark: str = "", interpreter: Interpreter = OWN, **streams: Any
) -> subprocess.Popen[bytes]:
    """Starts a process of the worker, in a session of its own; `mark` is in the environment of all that comes of it."""
    return subprocess.Popen(
        [interpreter.python, "-P", "-c", START, str(interpreter.package), module, *arguments],
        env=worker_environment() | {"BENCH_MARK": mark},
        start_new_session=True,
        **streams,
    )


def wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    """Waits for a process that was asked to end; kills it where it does not."""
    try:
        process.wait(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def catalogue_question(plugins: Sequence[str] = (), *, interpreter: Interpreter = OWN) -> Question:
    """Asks what there is: models, data sets, devices, settings, environment; `Catalogue.from_json` reads the answer."""
    return Question(
        "bench.worker.catalogue",
        *plugins,
        failed=NOT_LISTED,
        limit_seconds=CATALOGUE_SECONDS,
        interpreter=interpreter,
    )


def ask_catalogue(plugins: Sequence[str] = ()) -> Catalogue:
    """What there is. `plugins`: absolute paths or modules. Raises BenchError where the worker cannot say."""
    try:
        return Catalogue.from_json(catalogue_question(plugins).answer())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BenchError(
            f"{NOT_LISTED}: what a plugin registers cannot be read ({type(error).__name__}: {error})"
        ) from error


def ask_names() -> list[str]:
    """The names of the models of libraries: `torchvision:resnet18`. Raises BenchError where the worker cannot say."""
    found = Question("bench.worker.named", failed=NOT_LISTED, limit_seconds=CATALOGUE_SECONDS).answer()["names"]
    return [str(name) for name in found]


def absolute_plugins(specs: Sequence[str] | None) -> list[str]:
    """Plugins of the command line as a worker is told them: a file by its absolute path."""
    return [str(Path(spec).resolve()) if spec.endswith(".py") else spec for spec in specs or ()]


def why_none(code: int, errors: IO[bytes], *, oom_kills_before: int) -> str:
    """Why a process that ended with `code` gave no answer: what killed it, and the last line that it wrote, where
    Python says what went wrong."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - LAST_BYTES))
    lines = errors.read().decode(errors="replace").strip("\0 \n").splitlines()[-1:]
    killed = [f"its process was {killed_by(-code, oom_kills_before=oom_kills_before)}"] if code < 0 else []
    return ": ".join([*killed, *lines]) or "it said nothing"
