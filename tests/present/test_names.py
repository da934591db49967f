"""Short names: no two alike, and what tells them apart is kept."""

from __future__ import annotations

import itertools
import random

import pytest

from bench.present.names import cut, short_names, width


@pytest.mark.parametrize(
    ("names", "texts"),
    [
        (["mlp", "a" * 28], ["mlp", "a" * 28]),
        (["resnet(stem=small, width=very wide indeed)", "mlp"], ["resnet(stem=sm… wide indeed)", "mlp"]),
        # in the middle
        (
            [f"tagged(tag=block {each} with relu and dropout, wide variant)" for each in (1, 2)],
            ["tagged(tag=block 1 with rel…", "tagged(tag=block 2 with rel…"],
        ),
        # after a long beginning
        (
            [f"transformer(activation=gelu, normalisation=layer, depth={each}, heads=4, width=64)" for each in (8, 12)],
            ["transformer…depth=8, heads=…", "transformer…depth=12, heads…"],
        ),
        # at the end, one the beginning of the other
        (
            [f"convolutional(normalisation=batch, layers={each}" for each in ("1", "10")],
            ["convolutional(…tch, layers=1", "convolutional(…ch, layers=10"],
        ),
        # in the first letters
        (
            [f"{each}efore_any_other_long_beginning_the_same" for each in "bB"],
            ["before_any_oth…ning_the_same", "Before_any_oth…ning_the_same"],
        ),
        (
            ["模型" * 10 + each + "网络" * 10 for each in "甲乙"],
            ["模型模型…模型模型甲网络网络…", "模型模型…模型模型乙网络网络…"],
        ),
        (["模" * 20 + "(1)", "模" * 20 + "(2)"], ["模模模模模模模…模模模模模(1)", "模模模模模模模…模模模模模(2)"]),
    ],
)
def test_what_differs_is_kept(names: list[str], texts: list[str]) -> None:
    found = short_names(names)
    assert list(found.values()) == texts
    assert max(map(width, texts)) <= 28


@pytest.mark.parametrize("most", [8, 10, 24, 28, 40])
def test_no_two_of_many_are_alike(most: int) -> None:
    draw = random.Random(0)
    sets = [
        [
            f"net(depth={a}, dropout={b}, activation={c})"
            for a, b, c in itertools.product((1, 2), (0.1, 0.15), ("relu", "gelu"))
        ],
        ["x" * length for length in range(30, 60)],
        ["".join(draw.choice("ab") for _ in range(60)) for _ in range(200)],
        [f"{'p' * 40}{index}{'s' * 40}" for index in range(120)],
        ["網" * index for index in range(1, 40)],
        [f"{'a' * 20} (1)", *(f"{'a' * 18}{each}{'a' * 20} (1)" for each in "bcd")],
    ]
    for names in sets:
        found = short_names(names, most=most)
        assert list(found) == names
        assert len(set(found.values())) == len(names)
        assert max(map(width, found.values())) <= most


def test_a_name_is_cut_by_columns() -> None:
    assert cut("a" * 30, 9) == "aaaa…aaaa"
    assert cut("模" * 10, 9) == "模模…模模"
    assert width("é" + "e\u0301" + "模ab") == 1 + 1 + 4
