"""A group on a node, with an executor that is played: what it is told, what it sends, which place is whose."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import Component, Trial, canonical_json
from bench.cluster import node
from bench.cluster.executor import order_of
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import Wanted
from bench.execute.jobs import request
from bench.results.store import Store

OK = Ending({"status": "ok"})


def wanted(model: str, folder: Path, *, locations: dict[str, str] | None = None, seeds: int = 1) -> Wanted:
    trials = [Trial(Component("synthetic"), Component(model), seed, 64, "cpu") for seed in range(seeds)]
    asked = request(
        trials, store=Store(folder / "results"), run_id="run", log=folder / "log", scratch=folder / "scratch"
    )
    own = {"data_root": str(folder / "data"), "locations": locations or {}, "plugins": ["mine"], "ray_gpus": 0}
    return Wanted(asked | own, 60.0 + len(model), lambda what: None, timing_seconds=0.25)


class Played:
    """An executor that runs a group as `act` says."""

    def __init__(self, act: Callable[[Sequence[Wanted], Callable[[int, Ending], None]], frozenset[int]]) -> None:
        self.act, self.groups = act, list[Sequence[Wanted]]()

    def run_group(self, asked: Sequence[Wanted], *, told: Callable[[int, Ending], None]) -> frozenset[int]:
        self.groups.append(asked)
        return self.act(asked, told)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    def act(order: dict[str, Any], executor: Played) -> list[dict[str, Any]]:
        monkeypatch.setenv("BENCH_LOCK", str(tmp_path / "lock"))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(node, "catalogue", lambda plugins, places: {"plugins": plugins})
        monkeypatch.setattr(node, "_executor", lambda: executor)
        return list(node.run_group(order | {"places": {}}))

    return act


def test_each_job_of_a_group_has_a_folder_of_its_own_and_sends_what_it_left(
    tmp_path: Path, run: Callable[..., list[dict[str, Any]]]
) -> None:
    def act(asked: Sequence[Wanted], told: Callable[[int, Ending], None]) -> frozenset[int]:
        for place in (2, 0, 1):  # they end in any order
            each = asked[place]
            each.on_progress({"phase": f"of {place}"})
            for one in (each.request, *each.request["others"]):
                Path(one["artifact"]).write_text(f"{one['trial']['model']['name']} {one['trial']['seed']}")
            if place:
                Path(each.request["log"]).write_text(f"log of {place}")
            told(place, OK)
        return frozenset()

    executor = Played(act)
    order = order_of([wanted("a", tmp_path), wanted("bb", tmp_path, seeds=2), wanted("ccc", tmp_path)], given=None)
    words = run(order, executor)
    assert [next(iter(word)) for word in words] == ["began", "progress", "progress", "progress", "ended"]
    assert [(word["place"], word["progress"]["phase"]) for word in words[1:4]] == [
        (2, "of 2"),
        (0, "of 0"),
        (1, "of 1"),
    ]
    sent = {place: (each["files"], each["log"]) for place, each in words[-1]["ended"].items()}
    assert sent == {
        0: ({0: b"a 0"}, b""),
        1: ({0: b"bb 0", 1: b"bb 1"}, b"log of 1"),
        2: ({0: b"ccc 0"}, b"log of 2"),
    }
    assert all(each["ending"] == asdict(OK) for each in words[-1]["ended"].values())
    assert words[-1]["alone"] == []
    (group,) = executor.groups
    assert [(each.timeout_seconds, each.timing_seconds) for each in group] == [(61.0, 0.25), (62.0, 0.25), (63.0, 0.25)]
    assert {each.request["plugins"][0] for each in group} == {"mine"}
    assert not list(tmp_path.glob("bench-ray-*"))  # nothing of it stays


def test_places_are_those_of_the_order_where_a_job_lacks_its_data(
    tmp_path: Path, run: Callable[..., list[dict[str, Any]]]
) -> None:
    def act(asked: Sequence[Wanted], told: Callable[[int, Ending], None]) -> frozenset[int]:
        asked[1].on_progress({"phase": "fit"})
        told(1, OK)
        return frozenset({0})  # of those that were begun

    lacks = wanted("a", tmp_path, locations={"path": str(tmp_path / "none.h5")})
    order = order_of([lacks, wanted("b", tmp_path), wanted("c", tmp_path), wanted("d", tmp_path)], given=None)
    executor = Played(act)
    _, progress, last = run(order, executor)
    assert [each.request["trial"]["model"]["name"] for each in executor.groups[0]] == ["b", "c", "d"]
    assert progress["place"] == 2
    assert {place: each["ending"]["status"] for place, each in last["ended"].items()} == {0: "skipped", 2: ""}
    assert last["alone"] == [1]  # and of the fourth nothing is said: it has not run


def test_where_every_job_lacks_its_data_nothing_is_begun(
    tmp_path: Path, run: Callable[..., list[dict[str, Any]]]
) -> None:
    executor = Played(lambda asked, told: frozenset())
    lacks = [wanted(name, tmp_path, locations={"path": str(tmp_path / "none.h5")}) for name in "ab"]
    last = run(order_of(lacks, given=None), executor)[-1]
    assert executor.groups == []
    assert [each["ending"]["status"] for each in last["ended"].values()] == ["skipped", "skipped"]


def test_no_place_of_the_drivers_disk_is_in_an_order(tmp_path: Path) -> None:
    order = order_of([wanted("a", tmp_path), wanted("b", tmp_path, seeds=2)], given=None)
    assert str(tmp_path) not in canonical_json(order)
    assert [len(job["request"]["others"]) for job in order["jobs"]] == [0, 1]
