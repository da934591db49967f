"""What is read beside the clock while a trial trains: contention, the card, energy. All of it between timed blocks."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bench.worker.common import checked_values as plain
from bench.worker.devices.base import Device
from bench.worker.measure import contention
from bench.worker.measure.contention import Contention, Counters
from bench.worker.measure.energy import Energy, open_energy
from bench.worker.measure.gpu import Card, CardWatch, Reading

T = TypeVar("T")


@dataclass(slots=True)
class Watch:
    """The instruments of one trial. A loop that only warms up has one of its own, with contention alone."""

    card: CardWatch | None = None
    energy: Energy | None = None
    contention: Contention = field(default_factory=Contention)
    instruments: dict[str, str] = field(default_factory=dict)
    _before: Counters = field(default_factory=Counters)

    @classmethod
    def over(cls, device: Device, *, energy: bool) -> Watch:
        """Open what there is for `device`. Raises nothing: what is not there is said in `instruments`."""
        card, why = None, f"no card that NVML knows ({device.name})"
        if uuid := device.uuid():
            try:
                card = Card(uuid)
            except OSError as error:
                why = str(error)
        watch = cls(card=CardWatch(card) if card else None)
        if energy:
            watch.energy = open_energy(device=device.name, card=card, why_no_card=why)
        if device.name == "cuda":
            how = "NVML, memory of this process, sampled at the end of each epoch"
            watch.instruments["device_process_bytes"] = how if card else f"not measured: {why}"
        return watch

    def epoch_begins(self) -> None:
        if self.card is not None:
            self.card.epoch_begins()
        self._before = contention.read()

    def epoch_ends(self, *, wall_seconds: float) -> None:
        self.contention.add(before=self._before, after=contention.read(), wall_seconds=wall_seconds)
        if self.card is not None:
            self.card.epoch_ends()

    @property
    def reads_blocks(self) -> bool:
        """Whether something is to be read before and after each block; nothing is by default."""
        return self.energy is not None and self.energy.meter is not None

    def block_begins(self) -> int:
        """Nanoseconds that reading took."""
        start = time.perf_counter_ns()
        if self.energy is not None:
            self.energy.block_begins()
        return time.perf_counter_ns() - start

    def block_ends(self) -> None:
        if self.energy is not None:
            self.energy.block_ends()

    def metrics(self, *, block_seconds: list[float], samples: int) -> dict[str, float | None]:
        """Energy and memory of the process on the card; None where they were not measured."""
        joules = self.energy.joules(block_seconds) if self.energy else None
        if self.energy is not None:
            self.instruments["energy_joules"] = self.energy.how
        return {
            "energy_joules": joules,
            "energy_joules_per_sample": joules / samples if joules is not None and samples else None,
            "device_process_bytes": self.card.process_bytes if self.card else None,
        }

    def state_dict(self) -> dict[str, Any]:
        """What was read so far."""
        card, energy = self.card, self.energy
        return {
            "wall_seconds": self.contention.wall_seconds,
            "stretches": [plain.flat(each) for each in self.contention.stretches],
            "card_before": [plain.flat(each) for each in card.before] if card else [],
            "card_after": [plain.flat(each) for each in card.after] if card else [],
            "block_joules": energy.block_joules if energy and energy.meter else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind what a process before this one read. ValueError: it is no such thing; nothing is changed."""
        wall, stretches = plain.numbers(state["wall_seconds"]), _built(Counters, state["stretches"])
        before, after = _built(Reading, state["card_before"]), _built(Reading, state["card_after"])
        joules = None if state["block_joules"] is None else plain.numbers(state["block_joules"])
        plain.same_length({"wall_seconds": wall, "stretches": stretches})
        self.contention.wall_seconds, self.contention.stretches = wall, stretches
        if self.card is not None:
            self.card.before, self.card.after = before, after
        if self.energy is not None and joules is not None:
            self.energy.block_joules = joules
        elif self.energy is not None and self.energy.meter is not None and wall:
            self.energy.meter, self.energy.why_not = None, "there was no counter before the trial was resumed"

    def samples(self) -> dict[str, list[float]]:
        """Raw readings: one number a stretch or a block."""
        found = self.contention.samples() | (self.card.samples() if self.card else {})
        return found | ({"block_joules": self.energy.block_joules} if self.energy and self.energy.block_joules else {})


def _built(kind: type[T], value: Any) -> list[T]:
    return [plain.built(kind, each) for each in plain.items(value)]
