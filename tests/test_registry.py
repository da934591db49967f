"""Registries refuse a second entry of a name and help with an unknown one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.registry import Registry


def build() -> int:
    """One line.

    More lines.
    """
    return 1


def test_an_entry_knows_its_source_and_its_summary() -> None:
    registry = Registry("thing")
    assert registry.register("one")(build) is build
    entry = registry.get("one")
    assert entry.source == Path(__file__).resolve()
    assert entry.summary == "One line."
    assert "one" in registry
    assert len(registry) == 1


def test_a_second_registration_of_a_name_is_an_error() -> None:
    registry = Registry("thing")
    registry.register("one")(build)
    with pytest.raises(BenchError, match="thing 'one' is registered already"):
        registry.register("one")(build)


def test_an_unknown_name_lists_the_choices_and_the_nearest() -> None:
    registry = Registry("thing")
    registry.register("linear")(build)
    registry.register("mlp")(build)
    with pytest.raises(BenchError) as raised:
        registry.get("liner")
    assert str(raised.value) == "unknown thing 'liner'; did you mean linear? (there are: linear, mlp)"


def test_entries_come_in_the_order_of_their_names() -> None:
    registry = Registry("thing")
    for name in ("b", "c", "a"):
        registry.register(name)(build)
    assert [entry.name for entry in registry] == ["a", "b", "c"]
