"""The bits of a result that say which test examples were right: there and back, and nothing that cannot be."""

import base64
from typing import Any

import numpy as np
import pytest

from bench.base.answers import MOST_EXAMPLES, Answers

SET = "0123456789abcdef"


@pytest.mark.parametrize("count", [1, 7, 8, 9, 360, 10_000])
def test_the_bits_come_back_in_their_order(count: int) -> None:
    right = np.random.default_rng(count).random(count) < 0.7
    found = Answers.of(right, test_set=SET, trained_on=1437)
    assert found is not None
    assert found.each().tolist() == right.tolist()
    assert found.count_right == right.sum()
    assert len(found.right) <= 4 * (count // 8 + 3) / 3  # a bit an example, and what base64 adds
    assert Answers(**found.to_json()) == found


def test_the_first_example_is_the_highest_bit() -> None:
    found = Answers.of(
        np.array([True, False, False, False, False, False, False, True, True]), test_set=SET, trained_on=1
    )
    assert found == Answers(base64.b64encode(bytes([0b10000001, 0b10000000])).decode(), 9, SET, 1)


def test_of_a_very_large_test_set_nothing_is_stored() -> None:
    assert Answers.of(np.ones(MOST_EXAMPLES + 1, dtype=np.bool_), test_set=SET, trained_on=1) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"right": ""},
        {"right": "gA=="},  # 8 bits for 9 examples
        {"right": "gYCA"},  # 24
        {"right": "gf8="},  # bits behind the last example
        {"right": "gYA"},  # without its padding
        {"right": "gYA=\n"},
        {"right": "g_A="},  # another alphabet
        {"right": "gYB="},  # bits in the padding: two texts for one content
        {"right": "gYÄ="},
        {"examples": 0},
        {"examples": -9},
        {"examples": 17},
        {"examples": 2**62},
        {"test_set": ""},
        {"test_set": "0123456789ABCDEF"},
        {"test_set": "0123456789abcdef\n"},
        {"trained_on": 0},
        {"trained_on": 2**63},
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, Any]) -> None:
    whole = {"right": "gYA=", "examples": 9, "test_set": SET, "trained_on": 100}
    assert Answers(**whole).count_right == 3
    with pytest.raises(ValueError, match=r"test examples|digest|base64|padding|ASCII|ascii|Only|Non"):
        Answers(**(whole | changed))
