"""The verdict for programs: the object of docs/gate.md.

History of the schema:
  1  the first one.
"""

from typing import Any

from bench.base.records import Json
from bench.base.version import __version__
from bench.errors import EXIT_OK, EXIT_UNDECIDED, EXIT_WORSE
from bench.gate.records import Gate, GatedCell, MarginTest, Reason
from bench.pairing.sides import Side
from bench.statistics.gates import LEVEL

SCHEMA = 1
EXIT_CODES = {"keep": EXIT_OK, "revert": EXIT_WORSE, "undecided": EXIT_UNDECIDED}


def gate_json(gate: Gate) -> dict[str, Json]:
    """The verdict as a JSON object."""
    return {
        "schema": SCHEMA,
        "bench": __version__,
        "verdict": gate.verdict,
        "exit_code": EXIT_CODES[gate.verdict],
        "before": _side(gate.before),
        "after": _side(gate.after),
        "live": gate.live,
        "rounds": None if gate.spent is None else gate.spent.rounds,
        "seconds": None if gate.spent is None else round(gate.spent.seconds, 1),
        "out_of_time": gate.spent is not None and gate.spent.out_of_time,
        "margins": {"accuracy": gate.asked.within, "speed": gate.asked.slower},
        "level": LEVEL,
        "tests": gate.family,
        "cells": [_cell(each) for each in gate.cells],
        "reasons": [_reason(each) for each in gate.only],
        "speed_not_judged": gate.unjudged or None,
        "differences": [{"kind": e.kind, "what": e.what, "before": e.a, "after": e.b} for e in gate.differences],
    }


def _side(side: Side) -> dict[str, Json]:
    commits = {str(each.environment.notes.get("commit") or "") for each in side.results} - {""}
    return {"name": side.name, "commits": sorted(commits), "results": sum(each.status == "ok" for each in side.results)}


def _cell(cell: GatedCell) -> dict[str, Json]:
    return {
        "name": cell.name,
        "dataset": cell.dataset,
        "model": cell.model,
        "device": cell.device,
        "batch_size": cell.batch_size,
        "settings": cell.settings,
        "verdict": cell.told,
        "tests": [_test(each) for each in cell.tests],
        "reasons": [_reason(each) for each in cell.reasons],
        "notes": list(cell.notes),
    }


def _test(test: MarginTest) -> dict[str, Json]:
    found: dict[str, Any] = {
        "kind": test.kind,
        "metric": test.metric or None,
        "verdict": test.told,
        "margin": test.margin,
        "value": test.mean,
        "low": test.low,
        "high": test.high,
        "n": test.n,
        "left_out": test.left_out,
        "identical": test.identical,
        "p_worse": test.p_worse,
        "p_worse_adjusted": test.p_adjusted,
        "p_fine": test.p_fine,
    }
    return found


def _reason(reason: Reason) -> dict[str, Json]:
    return {"code": reason.code, "text": reason.text, "do": reason.todo, "seeds": reason.seeds}
