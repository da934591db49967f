"""What the doctor advises, and what it leaves alone."""

from __future__ import annotations

import pytest

from bench.base.records import Environment
from bench.doctor.advice import Circumstances, advice, quota_cores

FACTS = {"cores": 4, "logical_cores": 8, "container_limits": {}}


def told(
    seen: Circumstances | None = None, *, threads: int = 4, notes: dict[str, str] | None = None, **facts: object
) -> str:
    return "\n".join(advice(seen or Circumstances(), Environment(FACTS | facts, notes or {}), threads=threads))


def test_a_quiet_machine_gets_none() -> None:
    assert told(Circumstances(load=0.1, pressure_percent=0.0), notes={"governor": "performance"}) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (told(Circumstances(load=1.5)), "load 1.5 over the last minute"),
        (told(Circumstances(pressure_percent=30.0)), "waited for a core 30 %"),
        (told(notes={"governor": "powersave"}), "governor is 'powersave'"),
        (
            told(Circumstances(variables={"OMP_NUM_THREADS": "1"})),
            "OMP_NUM_THREADS=1 is set: it changes timings and is not part of the environment's id; unset it",
        ),
        (
            told(Circumstances(variables={"OMP_PLACES": "cores"}), switches={"OMP_PLACES": "cores"}),
            "OMP_PLACES=cores is set: it changes timings and makes another environment; unset it",
        ),
        (told(Circumstances(hypervisor=True, steal_percent=2.0)), "took 2.0 % of its time"),
        (told(container_limits={"cpu.max": "150000 100000"}), "set train.threads = 1"),
        (told(threads=8), "8 threads on 4 physical cores"),
    ],
)
def test_what_is_in_the_way_is_named(text: str, words: str) -> None:
    assert words in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ({}, None),
        ({"cpu.max": "200000 100000"}, 2.0),
        ({"cpu.cfs_quota_us": "50000"}, 0.5),
        ({"cpu.max": "nonsense"}, None),
        ({"memory.max": "1"}, None),
    ],
)
def test_the_quota_of_a_container(limits: dict[str, str], cores: float | None) -> None:
    assert quota_cores(limits) == cores


def test_this_machine_can_be_asked() -> None:
    seen = Circumstances.now()
    assert seen.load is None or seen.load >= 0
    assert isinstance(seen.hypervisor, bool)
