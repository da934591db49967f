"""A document with its blocks made anew: written, or only compared. The rest of it stays, to the byte."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import BenchError
from bench.publish.blocks import Request, content
from bench.publish.markers import Block, Document, read_document
from bench.publish.markup import MARKUPS
from bench.publish.source import BlockError, Source

# (a folder or suite file, how the document names it) → what lies there; BenchError where that is nothing.
Opener = Callable[[Path, str], Source]
EXCERPT = 60


@dataclass(frozen=True, slots=True)
class Stale:
    """A block that does not say what the results say: where, and in which way."""

    line: int
    name: str
    why: str


@dataclass(slots=True)
class Outcome:
    """What became of one document. `blocks` were made, `left` are of other results; `stale` ones differed."""

    path: Path
    text: str
    blocks: int = 0
    left: int = 0
    stale: list[Stale] = field(default_factory=list)
    copies: dict[Path, bytes] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """One line for each stale block: file, line, name, the first difference."""
        for each in self.stale:
            yield f"{self.path}:{each.line}: bench:{each.name} is stale: {each.why}"


def refresh(path: Path, *, opened: Opener, given: Path | None = None, check: bool = False) -> Outcome:
    """Make the blocks of the document `path` anew; nothing is written yet.

    `given`: the results on the command line. Then blocks that name other results (`results=`, relative to the
    document) are left as they are; without it every block has to name its own. BenchError: a bad marker, no results.
    """
    document = read_document(path)
    outcome = Outcome(path, "")
    texts, at = [], 0
    for block in document.blocks:
        texts += document.lines[at : block.start]
        old = document.lines[block.start : block.end]
        texts += _block(document, block, old, opened=opened, given=given, check=check, outcome=outcome)
        at = block.end
    outcome.text = "".join([*texts, *document.lines[at:]])
    return outcome


def _block(
    document: Document,
    block: Block,
    old: Sequence[str],
    *,
    opened: Opener,
    given: Path | None,
    check: bool,
    outcome: Outcome,
) -> Sequence[str]:
    """The lines of one block: made anew, or as they were where it is of other results."""
    try:
        source = _source(document.path, block, opened=opened, given=given)
        if source is None:
            outcome.left += 1
            return old
        request = Request(block.attributes, source, MARKUPS[document.syntax], document.path.parent, check)
        made = content(block.name, request)
    except (BlockError, BenchError) as error:
        raise document.refuse(block.line, f"bench:{block.name}: {error}") from None
    outcome.blocks += 1
    outcome.copies |= request.copies
    new = [line + block.newline for line in ["", *made.split("\n"), ""]]
    if why := _difference(old, new, first=block.start + 1) or _copies(request.copies):
        outcome.stale.append(Stale(block.line, block.name, why))
    return new


def _source(path: Path, block: Block, *, opened: Opener, given: Path | None) -> Source | None:
    """The results of a block; None where the command is about others."""
    named = block.attributes.get("results", "")
    if not named and given is None:
        raise BlockError("of which results? say results=FOLDER (relative to this file), or: bench publish RESULTS …")
    if not named:
        return opened(given, "") if given is not None else None
    if Path(named).is_absolute():
        raise BlockError(f"results={named}: a folder relative to the document, so that it is there for others too")
    folder = path.parent / named
    if given is not None and folder.resolve() != opened(given, "").folder.resolve():
        return None
    return opened(folder, Path(named).as_posix())


def _difference(old: Sequence[str], new: Sequence[str], *, first: int) -> str:
    """The first line in which they differ; empty where they do not."""
    pairs = [(a.rstrip("\r\n"), b.rstrip("\r\n")) for a, b in zip(old, new, strict=False)]
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    if at is None:
        missing = f"{len(old)} lines, {len(new)} now" if len(old) != len(new) else ""
        return missing or ("other line breaks" if list(old) != list(new) else "")
    a, b = pairs[at]
    start = max(0, next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))) - 20)
    return f"line {first + at} has {_excerpt(a, start)}, now {_excerpt(b, start)}"


def _excerpt(line: str, start: int) -> str:
    part = line[start : start + EXCERPT]
    return f"'{'…' if start else ''}{part}{'…' if start + EXCERPT < len(line) else ''}'"


def _copies(copies: dict[Path, bytes]) -> str:
    for path, data in copies.items():
        if not path.is_file() or path.read_bytes() != data:
            return f"{path.name} is not the picture of the report"
    return ""


def write(outcome: Outcome) -> bool:
    """Write the document and its pictures where they changed: aside, then in its place, with its permissions. Says
    whether anything was. BenchError where it cannot be written."""
    changed = {path: data for path, data in outcome.copies.items() if not _holds(path, data)}
    text = outcome.text.encode("utf-8")
    if not _holds(outcome.path, text):
        changed[outcome.path] = text
    for path, data in changed.items():
        try:
            _replace(path.resolve(), data)
        except OSError as error:
            raise BenchError(f"{path}: cannot be written ({error.strerror or error})") from error
    return bool(changed)


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(data)
        if path.exists():
            shutil.copymode(path, aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
