"""The group of trials that shared the time: 16 hexadecimal digits or none, from the run and never from a trial."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.base.records import canonical_json
from bench.results.store import Store
from bench.results.validate import DAMAGED, SAID, read_result


@pytest.mark.parametrize("group_id", ["", "0123456789abcdef"])
def test_it_comes_back_as_it_was_written(make: ModuleType, tmp_path: Path, group_id: str) -> None:
    [trial] = make.Plan(models=[make.Component("mlp")], seeds=[0]).trials()
    result = make.result_of(trial, group_id=group_id, samples={"block_round": [0.0, 0.0, 1.0]})
    writer = Store(tmp_path).writer("run")
    writer.append(result)
    writer.close()
    (again,) = Store(tmp_path).refresh()
    assert (again.group_id, again.samples["block_round"]) == (group_id, [0.0, 0.0, 1.0])


@pytest.mark.parametrize("group_id", ["0" * 15, "0" * 17, "0123456789ABCDEF", "x" * 16, " ", None, 7, ["0" * 16]])
def test_anything_else_is_a_damaged_line(make: ModuleType, group_id: Any) -> None:
    [trial] = make.Plan(models=[make.Component("mlp")], seeds=[0]).trials()
    line = json.loads(canonical_json(make.result_of(trial).to_json()))
    assert read_result(line).group_id == ""
    with pytest.raises(DAMAGED):
        read_result(line | {"group_id": group_id})


def test_a_trial_does_not_say_its_group() -> None:
    assert "group_id" not in SAID
