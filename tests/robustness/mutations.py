"""Ways to damage bytes and JSON: each takes a random generator, so that a seed gives the same input again."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

# What breaks parsers: signs, powers of two and their neighbours, sizes that no memory has.
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**61, 2**63 - 1, 2**64 - 1)
TEXTS = (
    "",
    "x",
    "x" * 5000,
    "../../../etc/passwd",
    "/etc/passwd",
    "<script>alert(1)</script>",
    "=CMD()",
    "|a|b|",
    "$\\frac{1}{0}$",
    "a\nb",
    "\x00",
    "\ud800",
    "\u202e\u0301é漢",
    "nan",
    "1",
    "ok",
    "skipped",
)
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**70), 10**400, 0.5, -0.0, 1e308, -1e308, 5e-324,
    float("nan"), float("inf"), *TEXTS,
)  # fmt: skip


def mutate(content: bytes, rng: random.Random, *, times: int = 4) -> bytes:
    """One to `times` random changes of some bytes."""
    found = bytearray(content)
    for _ in range(rng.randint(1, times)):
        rng.choice((_flip, _overwrite, _number, _cut, _remove, _repeat, _insert))(found, rng)
    return bytes(found)


def _place(found: bytearray, rng: random.Random) -> int:
    # Headers are where the meaning is: half of all changes fall there.
    end = len(found) if rng.random() < 0.5 else min(len(found), 256)
    return rng.randrange(end) if end else 0


def _flip(found: bytearray, rng: random.Random) -> None:
    if found:
        found[_place(found, rng)] ^= 1 << rng.randrange(8)


def _overwrite(found: bytearray, rng: random.Random) -> None:
    at = _place(found, rng)
    found[at : at + rng.randint(1, 16)] = rng.randbytes(rng.randint(1, 16))


def _number(found: bytearray, rng: random.Random) -> None:
    at, form = _place(found, rng), rng.choice(("B", ">H", "<H", ">I", "<I", ">Q", "<Q"))
    size = struct.calcsize(form)
    found[at : at + size] = struct.pack(form, rng.choice(NUMBERS) % 256**size)


def _cut(found: bytearray, rng: random.Random) -> None:
    if found:
        del found[rng.randrange(len(found)) :]


def _remove(found: bytearray, rng: random.Random) -> None:
    at = _place(found, rng)
    del found[at : at + rng.randint(1, 64)]


def _repeat(found: bytearray, rng: random.Random) -> None:
    at = _place(found, rng)
    piece = bytes(found[at : at + rng.randint(1, 64)])
    found[at:at] = piece * rng.choice((1, 2, 50))


def _insert(found: bytearray, rng: random.Random) -> None:
    at = _place(found, rng)
    found[at:at] = rng.randbytes(rng.randint(1, 32))


def hostile(rng: random.Random) -> Any:
    """A JSON value that nobody expects."""
    match rng.randrange(8):
        case 0:
            return [rng.choice(SCALARS) for _ in range(rng.randrange(4))]
        case 1:
            return {str(rng.choice(TEXTS)): rng.choice(SCALARS) for _ in range(rng.randrange(3))}
        case 2:
            deep: Any = rng.choice(SCALARS)
            for _ in range(rng.choice((2, 50, 150))):
                deep = [deep] if rng.random() < 0.5 else {"a": deep}
            return deep
        case _:
            return rng.choice(SCALARS)


def mutate_json(value: Any, rng: random.Random) -> Any:
    """A copy in which one to three places hold something else, are gone, or have another name."""
    found = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 3)):
        found = _change(found, rng)
    return found


def _change(value: Any, rng: random.Random) -> Any:
    """Go down to a random place, and change it."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.15:
        return hostile(rng)
    key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    action = rng.random()
    if action < 0.1:
        del value[key]
    elif action < 0.2 and isinstance(value, dict):
        value[str(rng.choice(TEXTS))] = value.pop(key)
    elif action < 0.25 and isinstance(value, list):
        value.extend(value[:1] * rng.choice((1, 100)))
    else:
        value[key] = _change(value[key], rng)
    return value
