"""The table of `bench lr-find`: a suggestion, or why there is none, for files and for a terminal."""

from __future__ import annotations

import csv
import io
from typing import Any

from bench.base.records import Component, Trial
from bench.lr_find.sweep import Curve, names_of
from bench.lr_find.write import table_of_rates, terminal_text
from bench.present.tables import to_csv

RATES = tuple(10.0 ** (step / 4 - 4) for step in range(20))
FALLS_AND_RISES = (*(2.3 - 0.1 * step for step in range(15)), *(1.0 + step for step in range(5)))


def trial(model: str = "linear", device: str = "cpu") -> Trial:
    return Trial(Component("digits"), Component(model), 0, 64, device)


def curve(name: str, losses: tuple[float, ...] = FALLS_AND_RISES, **found: Any) -> Curve:
    known = {"status": "ok", "rates": RATES[: len(losses)], "losses": losses, "smoothed": losses, "diverged": True}
    return Curve(name, trial(), (0.1, 0.01), **(known | found))


def test_a_cell_is_called_by_what_differs() -> None:
    assert names_of([trial(), trial("mlp")]) == ["linear", "mlp"]
    assert names_of([trial(), trial(device="cuda")]) == ["linear · cpu", "linear · cuda"]


def test_why_there_is_no_rate_to_start_from() -> None:
    falling = tuple(2.3 - 0.1 * step for step in range(20))
    assert curve("a").why_no_start == ""
    assert curve("a", falling, diverged=False).why_no_start == "at 5.6, still falling: raise --to"
    assert curve("a", ()).why_no_start == "no step was taken"
    assert curve("a", (), status="failed", reason="ValueError: no").why_no_start == "failed: ValueError: no"


def test_files_have_all_figures_and_a_terminal_80_columns() -> None:
    name = "a model with a name that no column of eighty characters has room for"
    curves = [curve("linear"), curve(name, (), status="skipped", reason="no such device")]
    first, second = csv.DictReader(io.StringIO(to_csv(table_of_rates(curves))))
    assert list(first) == [
        "cell", "optimizer", "start", "steepest", "tenth_of_lowest", "first_loss", "lowest_loss", "ended", "suite"
    ]  # fmt: skip
    assert (first["first_loss"], first["ended"], first["suite"]) == ("2.3", "diverged at 5.6", "0.1, 0.01")
    assert float(first["start"]) == min(float(first["steepest"]), float(first["tenth_of_lowest"]))
    assert (second["start"], second["ended"]) == ("", "skipped: no such device")
    lines = terminal_text(curves).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-2:] == [f"– {name}: skipped:", "  no such device"]


def test_cells_of_models_that_are_called_alike_have_two_names() -> None:
    models = [Component("tagged", {"tag": tag}) for tag in (1, "1")]
    first, second = names_of([Trial(Component("digits"), model, 0, 64, "cpu") for model in models])
    assert first != second
    assert first.startswith("tagged(tag=1) ")
