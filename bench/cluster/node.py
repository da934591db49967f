"""A group on a node of a cluster: the same isolated processes as on this machine, under the same lock of the machine.

Runs in a Ray worker, out of the bundle. The executor, and with it the template that trials are forked from, lives as
long as the Ray worker: both die with it.
"""

import json
import os
import queue
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

from bench.base.records import Json, digest
from bench.base.trees import data_sha256
from bench.execute.ask_worker import GRACE_SECONDS, catalogue_question
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import LocalExecutor, Wanted
from bench.execute.holder import Holder
from bench.execute.jobs import tidy
from bench.execute.lock import MeasureLock

WAKE_SECONDS = 0.5
BUNDLE = Path(__file__).resolve().parents[2]

# The kernel's word that a parent died speaks of the thread that started the child: this one lives as long as we do.
_hand = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bench")
_executors: dict[str, LocalExecutor] = {}


def run_group(order: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """What happens to the jobs of a group: `waiting`, `began` with what the node has, `progress` with the `place` of a
    job; last `ended` (how each ended, by place, with its files), with those that have to run again `alone`.

    `order`: of each of the `jobs` the `request` without places on a disk, `timeout_seconds` and `timing_seconds`;
    `plugins` as the driver knows them, and where data may lie. Raises BenchError where this node cannot run trials.
    """
    words: queue.SimpleQueue[dict[str, Json] | None] = queue.SimpleQueue()
    done = _hand.submit(_group, order, words)
    try:
        while (word := _next(words)) is not None:
            yield word
    except BaseException:  # the driver was stopped: what it began here ends before this process does
        for executor in _executors.values():
            executor.interrupt()
        wait([done], timeout=GRACE_SECONDS)
        raise
    done.result()


def _next(words: queue.SimpleQueue[dict[str, Json] | None]) -> dict[str, Json] | None:
    while True:  # Ray's word that the task is cancelled is heard between two calls only
        with suppress(queue.Empty):
            return words.get(timeout=WAKE_SECONDS)


def _group(order: dict[str, Json], words: queue.SimpleQueue[dict[str, Json] | None]) -> None:
    lock = MeasureLock(holder=Holder("trials of a run on Ray"))
    try:
        lock.acquire(lambda: words.put({"waiting": True}))
        words.put({"began": catalogue(order["plugins"], order["places"])})
        with _folder() as folder:
            endings: dict[int, Ending] = {}
            wanted: dict[int, Wanted] = {}
            for place, job in enumerate(order["jobs"]):
                request = _here(order, job["request"], folder / str(place))
                if why := _other_data(request):
                    endings[place] = Ending(None, "skipped", why)
                else:
                    wanted[place] = Wanted(
                        request,
                        job["timeout_seconds"],
                        on_progress=partial(_tell, words, place),
                        timing_seconds=job["timing_seconds"],
                    )
            alone = _run(wanted, endings)
            # Once no trial runs any more: sending files is work beside what is timed.
            ended = {place: {"ending": asdict(each), **_left(folder / str(place))} for place, each in endings.items()}
        words.put({"ended": ended, "alone": alone})
    finally:
        lock.release()
        words.put(None)


def _tell(words: queue.SimpleQueue[dict[str, Json] | None], place: int, what: dict[str, Json]) -> None:
    words.put({"progress": what, "place": place})


def _run(wanted: Mapping[int, Wanted], endings: dict[int, Ending]) -> list[int]:
    """Runs those jobs, by place, and adds how they ended. Returns the places of those that have to run again alone."""
    places = list(wanted)

    def told(number: int, ending: Ending) -> None:
        endings[places[number]] = ending

    alone = _executor().run_group(list(wanted.values()), told=told) if wanted else ()
    return sorted(places[number] for number in alone)


def in_bundle(plugins: Sequence[str], places: dict[str, str]) -> list[str]:
    """The plugins as this node knows them: files of the bundle by where they lie here."""
    return [str(BUNDLE / places[spec]) if spec in places else spec for spec in plugins]


def catalogue(plugins: Sequence[str], places: dict[str, str]) -> dict[str, Json]:
    """What this node has, without settings; plugins are called as the driver calls them. Raises BenchError.

    It is asked for once in a process for each set of GPUs that Ray shows it.
    """
    _forget_threads_of_ray()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    here = in_bundle(plugins, places)
    found: dict[str, Json] = json.loads(_catalogue(tuple(here), visible))
    names = dict(zip(here, plugins, strict=True))
    found["plugins"] = {names.get(spec, spec): told for spec, told in found["plugins"].items()}
    return found


@cache
def _catalogue(plugins: tuple[str, ...], visible: str) -> str:
    found = catalogue_question(plugins).answer()
    for kind in ("models", "datasets"):
        for told in found[kind].values():
            told.pop("settings", None)
    return json.dumps(found)


def _executor() -> LocalExecutor:
    """The executor of this process; another one where Ray gives the process other GPUs than before."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "unset")
    if visible not in _executors:
        for executor in _executors.values():
            executor.close()
        _executors.clear()
        _executors[visible] = LocalExecutor()
    return _executors[visible]


def _forget_threads_of_ray() -> None:
    """Ray sets OMP_NUM_THREADS in its workers. A trial's threads are its own matter, as in a run without Ray."""
    with suppress(OSError):
        at_start = Path("/proc/self/environ").read_bytes().split(b"\0")
        if not any(each.startswith(b"OMP_NUM_THREADS=") for each in at_start):
            os.environ.pop("OMP_NUM_THREADS", None)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for one group. Those that a killed worker left are removed: we hold the lock, so nobody uses them."""
    mine = f"bench-ray-{os.getuid()}-{digest(str(MeasureLock().path))[:6]}-"
    for left in Path(tempfile.gettempdir()).glob(f"{mine}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=mine, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _here(order: dict[str, Json], request: dict[str, Json], folder: Path) -> dict[str, Json]:
    """The request with the places of this node; what comes of it is to lie in `folder`, which is made."""
    folder.mkdir()
    for number, one in enumerate([request, *request["others"]]):
        one["artifact"] = str(folder / f"{number}.h5")
    return request | {
        "log": str(folder / "log"),
        "scratch": str(folder / "scratch"),
        "plugins": in_bundle(order["plugins"], order["places"]),
        "data_root": str(data_root(order["data_roots"])),
    }


def data_root(roots: dict[str, str | None]) -> Path:
    """--data-root; else $BENCH_DATA of this node; else the driver's where it is here too; else ~/.cache/bench."""
    if given := roots["given"]:
        return Path(given)
    if own := os.environ.get("BENCH_DATA"):
        return Path(own)
    drivers = Path(str(roots["drivers"]))
    return drivers if drivers.is_dir() else Path("~/.cache/bench").expanduser()


def _other_data(request: dict[str, Json]) -> str:
    """Why a data file that the suite names cannot be used here: its content is what the trial's id says, or nothing."""
    wanted = request["trial"]["dataset"].get("files", {})
    for setting, path in request["locations"].items():
        if not (Path(path).is_file() or Path(path).is_dir()):
            return f"{setting} = {Path(path).name}: no such file; put it where every node sees it under one path"
        if wanted.get(setting) not in (None, "absent", data_sha256(path)):
            return f"{setting} = {Path(path).name}: another file than the one that the run was planned with"
    return ""


def _left(folder: Path) -> dict[str, Json]:
    """What the job's process left: its HDF5 files by the number of the trial, and its log."""
    log = folder / "log"
    tidy(log)
    text = log.read_bytes() if log.exists() else b""
    return {"files": {int(path.stem): path.read_bytes() for path in folder.glob("*.h5")}, "log": text}
