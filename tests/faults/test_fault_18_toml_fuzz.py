"""Fault 18, fuzzed: whatever bytes a suite file holds, reading it gives a SuiteFile or one line, nothing else."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.suite.catalogue import Catalogue
from bench.suite.read import MOST_LINES
from bench.suite.resolve import read_whole, resolve

GOOD = 'name = "x"\n[grid]\ndataset = ["digits"]\nmodel = ["mlp"]\n'
KNOWN = """name title plugins grid exclude override train measure report dataset model seed batch_size device count
    start train.epochs train.steps measure.warmup_steps where set epochs optimizer learning_rate baseline hidden"""
KEYS = st.sampled_from(KNOWN.split()) | st.text(max_size=4)
SCALARS = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.sampled_from(["mlp", "digits", "cpu", "sgd", "x"])
    | st.text(st.characters(codec="utf-8"), max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
# Tables that are nearly right reach further in than noise does.
NEARLY = st.fixed_dictionaries(
    {"name": st.just("x"), "grid": st.fixed_dictionaries(
        {"dataset": st.just(["digits"]), "model": st.just(["mlp"])},
        optional=dict.fromkeys(("seed", "batch_size", "device", "train.epochs", "train"), VALUES))},
    optional={key: VALUES | st.lists(st.dictionaries(KEYS, VALUES, max_size=3), max_size=2)
              for key in ("exclude", "override", "train", "measure", "report", "plugins", "title")},
)  # fmt: skip


def toml(value: Any) -> str:
    """A value as TOML writes it, tables inline."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(str(key))} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    return value.isoformat() if isinstance(value, datetime.date) else repr(value)


def try_out(text: bytes, folder: Path, catalogue: Catalogue, *, sets: tuple[str, ...] = (), only: str = "") -> None:
    path = folder / "fuzz.toml"
    path.write_bytes(text)
    try:
        file = read_whole(path, lambda plugins: catalogue, sets=sets)
        suite = resolve(file, catalogue, only=[only] if only else [])
        suite.count()
        next(suite.trials(), None)
    except BenchError as error:
        lines = str(error).split("\n")  # one a mistake
        assert len(lines) <= MOST_LINES + 1
        assert len(lines) == len(set(lines))
        assert all(0 < len(line) < 2000 and line.isprintable() for line in lines)


@settings(deadline=None)
@given(text=st.binary(max_size=200))
def test_any_bytes(text: bytes, folder: Path, catalogue: Catalogue) -> None:
    try_out(text, folder, catalogue)


@settings(deadline=None)
@given(text=st.text(alphabet="[]{}=\"'.,#\\\n\t 0123456789abexnif_+-:TZ", max_size=80))
def test_anything_like_toml(text: str, folder: Path, catalogue: Catalogue) -> None:
    try_out((GOOD + text).encode(), folder, catalogue)


@settings(deadline=None, max_examples=120)
@given(tables=NEARLY | st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_values(tables: dict[str, Any], folder: Path, catalogue: Catalogue) -> None:
    text = "".join(f"{toml(key)} = {toml(value)}\n" for key, value in tables.items())
    try_out(text.encode(), folder, catalogue)


@settings(deadline=None)
@given(
    text=st.text(st.characters(codec="utf-8"), max_size=30)
    | st.builds("{}={}".format, st.lists(KEYS, max_size=3).map(".".join), SCALARS | VALUES.map(toml))
)
def test_any_set_and_only(text: str, folder: Path, catalogue: Catalogue) -> None:
    try_out(GOOD.encode(), folder, catalogue, sets=(text,))
    try_out(GOOD.encode(), folder, catalogue, only=text)
