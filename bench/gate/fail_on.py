"""`bench compare --fail-on`: the gate's procedure over the cells of a comparison."""

from collections.abc import Sequence

from bench.base.metrics import ACCURACY, Metric
from bench.errors import EXIT_OK, EXIT_UNDECIDED, EXIT_WORSE, BenchError, nearest
from bench.gate.judge import judge
from bench.gate.records import SLOWER, WITHIN, Asked
from bench.gate.text import headline, whys
from bench.pairing.sides import Side

WORDS = ("A", "B")
NAMES = ("slower", "accuracy", "missing")


def check_names(names: Sequence[str]) -> None:
    """Raises BenchError for a name that `--fail-on` does not know."""
    for name in names:
        if name not in NAMES:
            raise BenchError(f"--fail-on {name}: unknown{nearest(name, NAMES)} (there are: {', '.join(NAMES)})")


def fail_on(
    a: Side, b: Side, names: Sequence[str], *, metric: Metric, missing: str, live: bool = False
) -> tuple[int, list[str]]:
    """Returns the exit code for what `names` ask of B against A, and a sentence for each thing that is not well.

    `missing`: what of A cannot be compared; empty where all can. Raises BenchError where nobody said which end of
    `metric` is better.
    """
    if "slower" in names and not metric.built_in:
        raise BenchError(f"--fail-on slower: nobody said whether more or less of {metric.name} is better")
    by_ratio = "slower" in names and metric.name != ACCURACY
    by_accuracy = "accuracy" in names or ("slower" in names and not by_ratio)
    codes, texts = [EXIT_OK], []
    if "missing" in names and missing:
        codes.append(EXIT_WORSE)
        texts.append(missing)
    if by_ratio or by_accuracy:
        asked = Asked(WITHIN if by_accuracy else None, SLOWER if by_ratio else None, metric)
        gate = judge(a, b, asked=asked, words=WORDS, by_hand=True, live=live)
        if gate.verdict != "keep":
            codes.append(EXIT_WORSE if gate.verdict == "revert" else EXIT_UNDECIDED)
            texts += [headline(gate).replace("revert: ", ""), *(whys(gate) if gate.verdict == "undecided" else ())]
    return (EXIT_WORSE if EXIT_WORSE in codes else max(codes)), texts
