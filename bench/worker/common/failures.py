"""From an exception to a status, a reason of one line and a traceback that can be published."""

import errno
import re
import traceback

import torch

from bench.base.privacy import published, reason
from bench.base.records import LONGEST_TRACEBACK
from bench.errors import BenchError, Unavailable, said_by, unicode_of

# The disk is to blame, not the model: the trial has no result, and the run stops.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


# What torch says where /dev/shm is full or not there; Python says nothing but a number, from synchronize.py.
_SHARED_MEMORY = re.compile(r"shared memory ?(\(shm\)|object|limit)|</?torch_\d+_\d+")
_SHARED_MEMORY_CURE = "give the container more (docker run --shm-size=8g), or set train.num_workers = 0"
_MOST_READ = 20_000  # characters of what an exception says
REASON = 300


class Diverged(Exception):
    """A loss is not finite."""


def classify(error: BaseException) -> tuple[str, str]:
    """Status and one-line reason of a trial that ended with `error`."""
    text = _said(error) or type(error).__name__
    if isinstance(error, Unavailable):
        return "skipped", shortened(text)
    if isinstance(error, Diverged):
        return "diverged", shortened(text)
    if _SHARED_MEMORY.search(text) or (isinstance(error, OSError) and _raised_in(error, "synchronize.py")):
        why = shortened(text, REASON // 3)
        return "failed", f"shared memory (/dev/shm) has no room or is not there: {why}; {_SHARED_MEMORY_CURE}"
    # The CPU allocator raises a plain RuntimeError; MPS too.
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in text or "out of memory" in text.lower())
    ):
        return "oom", shortened("MemoryError: the host has no more memory" if text == "MemoryError" else text)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return "interrupted", shortened(f"{error.strerror or text}, while the trial wrote")
    if isinstance(error, BenchError):
        return "failed", shortened(text)
    if isinstance(error, SystemExit | KeyboardInterrupt):
        call = f"sys.exit({text if error.args else ''})" if isinstance(error, SystemExit) else "KeyboardInterrupt"
        return "failed", shortened(f"the code of the trial ended itself: {call}; it has to return or to raise an error")
    name = type(error).__name__
    return "failed", shortened(name if text == name else f"{name}: {text}")


def _said(error: BaseException) -> str:
    """What an exception says, on one line. Of one from a loader's worker, which brings its traceback, the first line
    and the last."""
    text = ends(said_by(error).strip(), _MOST_READ)
    lines = text.splitlines()
    return " ".join((f"{lines[0]} {lines[-1]}" if "Original Traceback" in text else text).split())


def _raised_in(error: BaseException, file: str) -> bool:
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    return bool(frames) and frames[-1].filename.endswith(file)


def ends(text: str, most: int) -> str:
    """`text`, or of a longer one its first characters and its last ones, and how many are left out."""
    if len(text) <= most:
        return text
    left_out = f"\n… {len(text) - most:,} characters left out …\n"
    return text[: most // 4] + left_out + text[most // 4 - most :]


def first_line(error: BaseException, limit: int = 150) -> str:
    """The first line of an error's message, cut short: a part of a longer reason."""
    lines = ends(said_by(error).strip(), _MOST_READ).splitlines()
    return shortened(lines[0].strip() if lines else type(error).__name__, limit)


def shortened(text: str, limit: int = REASON) -> str:
    """One line of at most `limit` characters that can be published."""
    text = reason(" ".join(text.split()))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def readable_traceback(error: BaseException) -> str:
    """The traceback, with ~ for the home path: results get published. Of a long one, its ends."""
    text = unicode_of("".join(traceback.format_exception(error)))
    return published(ends(text, LONGEST_TRACEBACK // 4))  # characters of up to four bytes
