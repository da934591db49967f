"""`bench new` writes files that run as they are, and replaces none."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.cli.new import KINDS
from bench.registry import DATASETS, METRICS, MODELS
from bench.suite.read import read_suite
from bench.worker.common.discover import load_plugin

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_the_command_and_replaces_nothing(kind: str, here: Path, command: Any) -> None:
    done = command("new", kind, "own_thing")
    assert done.code == 0
    path = here / f"own_thing{KINDS[kind][1]}"
    assert f"wrote {path.name}; try it:\n  python -m bench run " in done.out
    words = shlex.split(done.out.splitlines()[1])
    assert path.name in words
    sets = [text for option, text in pairwise(words) if option == "--set"]
    read_suite(ROOT / "suites/smoke.toml" if "smoke" in words else path, sets=sets)  # which refuses what is wrong
    before = path.read_text()
    again = command("new", kind, "own_thing")
    assert again.code == 2
    assert again.err == f"{path.name} is there already: it is left as it is; choose another name\n"
    assert path.read_text() == before


def test_what_it_writes_works(here: Path, command: Any) -> None:
    for kind in KINDS:
        assert command("new", kind, f"own_{kind}").code == 0
    try:
        for kind in ("model", "dataset", "metric"):
            load_plugin(str(here / f"own_{kind}.py"))
        splits = DATASETS.get("own_dataset").build(here)
        images = torch.from_numpy(np.asarray(splits.train_images)).float() / 255
        model = MODELS.get("own_model").build(tuple(images.shape[1:]), 2)
        assert model(images).shape == (400, 2)
        assert METRICS.get("own_metric").build(torch.tensor([[3.0, 2.0, 1.0]] * 4), torch.tensor([0, 1, 2, 0])) == 0.75
    finally:
        for registry, kind in ((MODELS, "model"), (DATASETS, "dataset"), (METRICS, "metric")):
            registry._entries.pop(f"own_{kind}", None)
    assert read_suite(here / "own_suite.toml").name == "own_suite"


@pytest.mark.parametrize(
    ("kind", "name", "said"), [("modle", "x", "did you mean model?"), ("model", "a/b", "a-z, 0-9")]
)
def test_a_wrong_word_is_refused(kind: str, name: str, said: str, here: Path, command: Any) -> None:
    done = command("new", kind, name)
    assert done.code == 2
    assert said in done.err
    assert not list(here.iterdir())
