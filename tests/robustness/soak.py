"""A soak test: the smoke suite again and again, and each time something kills, cuts or fills what it stands on.

    python tests/robustness/soak.py 200 --seed 1

A round starts `bench run` in a folder of its own and, at a random moment, does one of these to it:

kill  a signal (SIGKILL mostly, SIGTERM, SIGINT) to a random process of it: parent, template, trial, or what asks
cut   a random file under its results is cut at a random byte, under its feet
fill  the disk is full: a small tmpfs where we may mount one, else a limit of file size put on its processes

Then the same command runs again, with --retry for what the attack made of trials. After each round: every trial is
there exactly once as `ok`, the report renders, stderr held no traceback, and no process of the round is left.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "suites" / "smoke.toml"
TRIALS = 6
ATTACKS = ("kill", "cut", "fill")
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
ROUND_SECONDS = 300  # a run that takes longer hangs
GONE_SECONDS = 3.0  # within which nothing of a killed run is left, where it gets the processor that it needs to end
LEFT_SECONDS = 30.0  # what is still there then does not end
TMPFS_BYTES = 16 << 20
RENDERED_AGAIN = 7  # each so-many-th round renders its report a second time, from nothing; prime to the attacks
RETRY = ("--retry", "failed,timeout,oom,crashed")


class Broken(AssertionError):
    """Something that must hold does not."""


@dataclass
class Tally:
    """What was done, and what became of the run that it was done to."""

    attacks: Counter[str] = field(default_factory=Counter)
    exit_codes: Counter[int] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    recoveries: int = 0
    late_seconds: list[float] = field(default_factory=list)  # of what took longer than GONE_SECONDS to be gone
    broken: list[str] = field(default_factory=list)


@dataclass
class Round:
    """One folder, one attack."""

    folder: Path
    random: random.Random
    tally: Tally
    mark: str = field(default_factory=lambda: f"soak-{secrets.token_hex(8)}")

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of bench whose processes can be told by their environment."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SOAK_MARK": self.mark, "NO_COLOR": "1"}
        environment.setdefault("BENCH_LOCK", str(Path(tempfile.gettempdir()) / f"soak-lock-{os.getpid()}"))
        return subprocess.Popen(
            [sys.executable, "-m", "bench", *arguments, "--results", str(self.results)],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> int:
        """Wait for its end; Broken where it hangs or shows a traceback."""
        try:
            _, said = process.communicate(timeout=ROUND_SECONDS)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise Broken(f"hangs: no end after {ROUND_SECONDS} s") from error
        if "Traceback" in said:
            raise Broken(f"a traceback on stderr:\n{said}")
        return process.returncode

    def attack(self, name: str, run_seconds: float) -> None:
        """Start a run, wait a random while, do it, wait for the end."""
        process = self.start("run", str(SUITE))
        time.sleep(self.random.uniform(0.0, run_seconds))
        done = {"kill": self.kill, "cut": self.cut, "fill": self.fill}[name](process)
        self.tally.attacks[f"{name} {done}"] += 1
        self.tally.exit_codes[self.finish(process)] += 1
        self.nothing_left()
        (self.results / ".filler").unlink(missing_ok=True)

    def kill(self, process: subprocess.Popen[str]) -> str:
        family = []
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(process.pid)
            family = [parent, *parent.children(recursive=True)]
        if not family:
            return "too late"
        victim, number = self.random.choice(family), self.random.choice(SIGNALS)
        with suppress(psutil.NoSuchProcess):
            if victim.pid == process.pid:
                role = "parent"
            else:
                role = "template or trial" if "bench.worker" in " ".join(victim.cmdline()) else "other"
            victim.send_signal(number)
            return f"{number.name} {role}"
        return "too late"

    def cut(self, _: object) -> str:
        """Cut one file; those that matter most are taken as often as all the others."""
        files = [path for path in self.results.rglob("*") if path.is_file()]
        lines = [path for path in files if path.suffix in (".jsonl", ".json")]
        if not files:
            return "too early"
        path = self.random.choice(lines if lines and self.random.random() < 0.6 else files)
        with suppress(FileNotFoundError):
            os.truncate(path, self.random.randint(0, path.stat().st_size))
        return path.suffix or path.name

    def fill(self, process: subprocess.Popen[str]) -> str:
        if self.results.is_mount():
            filler = self.results / ".filler"
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                for size in (1 << 16, 1 << 10, 1):
                    with suppress(OSError):
                        while file.write(b"x" * size):
                            pass
            return "tmpfs"
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            parent = psutil.Process(process.pid)
            limit = self.random.choice((0, 4096, 65536))
            for member in [parent, *parent.children(recursive=True)]:
                resource.prlimit(member.pid, resource.RLIMIT_FSIZE, (limit, limit))
        return "limit of file size"

    def nothing_left(self) -> None:
        """Broken where a process of this round lives on."""
        began = time.monotonic()
        while left := list(self._marked()):
            if time.monotonic() - began > LEFT_SECONDS:
                raise Broken(f"left behind: {left}")
            time.sleep(0.05)
        if (seconds := time.monotonic() - began) > GONE_SECONDS:
            self.tally.late_seconds.append(round(seconds, 1))

    def _marked(self) -> Iterator[str]:
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get("SOAK_MARK") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    yield f"{process.pid} {' '.join(process.cmdline())[:80]}"

    def recover(self) -> None:
        """The same command goes on; a second time only where the first says that a trial did not end well."""
        for _ in range(2):
            self.tally.recoveries += 1
            code = self.finish(self.start("run", str(SUITE), *RETRY))
            if code == 0:
                break
        if code != 0:
            raise Broken(f"the run after the attack exits {code}")
        self.nothing_left()

    def check(self, *, again: bool) -> None:
        """Every trial exactly once, as `ok`; the report says so, and renders `again` from nothing."""
        folder = self.results / "smoke"
        found: Counter[str] = Counter()
        for path in sorted((folder / "trials").glob("*.jsonl")):
            for line in path.read_bytes().split(b"\n"):
                with suppress(ValueError):
                    result = json.loads(line)
                    self.tally.statuses[result["status"]] += 1
                    found[result["trial_id"]] += result["status"] == "ok"
        if sorted(found.values()) != [1] * TRIALS:
            raise Broken(f"results that are ok, by trial: {dict(found)}")
        with (folder / "report/tables/trials.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if sorted(row["trial_id"] for row in rows if row["status"] == "ok") != sorted(found):
            raise Broken("trials.csv shows other trials than the results")
        if not again:
            return
        shutil.rmtree(folder / "report")
        if self.finish(self.start("report", str(SUITE))) != 0 or not (folder / "report/report.md").is_file():
            raise Broken("the report does not render")


@contextmanager
def small_disk(folder: Path) -> Iterator[str]:
    """Mount a small tmpfs on `folder`; where we may not, say so."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield "a tmpfs of 16 MiB" if mounted else "a limit of file size (no right to mount)"
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def soak(rounds: int, *, seed: int, folder: Path) -> Tally:
    """Run that many rounds; what does not end as it must is told in `broken` of the tally, and its folder is kept."""
    rng, tally = random.Random(seed), Tally()
    run_seconds = _one_run_seconds(Round(folder / "calibration", rng, tally))
    for number in range(rounds):
        name = ATTACKS[number % len(ATTACKS)]
        one = Round(folder / f"round-{number}", rng, tally)
        try:
            with small_disk(one.results) if name == "fill" else _plain(one.results):
                one.attack(name, run_seconds)
                one.recover()
                one.check(again=number % RENDERED_AGAIN == 0)
            shutil.rmtree(one.folder)
        except Broken as broken:
            tally.broken.append(f"round {number} ({name}): {broken}")
        sys.stderr.write(f"\rround {number + 1}/{rounds}, {len(tally.broken)} broken ")
    return tally


@contextmanager
def _plain(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True)
    yield


def _one_run_seconds(one: Round) -> float:
    """How long a run takes that nothing happens to: attacks fall at any moment of it."""
    one.folder.mkdir(parents=True)
    began = time.monotonic()
    if one.finish(one.start("run", str(SUITE))) != 0:
        raise Broken("the smoke suite does not run here")
    return time.monotonic() - began


def main() -> None:
    """Parse, soak, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    tally = soak(options.rounds, seed=options.seed, folder=folder)
    print(f"\n{options.rounds} rounds, seed {options.seed}, {time.monotonic() - began:.0f} s")
    print(f"attacks: {dict(sorted(tally.attacks.items()))}")
    print(f"exit codes of the attacked runs: {dict(sorted(tally.exit_codes.items()))}")
    print(f"results on file: {dict(tally.statuses)}; runs to recover: {tally.recoveries}")
    if tally.late_seconds:
        print(f"processes that took longer than {GONE_SECONDS:g} s to be gone, in s: {tally.late_seconds}")
    if tally.broken:
        sys.exit("\n".join([f"{len(tally.broken)} rounds broken, what they left lies in {folder}", *tally.broken]))
    print("every trial exactly once in every round, every report rendered, no process left")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
