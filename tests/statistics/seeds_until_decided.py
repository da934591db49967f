"""`python -m tests.statistics.seeds_until_decided [--repeats N]`: the table of docs/comparing.md, in Markdown.

Ladders of two, three and six models; all models but the best are equal, the best is ahead by so many standard
deviations of a difference of two models. Three seeds, then rounds up to 30, as `run --until-decided` has them, by the
product's own test (the seeds' part of it: without stored answers to test examples the rest agrees). Beside it a t-test
at the same alpha = .05 / K after a number of seeds that was fixed before, and one at .05 that is looked at after each.
"""

from __future__ import annotations

import argparse
import math
from itertools import combinations

import numpy as np
from scipy import stats

from bench.base.answers import Answers
from bench.base.records import digest
from bench.results.decisions import LEVEL, Pair, Scored
from bench.statistics.accuracies import accuracy_evidence
from bench.statistics.sequential import half_width_factor

FIRST, MOST = 3, 30
FIXED = (5, 10, 30)
AHEAD = (0.0, 0.5, 1.0, 2.0, 3.0)  # in sd of a difference


def errors_off(differences: np.ndarray, value: float = 0.0) -> np.ndarray:
    """|mean - value| in its standard errors after the first 2, 3, … of `differences` (R, 30); (R, 31), 0 for fewer."""
    found = np.zeros((len(differences), MOST + 1))
    for n in range(2, MOST + 1):
        part = differences[:, :n]
        found[:, n] = np.abs(part.mean(axis=1) - value) / (part.std(axis=1, ddof=1) / math.sqrt(n))
    return found


def first_past(errors: np.ndarray, limits: dict[int, float]) -> np.ndarray:
    """The first n at which `errors` (R, 31) are over the limit, 0 where they never are; (R,)."""
    found = np.zeros(len(errors), dtype=int)
    for n, limit in limits.items():
        found[(found == 0) & (errors[:, n] > limit)] = n
    return found


def measure(models: int, ahead: float, repeats: int, *, skewed: bool = False) -> dict[str, float]:
    """Shares of ladders, and mean seeds."""
    draw = np.random.default_rng(int(1000 * models + 10 * ahead))
    pairs = list(combinations(range(models), 2))
    alpha = LEVEL / len(pairs)
    own = draw.exponential(size=(repeats, models, MOST)) if skewed else draw.normal(size=(repeats, models, MOST))
    if skewed:  # the difference itself is exponential
        own[:, 1:] = 0.0
        own[:, 0] -= 1.0
    own[:, 0] += ahead * (1.0 if skewed else math.sqrt(2))
    tests = {n: half_width_factor(n, alpha) for n in range(FIRST, MOST + 1)}
    looks = {n: float(stats.t.ppf(0.975, n - 1)) for n in range(FIRST, MOST + 1)}
    seeds = np.full((repeats, models), FIRST)
    false, found = np.zeros(repeats, dtype=bool), np.zeros((repeats, len(pairs)), dtype=bool)
    holds = 0.0
    peeked, fixed = np.zeros(repeats, dtype=bool), dict.fromkeys(FIXED, 0.0)
    for place, (one, other) in enumerate(pairs):
        errors = errors_off(own[:, one] - own[:, other])
        stopped = first_past(errors, tests)
        found[:, place] = stopped > 0
        for model in (one, other):  # a model goes on as long as one of its pairs is open
            seeds[:, model] = np.maximum(seeds[:, model], np.where(stopped > 0, stopped, MOST))
        if one != 0 or ahead == 0:  # equal ones
            false |= stopped > 0
            peeked |= first_past(errors, looks) > 0
        if one == 0:  # what the table shows of it at the stop of this pair
            ends = np.where(stopped > 0, stopped, MOST)
            off = errors_off(own[:, one] - own[:, other], ahead * math.sqrt(2))[np.arange(repeats), ends]
            holds += float((off <= stats.t.ppf(0.975, ends - 1)).mean()) / (models - 1)
        for n in FIXED if one == 0 else ():
            limit = float(stats.t.ppf(1 - alpha / 2, n - 1))
            fixed[n] += float((errors[:, n] > limit).mean()) / (models - 1)
    best = found[:, : models - 1]  # the pairs of the first one
    return {
        "false": float(false.mean()),
        "peeked": float(peeked.mean()),
        "power": float(best.mean()),
        "holds": holds,
        "seeds": float(seeds[:, 0].mean()),
        **{f"fixed {n}": value for n, value in fixed.items()},
    }


def new_examples(examples: int, spread: float, repeats: int) -> tuple[float, float]:
    """Two models that are right in 90 % of new examples, with a chance of their own for each of the test set's, so that
    it favours one of them: how often a run tells them apart, and one look after ten seeds."""
    draw, run, once = np.random.default_rng(examples), 0, 0
    for _ in range(repeats):
        chances = [draw.beta(0.9 * spread, 0.1 * spread, size=examples) for _ in range(2)]
        first, second = (draw.random((MOST, examples)) < chance for chance in chances)
        once += accuracy_evidence(first[:10], second[:10]).p_value() <= LEVEL
        sides = [[_scored(right) for right in side] for side in (first, second)]
        pair = Pair("first", "second", alpha=LEVEL, within=0.005)
        for n in range(FIRST, MOST + 1):
            pair.look(sides[0][:n], sides[1][:n])
        run += pair.verdict == "different"
    return run / repeats, once / repeats


def _scored(right: np.ndarray) -> Scored:
    return Scored(float(right.mean()), Answers.of(right, test_set=digest("one"), trained_on=1000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20_000)
    repeats = parser.parse_args().repeats
    fixed_heads = [f"t-test at {n}" for n in FIXED]
    heads = ["models", "the best is ahead by", "told apart", "seeds", *fixed_heads, "false", "t each seed", "± holds"]
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for models in (2, 3, 6):
        for ahead in AHEAD:
            row = measure(models, ahead, repeats)
            shares = [f"{row['power']:.2f}"] if ahead else ["–"]
            fixed = [f"{row[f'fixed {n}']:.2f}" if ahead else "–" for n in FIXED]
            wrong = [f"{row[name]:.3f}" for name in ("false", "peeked")] if models > 2 or not ahead else ["–", "–"]
            what = f"{ahead:g} sd" if ahead else "nothing"
            cells = [str(models), what, *shares, f"{row['seeds']:.1f}", *fixed, *wrong, f"{row['holds']:.2f}"]
            print("| " + " | ".join(cells) + " |")
    skew = measure(2, 0.0, repeats, skewed=True)
    print(f"\nexponential differences, two models: false {skew['false']:.3f}")
    for examples, spread in ((300, 1.0), (300, 5.0), (1000, 0.3), (3000, 2.0)):
        run, once = new_examples(examples, spread, repeats // 10)
        print(f"equal but for {examples:,} test examples, spread {spread:g}: false {run:.3f}; at one look {once:.3f}")


if __name__ == "__main__":
    main()
