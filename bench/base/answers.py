"""Which examples of a test set a trained model got right: a bit each, as a result carries them."""

import base64
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MOST_EXAMPLES = 2**20  # 175 kB of a line; of a larger test set nothing is stored
TEST_SET = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Answers:
    """What a trained model got right of its test set. It may come from anybody: ValueError where it cannot be.

    right: base64 of a bit an example in the order of the test set, the first one in the highest bit (`numpy.packbits`);
    bits behind the last example are 0.
    test_set: digest of the images and labels as they lie. The same for two seeds: the same test set.
    trained_on: training images, after `train_limit` and the validation part.
    """

    right: str
    examples: int
    test_set: str
    trained_on: int

    def __post_init__(self) -> None:
        if not 1 <= self.examples <= MOST_EXAMPLES or not 1 <= self.trained_on < 2**63:
            raise ValueError(f"{self.examples:,} test examples, trained on {self.trained_on:,}")
        if not TEST_SET.fullmatch(self.test_set):
            raise ValueError("a test set without a digest")
        packed = base64.b64decode(self.right, validate=True)
        size = -(-self.examples // 8)
        if len(packed) != size or packed[-1] & ((1 << (8 * size - self.examples)) - 1) or self.right != _text(packed):
            raise ValueError(f"{len(self.right):,} characters for {self.examples:,} test examples")

    @classmethod
    def of(cls, right: "npt.NDArray[np.bool_]", *, test_set: str, trained_on: int) -> "Answers | None":
        """Of `right` (N,): whether each example was classified right. None where there are too many."""
        import numpy as np

        if len(right) > MOST_EXAMPLES:
            return None
        return cls(_text(np.packbits(right).tobytes()), len(right), test_set, trained_on)

    @property
    def count_right(self) -> int:
        return int.from_bytes(base64.b64decode(self.right)).bit_count()

    def each(self) -> "npt.NDArray[np.bool_]":
        """(N,) whether each example was classified right."""
        import numpy as np

        packed = np.frombuffer(base64.b64decode(self.right), dtype=np.uint8)
        return np.unpackbits(packed, count=self.examples).astype(np.bool_)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _text(packed: bytes) -> str:
    return base64.b64encode(packed).decode("ascii")
