"""suites/suite.schema.json is what the types say, and knows every key."""

from __future__ import annotations

import json
from dataclasses import fields

from bench.base.records import MeasureSettings, SeedSettings, TrainSettings
from bench.suite.schema import PATH, schema_text, suite_schema


def test_the_committed_schema_is_fresh() -> None:
    assert PATH.read_text(encoding="utf-8") == schema_text(), "run: python -m bench.suite.schema"


def test_it_knows_every_setting_and_every_default() -> None:
    definitions = suite_schema()["$defs"]
    for name, section, kind in (("Train", "train", TrainSettings), ("Measure", "measure", MeasureSettings)):
        table = definitions[name]["properties"]
        assert list(table) == [field.name for field in fields(kind)]
        for field in fields(kind):
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert table[field.name].get("default") == default
            for holder in ("Grid", "Match", "Set"):
                assert f"{section}.{field.name}" in definitions[holder]["properties"]
                assert field.name in definitions[holder]["properties"][section]["properties"]


def test_a_grid_takes_the_seed_as_an_axis_and_as_a_table_of_seeds() -> None:
    grid = suite_schema()["$defs"]["Grid"]["properties"]
    *axis, table = grid["seed"]["anyOf"]
    assert len(axis) == 2
    assert list(table["properties"]) == [field.name for field in fields(SeedSettings)]
    assert grid["seed.init"]["anyOf"] == axis


def test_it_holds_nothing_but_schema() -> None:
    schema = suite_schema()
    assert set(schema["properties"]) == {
        "name", "title", "plugins", "grid", "exclude", "override", "train", "measure", "seed", "decide", "tune",
        "report",
    }  # fmt: skip
    assert schema["required"] == ["name", "grid"]
    assert schema["additionalProperties"] is False
    assert '"expected"' not in json.dumps(schema)
    assert '"null"' not in json.dumps(schema)
