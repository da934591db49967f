"""A document with its blocks made anew: written, or only compared. The rest of it stays, to the byte."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.base import files
from bench.errors import BenchError
from bench.publish.blocks import content
from bench.publish.markers import Block, read_document
from bench.publish.markup import MARKUPS
from bench.publish.request import Request
from bench.publish.source import BlockError, Source

# (a folder or suite file, how the document names it) → what lies there; BenchError where that is nothing.
Opener = Callable[[Path, str], Source]
EXCERPT = 60


@dataclass(slots=True)
class Refreshed:
    """What became of one document. `blocks` were made, `left` are of other results. `stale`: of each block that
    differed one line with file, line, name and the first difference."""

    path: Path
    text: str = ""
    blocks: int = 0
    left: int = 0
    stale: list[str] = field(default_factory=list)
    copies: dict[Path, bytes] = field(default_factory=dict)


def refresh(path: Path, *, opened: Opener, given: Path | None = None, check: bool = False) -> Refreshed:
    """Make the blocks of the document `path` anew; nothing is written yet.

    `given`: the results on the command line. Then blocks that name other results (`results=`, relative to the
    document) are left as they are; without it every block has to name its own. BenchError: a bad marker, no results.
    """
    document = read_document(path)
    found, at = Refreshed(path), 0
    lines: list[str] = []
    said: dict[Path, set[str]] = {}
    for block in document.blocks:
        lines += document.lines[at : block.start]
        old = document.lines[block.start : block.end]
        try:
            source = _source(path, block, opened=opened, given=given)
            if source is None:
                found.left += 1
                lines += old
            else:
                before = said.setdefault(source.folder.resolve(), set())
                request = Request(block.attributes, source, MARKUPS[document.syntax], path.parent, check, before)
                lines += _made(found, block, old, request)
        except (BlockError, BenchError) as error:
            raise document.refuse(block.line, f"bench:{block.name}: {error}") from None
        at = block.end
    found.text = "".join([*lines, *document.lines[at:]])
    return found


def _made(found: Refreshed, block: Block, old: Sequence[str], request: Request) -> list[str]:
    """The lines of one block, made anew."""
    new = [line + block.newline for line in ["", *content(block.name, request).split("\n"), ""]]
    found.blocks += 1
    if both := [path for path, data in request.copies.items() if found.copies.get(path, data) != data]:
        raise BlockError(f"another block puts other results at {both[0].name}: give one of them its own copy=FOLDER")
    found.copies |= request.copies
    changed = (f"{path.name} is not what the report has" for path, data in request.copies.items()
               if not _holds(path, data))  # fmt: skip
    if why := _difference(old, new, first=block.start + 1) or next(changed, ""):
        found.stale.append(f"{found.path}:{block.line}: bench:{block.name} is stale: {why}")
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


def write(found: Refreshed) -> bool:
    """Write the document and its pictures where they changed. Says whether anything was. BenchError where it cannot be
    written."""
    wanted = {**found.copies, found.path: found.text.encode("utf-8")}
    changed = {path: data for path, data in wanted.items() if not _holds(path, data)}
    for path, data in changed.items():
        try:
            if path == found.path:  # the user named it, and may have named a link
                files.write(path.resolve(), data, sync=True)
            else:
                files.write(path, data, inside=found.path.parent, sync=True)
        except OSError as error:
            raise BenchError(f"{path}: cannot be written ({files.why(error)})") from error
    return bool(changed)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.is_file() and files.read(path) == data
    except OSError:
        return False
