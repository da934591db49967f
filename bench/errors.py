"""The exceptions that cross a module's border. A user's mistake is a BenchError: one line, no traceback."""

import difflib
import re
from collections.abc import Iterable

EXIT_OK, EXIT_TRIALS, EXIT_USAGE, EXIT_SIGINT, EXIT_SIGTERM = 0, 1, 2, 130, 143
EXIT_WORSE, EXIT_UNDECIDED = 3, 4  # of a gate and of `bench compare --fail-on`
LONGEST = 1500  # characters of a message: texts of a file that is read stand in it, and may be of any length


class BenchError(Exception):
    """A mistake of the user's, or a thing that is not there: one line that says what, where, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class Unavailable(BenchError):
    """What a trial needs is not there (a file, a device, a capability): the trial is `skipped` with this reason."""


class DataError(BenchError):
    """A data file is damaged or not what it claims to be: the trial is `failed`, never trained on it."""


def one_line(text: str) -> str:
    """`text` on one line that a terminal can show: what cannot be printed is escaped, a long one cut in its middle."""
    line = escaped(" ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"


def said_by(error: BaseException) -> str:
    """What an exception says; empty where it cannot even be asked: it may be a model's own."""
    try:
        return unicode_of(str(error))
    except BaseException:
        return ""


def unicode_of(text: str) -> str:
    """`text` with escapes for what is no character: a name of a file may be any bytes."""
    return text.encode(errors="backslashreplace").decode()


def escaped(text: str) -> str:
    """`text` with escapes for what a terminal might take for a command, or cannot show."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def numberless(text: str) -> str:
    """`text` with # for each number: two that are equal then say the same of different counts."""
    return re.sub(r"[0-9]+([.,][0-9]+)*", "#", text)


def nearest(name: str, choices: Iterable[str]) -> str:
    """'; did you mean X?' where one of `choices` is close to `name`, else an empty string."""
    close = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
