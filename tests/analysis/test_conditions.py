"""What is said of results beside their figures."""

from __future__ import annotations

from types import ModuleType

from bench.analysis.conditions import notes
from bench.base.records import Component, Result, Trial


def test_a_note_stands_once_with_what_it_is_of(make: ModuleType) -> None:
    def noted(model: str, seed: int, *texts: str) -> Result:
        return make.result_of(Trial(Component("digits"), Component(model), seed, 64, "cpu"), notes=texts)

    results = [
        noted("mlp", 0, "12 of 360 are odd"),
        noted("mlp", 1, "7 of 360 are odd", "it is large."),
        noted("cnn", 0, "12 of 360 are odd"),
        noted("linear", 0),
    ]
    assert notes(results) == ["digits · mlp and cnn: 12 of 360 are odd.", "digits · mlp: it is large."]
    assert notes([]) == []


def test_counts_of_two_data_sets_are_two_notes(make: ModuleType) -> None:
    def noted(dataset: str, seed: int, text: str) -> Result:
        return make.result_of(Trial(Component(dataset), Component("mlp"), seed, 64, "cpu"), notes=(text,))

    results = [noted("a", 0, "12 of 20 are odd"), noted("b", 0, "3 of 9 are odd"), noted("a", 1, "11 of 20 are odd")]
    assert notes(results) == ["a · mlp: 12 of 20 are odd.", "b · mlp: 3 of 9 are odd."]
    results = [noted("a", 0, "it is odd"), noted("b", 0, "it is odd")]
    assert notes(results) == ["a and b · mlp: it is odd."]
