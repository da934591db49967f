"""The ladders of the page: what its template writes first, as JSON."""

from collections.abc import Sequence
from dataclasses import asdict

from bench.analysis.findings import Answer
from bench.analysis.ladder import Ladder
from bench.analysis.ladder_words import levels, rung
from bench.analysis.pair_tables import matrix
from bench.base.metrics import ACCURACY
from bench.base.records import Json
from bench.report.page import NOTHING, Part

MOST_OPEN = 2  # ladders that are shown at once; the others open at a click
MOST_MODELS = 12  # of a matrix


def answers_of(parts: Sequence[Part]) -> list[dict[str, Json]]:
    """One object a section that has an answer; where there is none, one that says so."""
    found = [part.answer for part in parts if part.answer is not None]
    if not found:
        return [{"title": "", "headline": "", "open": True, "rungs": [], "before": NOTHING, "command": "", "after": [],
                 "matrix": None}]  # fmt: skip
    return [_answer(each, open_at_once=place < MOST_OPEN) for place, each in enumerate(found)]


def _answer(found: Answer, *, open_at_once: bool) -> dict[str, Json]:
    ladder = found.ladder
    return {
        "title": found.title,
        "headline": found.headline,
        "open": open_at_once,
        "level": found.section.main.title,
        "unit": "in points" if found.section.main.name == ACCURACY else f"in {found.section.main.title}",
        "rungs": _rungs(ladder) if ladder else [],
        "before": found.opening,
        "command": found.command,
        "after": found.paragraphs[bool(found.opening) + bool(found.command) :],
        "matrix": _matrix(ladder) if ladder else None,
    }


def _rungs(ladder: Ladder) -> list[Json]:
    shown = zip(ladder.places, ladder.cells, levels(ladder), strict=True)
    return [
        {"place": place, "model": cell.model, "level": level, "known": rung(ladder, index),
         "best": index == 0 and ladder.decided}
        for index, (place, cell, level) in enumerate(shown)
    ]  # fmt: skip


def _matrix(ladder: Ladder) -> Json:
    """Names and cells of the matrix of pairs; None below three models."""
    rows = matrix(ladder, most=MOST_MODELS)
    if not rows:
        return None
    names = [cell.model for cell in ladder.cells[: len(rows) + 1]]
    left_out = len(ladder.cells) - len(names)
    return {"columns": names[:-1], "left_out": left_out, "rows": [
        {"model": name, "cells": [None if each is None else asdict(each) for each in row]}
        for name, row in zip(names[1:], rows, strict=True)
    ]}  # fmt: skip
