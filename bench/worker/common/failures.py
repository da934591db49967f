"""From an exception to a status, a reason of one line and a traceback that can be published."""

import errno
import traceback

import torch

from bench.base.privacy import published
from bench.errors import BenchError, Unavailable

# The disk is to blame, not the model: the trial has no result, and the run stops.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class Diverged(Exception):
    """A loss is not finite."""


def classify(error: BaseException) -> tuple[str, str]:
    """Status and one-line reason of a trial that ended with `error`."""
    text = " ".join(str(error).split())
    if isinstance(error, Unavailable):
        return "skipped", shortened(text)
    if isinstance(error, Diverged):
        return "diverged", shortened(text)
    # The CPU allocator raises a plain RuntimeError; MPS too.
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in text or "out of memory" in text.lower())
    ):
        return "oom", shortened(text or "MemoryError: the host has no more memory")
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return "interrupted", shortened(f"{error.strerror or text}, while the trial wrote")
    if isinstance(error, BenchError):
        return "failed", shortened(text)
    return "failed", shortened(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def first_line(error: BaseException, limit: int = 150) -> str:
    """The first line of an error's message, cut short: a part of a longer reason."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shortened(lines[0].strip(), limit)


def shortened(text: str, limit: int = 300) -> str:
    """One line of at most `limit` characters that can be published."""
    text = published(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def readable_traceback(error: BaseException) -> str:
    """The traceback, with ~ for the home path: results get published."""
    return published("".join(traceback.format_exception(error)))
