"""Where the results of duels lie: results/<suite>-duel/<moment>/A and …/B, each an ordinary folder of results."""

from datetime import UTC, datetime
from pathlib import Path

SIDES = ("A", "B")


def new_folder(results: Path, suite: str) -> Path:
    """The folder of a duel that begins now; it is not made."""
    return results / f"{suite}-duel" / f"{datetime.now(UTC):%Y%m%dT%H%M%S-%f}"


def folders_of(folder: Path) -> tuple[Path, Path] | None:
    """The folders of both sides: of the duel in `folder`, or of the newest of several there; None: there is none."""
    for each in (folder, *sorted(folder.glob("*/"), reverse=True)):
        a, b = (each / side for side in SIDES)
        if (a / "trials").is_dir() or (b / "trials").is_dir():
            return a, b
    return None


def instead_of(folder: Path) -> str:
    """What to give to a command that takes one folder of results and got that of a duel; empty where it is none."""
    found = folders_of(folder)
    if found is None:
        return ""
    return f"a duel lies there; bench compare {folder} shows it, and its two sides are {found[0]} and {found[1]}"
