"""Samples and curves stay in their file: what is read of them later is what stands there, and damage is found."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import SCHEMA
from bench.errors import BenchError
from bench.results.lines import InFile, read_line
from bench.results.store import Store

SAMPLES = {"block_seconds": [0.25, 1e-05, -3.5e-07, 4], "latency_seconds": []}
CURVES = {"epoch": [1.0, 2.0], "test_loss": [0.5, None]}


@pytest.fixture
def line(make: Any, tmp_path: Path) -> tuple[bytes, Path]:
    """A line of results behind another one, and its file."""
    [trial] = make.Plan(models=[make.Component("mlp")], seeds=[0]).trials()
    result = make.result_of(trial, samples=SAMPLES, curves=CURVES)
    writer = Store(tmp_path).writer("run")
    writer.append(make.result_of(trial, run_id="before"))
    writer.append(result)
    writer.close()
    return writer.path.read_bytes().splitlines(keepends=True)[1], writer.path


def test_what_is_left_in_the_file_reads_as_it_was_written(line: tuple[bytes, Path]) -> None:
    content, path = line
    at = path.stat().st_size - len(content)
    found = read_line(content, path, at=at)
    assert isinstance(found.samples, InFile)
    assert isinstance(found.curves, InFile)
    assert dict(found.samples) == SAMPLES
    assert found.curves == CURVES
    assert found.to_json() == json.loads(content)


def test_the_environment_is_one_object(line: tuple[bytes, Path]) -> None:
    content, path = line
    first, second = Store(path.parents[1]).refresh()
    assert first.environment is second.environment
    assert first.trial.model is second.trial.model
    assert first.environment.facts == json.loads(content)["environment"]["facts"]


@pytest.mark.parametrize("bad", [b"NaN", b"Infinity", b'"0.25"', b"[0.25]", b"{}"])
def test_what_is_no_number_makes_the_line_damaged(bad: bytes, line: tuple[bytes, Path]) -> None:
    content, path = line
    assert read_line(content.replace(b"[0.25,", b"[" + bad + b","), path, at=0) is None


def test_a_cut_line_is_damaged_wherever_it_was_cut(line: tuple[bytes, Path]) -> None:
    content, path = line
    assert [end for end in range(1, len(content) - 2, 7) if read_line(content[:end], path, at=0)] == []


@pytest.mark.parametrize("bad", [b"0..2", b"----"])
def test_damage_in_a_number_is_said_in_one_line(bad: bytes, line: tuple[bytes, Path]) -> None:
    _, path = line
    path.write_bytes(path.read_bytes().replace(b"[0.25,", b"[" + bad + b","))
    found = Store(path.parents[1]).refresh()[1]
    with pytest.raises(BenchError, match="damaged samples"):
        found.samples["block_seconds"]


@pytest.mark.parametrize("bad", [b"9e999", b"1e308", b"5e-324", b"-1e+308"])
def test_a_number_beyond_what_is_measured_is_found_at_once(bad: bytes, line: tuple[bytes, Path]) -> None:
    _, path = line
    path.write_bytes(path.read_bytes().replace(b"[0.25,", b"[" + bad + b","))
    store = Store(path.parents[1])
    assert (len(store.refresh()), store.damaged) == (1, 1)


def test_a_file_that_has_gone_is_said(line: tuple[bytes, Path]) -> None:
    _, path = line
    found = Store(path.parents[1]).refresh()[1]
    path.unlink()
    with pytest.raises(BenchError, match="changed since"):
        dict(found.curves)


def test_trials_that_differ_by_their_seed_are_read_once(make: Any, tmp_path: Path) -> None:
    models = [make.Component("mlp", {"seed": 3, "train": {}, "text": '},"seed":9,"train":{}}'})]
    trials = list(make.Plan(models=models, seeds=[0, 7, 2**63 - 1]).trials())
    writer = Store(tmp_path).writer("run")
    for trial in trials:
        writer.append(make.result_of(trial))
    writer.close()
    found = Store(tmp_path).refresh()
    assert [result.trial for result in found] == trials
    assert found[0].trial.model is found[2].trial.model
    assert found[0].code is found[2].code


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seed":0,"train"', b'"seed":-1,"train"'),
        (b'"seed":0,"train"', b'"seed":00,"train"'),
        (b'"seed":0,"train"', b'"seed":0.0,"train"'),
        (b'"seed":0,"train"', b'"seed":true,"train"'),
        (b'"seed":0,"train"', b'"seed":9223372036854775808,"train"'),
        (b'"seed":0,"train":', b'"train":'),
        (b'"train":{}', b'"train":{"epochs":"ten"}'),
        (b'"train":{}', b'"train":{"epoch":10}'),
        (b'"batch_size":', b'"batch_size":-'),
        (b'"device":"cpu"', b'"device":7'),
        (b'"name":"mlp"', b'"name":""'),
        (b'"code":{', b'"code":{"model":3,'),
        (b'"instruments":{}', b'"instruments":{"step_seconds":null}'),
        (b'"facts":{', b'"fact":{'),
    ],
)
def test_a_part_that_lines_share_is_as_strict_as_the_rest(old: bytes, new: bytes, line: tuple[bytes, Path]) -> None:
    content, path = line
    assert read_line(content, path, at=0) is not None
    changed = content.replace(old, new, 1)
    assert changed != content
    assert read_line(changed, path, at=0) is None
    assert read_line(changed, path, at=0) is None  # what was found out once is not forgotten


def test_a_line_in_another_order_or_of_an_older_schema_reads_the_same(line: tuple[bytes, Path]) -> None:
    content, path = line
    value = json.loads(content)
    wanted = read_line(content, path, at=path.stat().st_size - len(content)).to_json()
    backwards = json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode()
    spaced = json.dumps(value, sort_keys=True, indent=1).replace("\n", "").encode()
    for other in (backwards, spaced):
        assert read_line(other, path, at=0).to_json() == wanted
    older = content.replace(b'"schema":%d' % SCHEMA, b'"schema":1')
    assert older != content
    assert read_line(older, path, at=0).to_json() == wanted | {"artifact_sha256": ""}


@pytest.mark.parametrize(
    "settings",
    [
        {"config": {}, "trial_id": "x"},
        {"a": {}, "code": {}, "code_id": "x", "instruments": {}, "metrics": {}, "samples": {}, "schema": 2},
    ],
)
def test_settings_that_are_called_like_our_keys_are_read(settings: dict[str, Any], make: Any, tmp_path: Path) -> None:
    [trial] = make.Plan(models=[make.Component("mlp", settings)], seeds=[0]).trials()
    result = make.result_of(trial, samples=SAMPLES)
    writer = Store(tmp_path).writer("run")
    writer.append(result)
    writer.close()
    [found] = Store(tmp_path).refresh()
    assert found.to_json() == result.to_json()


@pytest.mark.parametrize(
    "extra",
    [
        {"author": {"a": 1, "code": {"x": "y"}, "code_id": "z"}},
        {"host": {"a": "b", "instruments": {"x": "1"}, "metrics": {}}},
        {"nots": {"a": "b", "samples": {"x": [1]}, "schema": 2}},
        {"trial_extra": {"x": "y"}},
        {"tags": {"a": 1, "trial": {}, "trial_id": "z"}},
        {"cu": {"a": "b", "curves": {"x": [1]}, "environment": {}}},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_keys_that_we_do_not_know_are_left_alone(extra: dict[str, Any], line: tuple[bytes, Path]) -> None:
    content, path = line
    value = json.loads(content)
    more = json.dumps(value | extra, sort_keys=True, separators=(",", ":")).encode()
    assert read_line(more, path, at=0).to_json() == value


def test_of_a_key_that_stands_twice_the_last_one_counts(line: tuple[bytes, Path]) -> None:
    content, path = line
    body = content.rstrip()[:-1]
    assert read_line(body + b',"trial":{}}', path, at=0) is None
    assert read_line(body + b',"code":{"model":3}}', path, at=0) is None
    found = read_line(body + b',"samples":{"x":[5]}}', path, at=0)
    assert dict(found.samples) == {"x": [5]}


def test_a_byte_order_mark_of_an_editor_is_no_damage(line: tuple[bytes, Path]) -> None:
    content, path = line
    assert read_line(b"\xef\xbb\xbf" + content, path, at=0).to_json() == json.loads(content)


def test_half_a_character_is_spelled_out_and_can_be_read_again(make: Any, tmp_path: Path) -> None:
    [trial] = make.Plan(models=[make.Component("mlp")], seeds=[0]).trials()
    name = os.fsdecode(b"gr\xfc\xdfe \xf0\x9f\x98\x80.txt")
    writer = Store(tmp_path).writer("run")
    writer.append(make.result_of(trial, status="failed", reason=f"no {name}", traceback=f"{name} 😀"))
    writer.close()
    [found] = Store(tmp_path).refresh()
    assert found.reason == "no gr\\udcfc\\udcdfe 😀.txt"
    assert found.traceback.endswith(" 😀")


def test_a_number_that_no_float_holds_is_damage(line: tuple[bytes, Path]) -> None:
    _, path = line
    path.write_bytes(path.read_bytes().replace(b"[0.25,", b"[" + b"9" * 400 + b","))
    found = Store(path.parents[1]).refresh()[1]
    with pytest.raises(BenchError, match="damaged samples"):
        found.samples["block_seconds"]
