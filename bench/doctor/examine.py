"""`bench doctor`: are the instruments right on this machine, and how small a difference can it see?

Everything is read from ordinary trials, run as `bench run` runs them: proofs with a known thing put in, a trial
compared with itself, and a matrix product for the machine's peak.
"""

import time
from dataclasses import dataclass

from bench.doctor import proofs
from bench.doctor.advice import Circumstances, advice
from bench.doctor.trials import Bench, TrialFailed
from bench.execute.ask_worker import ask_catalogue
from bench.execute.executors.local import LocalExecutor
from bench.execute.holder import Holder
from bench.execute.lock import measuring
from bench.execute.progress import Voice
from bench.execute.run import now
from bench.results.doctor import Doctor, Finding, SelfComparison, Verdict
from bench.statistics.power import PER_SIDE, noise
from bench.suite.catalogue import HOST, Catalogue

MODELS = ("linear", "mlp", "cnn")
# As many images as the digits have, and as many epochs as most suites train for: as noisy as what people measure.
TRAIN, TEST, EPOCHS = 1437, 360, 10
# A slow or a busy machine gets fewer processes a side, never fewer than the second number.
COMPARE_SECONDS, FEWEST_PER_SIDE = 20.0, 3


@dataclass(frozen=True, slots=True)
class Run:
    """Throughput and losses of one process of a comparison."""

    throughput: float
    losses: tuple[float, float]


def examine(voice: Voice) -> Doctor:
    """Run the proofs on this machine, under the lock that every run takes. Takes some 40 s.

    Raises BenchError where no trial can be run at all, Stopped on a signal.
    """
    seen, began = Circumstances.now(), time.monotonic()
    executor = LocalExecutor()
    with measuring(executor, voice, holder=Holder("bench doctor")):
        catalogue = ask_catalogue()
        return _Examination(Bench(executor, catalogue.devices), catalogue, voice).doctor(seen, began=began)


class _Examination:
    """The proofs on one machine, one after the other."""

    def __init__(self, bench: Bench, catalogue: Catalogue, voice: Voice) -> None:
        self.bench, self.catalogue, self.voice = bench, catalogue, voice
        self.threads = catalogue.physical_cores
        self.devices = tuple(dict.fromkeys((HOST, catalogue.best_device)))
        self.findings: list[Finding] = []
        self.comparisons: list[SelfComparison] = []

    def doctor(self, seen: Circumstances, *, began: float) -> Doctor:
        for name, proof in proofs.proofs(self.devices):
            self.voice.say(f"  {name} …")
            self.findings += proofs.run(self.bench, proof, name=name)
        for device in self.devices:
            self.voice.say(f"  A against A on {device} …")
            self._compare(device)
        self.voice.say("  peak of a matrix product …")
        environment = self.catalogue.environment
        return Doctor(
            environment_id=environment.identity(threads=self.threads),
            finished_at=now(),
            threads=self.threads,
            findings=tuple(self.findings),
            comparisons=tuple(self.comparisons),
            peaks={device: found for device in self.devices if (found := self._peaks(device))},
            advice=tuple(advice(seen, environment, threads=self.threads)),
            environment=environment,
            seconds=round(time.monotonic() - began, 1),
        )

    def _compare(self, device: str) -> None:
        """Each model against itself; what comes out of the same seed has to be the same, to the bit."""
        try:
            runs = compare(self.bench, device=device, threads=self.threads)
        except TrialFailed as failed:
            self.findings.append(Finding("A against A", device, "nothing", "WRONG", str(failed)))
            return
        self.findings.append(determinism(runs, device=device))
        found = [self_comparison(name, own, device=device, threads=self.threads) for name, own in runs.items()]
        self.comparisons += found
        self.findings.append(nothing_claimed(found, device=device))

    def _peaks(self, device: str) -> dict[str, float]:
        """Threads → FLOP/s. On the host with one thread and with all; elsewhere threads do not count."""
        found, info = {}, self.catalogue.devices[device]
        for threads in sorted({1, self.threads}) if info.is_host else [self.threads]:
            # Large enough to keep every core of the host busy, small enough to be done in a second.
            host_rows = 1024 if threads <= 4 else 2048 if threads <= 16 else 4096
            rows = host_rows if info.is_host else info.peak_rows
            try:
                found[str(threads)] = peak(self.bench, device=device, threads=threads, rows=rows)
            except TrialFailed as failed:
                self.findings.append(Finding("peak", device, "nothing", "doubtful", str(failed)))
        return found


def compare(bench: Bench, *, device: str, threads: int) -> dict[str, list[Run]]:
    """Model → its processes in the order in which they ran, A B A B …: the models take turns, too."""
    runs: dict[str, list[Run]] = {name: [] for name in MODELS}
    stop = time.monotonic() + COMPARE_SECONDS
    for turn in range(2 * PER_SIDE):
        # Both sides get as many: the time is looked at before an A.
        if turn >= 2 * FEWEST_PER_SIDE and turn % 2 == 0 and time.monotonic() >= stop:
            break
        for name in MODELS:
            measured = bench.trial(name, device=device, samples=TRAIN, test=TEST, epochs=EPOCHS, threads=threads)
            losses = measured.metrics["train_loss"], measured.metrics["test_loss"]
            runs[name].append(Run(measured.samples_per_second, losses))
    return runs


def determinism(runs: dict[str, list[Run]], *, device: str) -> Finding:
    """The same seed and threads in as many processes: losses that are equal to the bit."""
    other = [name for name, own in runs.items() if len({run.losses for run in own}) > 1]
    count = len(next(iter(runs.values())))
    verdict: Verdict = "WRONG" if other else "ok"
    measured = f"losses differ: {', '.join(other)}" if other else "every loss the same"
    return Finding("determinism", f"1 seed, {count} processes ({device})", measured, verdict, "bitwise")


def self_comparison(name: str, runs: list[Run], *, device: str, threads: int) -> SelfComparison:
    """The even processes against the odd ones."""
    a, b = ([run.throughput for run in runs[side::2]] for side in (0, 1))
    found = noise(a, b)
    assert found.ratio.low is not None
    assert found.ratio.high is not None
    return SelfComparison(
        trial=f"{name}, batch 64",
        device=device,
        threads=threads,
        a=a,
        b=b,
        ratio=found.ratio.ratio,
        low=found.ratio.low,
        high=found.ratio.high,
        log_sd=found.log_sd,
        smallest=found.smallest,
    )


def nothing_claimed(comparisons: list[SelfComparison], *, device: str) -> Finding:
    """A thing compared with itself shows no difference: in 19 of 20 times, by what a 95 % interval is."""
    claimed = [each for each in comparisons if not each.low <= 1 <= each.high]
    verdict: Verdict = "doubtful" if claimed else "ok"
    measured = f"not so: {', '.join(each.trial for each in claimed)}" if claimed else "every interval holds 1"
    detail = "one in 20 does so by chance; more of it is drift" if claimed else ""
    return Finding("A against A", f"no difference ({device})", measured, verdict, detail)


def peak(bench: Bench, *, device: str, threads: int, rows: int) -> float:
    """FLOP/s of a product of two square float32 matrices: 2·rows³ operations over the time of the best block."""
    steps = {"samples": 256, "epochs": 8, "warmup_steps": 3}
    measured = bench.trial("doctor-matmul", {"size": rows}, device=device, threads=threads, **steps)
    return 2 * rows**3 / measured.fastest_step_seconds
