"""The command line within this process: no worker is started, and the catalogue is asked once for all tests."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.cli.app import main
from bench.execute.ask_worker import Question, catalogue_question

SUITE = """
name = "mine"
[grid]
dataset = ["digits"]
model = ["linear"]
device = ["cpu"]
[train]
epochs = 1
"""


class Done(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def registered() -> dict[str, Any]:
    """What a worker says that there is, without a plugin."""
    return catalogue_question().answer()


@pytest.fixture
def command(
    registered: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """`command("report", "results/none")` runs it in the test's folder. What a worker is asked is done right here."""

    def ask(self: Question, module: str, *arguments: str, request: Mapping[str, Any] | None = None, **_: Any) -> None:
        self.asked = module, request  # type: ignore[attr-defined]

    def answer(self: Question, told: Callable[[Any], object] = lambda line: None) -> Any:
        module, request = self.asked  # type: ignore[attr-defined]
        if module == "bench.worker.catalogue":
            return registered
        worker: Any = importlib.import_module(module)
        lines: list[Any] = []
        worker.work(json.loads(json.dumps(request)), lambda line: (lines.append(line), told(line)))
        return lines[-1]

    def run(*words: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(Question, "__init__", ask)
    monkeypatch.setattr(Question, "answer", answer)
    return run


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of one trial."""
    (tmp_path / "mine.toml").write_text(SUITE)
    return tmp_path / "mine.toml"
