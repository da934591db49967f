"""Markers in a document: where blocks begin and end, and what is asked for in each.

Markdown:          <!-- bench:summary rows=model metric=test_accuracy -->   …   <!-- /bench -->
reStructuredText:  .. bench:summary rows=model metric=test_accuracy        …   .. /bench   (both are comments there)
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from bench.base import files
from bench.errors import BenchError

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ATTRIBUTE = re.compile(r"""\s*([A-Za-z][\w.]*)=("[^"]*"|'[^']*'|[^\s"']+)(?=\s|$)""")
_NAME = re.compile(r"bench:([A-Za-z][\w-]*)(?=\s|$)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
SYNTAX = {".md": "md", ".markdown": "md", ".rst": "rst"}


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a document. `line` is the number of its first marker; its content is lines[start:end]."""

    name: str
    attributes: Mapping[str, str]
    line: int
    start: int
    end: int
    newline: str


@dataclass(slots=True)
class Document:
    """A document's lines, each with its own line break, and its blocks in order."""

    path: Path
    syntax: str
    lines: list[str]
    blocks: list[Block] = field(default_factory=list)

    def refuse(self, line: int, text: str) -> BenchError:
        return BenchError(f"{self.path}:{line}: {text}")


def read_document(path: Path) -> Document:
    """The document with its blocks. BenchError: no such file, not UTF-8, neither kind of markup, or a bad marker."""
    syntax = SYNTAX.get(path.suffix.lower())
    if syntax is None:
        raise BenchError(f"{path}: neither Markdown nor reStructuredText (a document ends in {', '.join(SYNTAX)})")
    try:
        text = files.read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BenchError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise BenchError(f"{path}: cannot be read ({files.why(error)})") from error
    document = Document(path, syntax, _LINE.findall(text))
    document.blocks = _Markdown(document).blocks() if syntax == "md" else _Rst(document).blocks()
    return document


class _Scanner:
    """Finds the blocks of a document; its subclasses know what a marker looks like."""

    first, last = "", ""  # how the two markers are written
    begin: ClassVar[re.Pattern[str]]
    end: ClassVar[re.Pattern[str]]

    def __init__(self, document: Document) -> None:
        self.document = document
        self.plain = [line.lstrip("\ufeff").rstrip("\r\n") for line in document.lines]

    def blocks(self) -> list[Block]:
        found, at = [], 0
        while at < len(self.plain):
            if self.end.match(self.plain[at]):
                raise self.document.refuse(at + 1, f"{self.last} without a {self.first} before it")
            if self.begin.match(self.plain[at]):
                found.append(self._block(at))
                at = found[-1].end + 1
            else:
                at = self.after(at)
        return found

    def _block(self, at: int) -> Block:
        text, start = self.marker(at)
        name, attributes = self._parsed(text, line=at + 1)
        end = self.first_line(start, self.end.match)
        if any(map(self.begin.match, self.plain[start:end])) or end == len(self.plain):
            raise self.document.refuse(at + 1, f"bench:{name} is not closed: {self.last} is missing below it")
        newline = "\r\n" if self.document.lines[at].endswith("\r\n") else "\n"
        return Block(name, attributes, at + 1, start, end, newline)

    def first_line(self, at: int, test: Callable[[str], object]) -> int:
        """The first line from `at` on that passes `test`; the number of lines where none does."""
        return next((index for index in range(at, len(self.plain)) if test(self.plain[index])), len(self.plain))

    def _parsed(self, text: str, *, line: int) -> tuple[str, dict[str, str]]:
        named = _NAME.match(text)
        if named is None:
            raise self.document.refuse(line, f"a block has a name: {self.first}, not {text.split()[0]!r}")
        attributes: dict[str, str] = {}
        rest = text[named.end() :].rstrip()
        while rest:
            found = _ATTRIBUTE.match(rest)
            if found is None:
                says = f'bench:{named[1]}: cannot read {rest.split()[0]!r}: attributes are key=value, key="two words"'
                raise self.document.refuse(line, says)
            if found[1] in attributes:
                raise self.document.refuse(line, f"bench:{named[1]}: {found[1]} is given twice")
            attributes[found[1]] = found[2].strip("\"'")
            rest = rest[found.end() :]
        return named[1], attributes

    def marker(self, at: int) -> tuple[str, int]:
        """What the marker that begins on line `at` says, and the first line below it."""
        raise NotImplementedError

    def after(self, at: int) -> int:
        """The next line that may be a marker."""
        return at + 1


class _Markdown(_Scanner):
    """Comments of HTML that begin a line; what stands in a fence of code is no marker."""

    first, last = "<!-- bench:NAME … -->", "<!-- /bench -->"
    begin = re.compile(r" {0,3}<!--\s*bench:")
    end = re.compile(r" {0,3}<!--\s*/bench\s*-->\s*$")

    def marker(self, at: int) -> tuple[str, int]:
        end = self.first_line(at, lambda line: "-->" in line)
        if end == len(self.plain):
            raise self.document.refuse(at + 1, "this comment is not closed: --> is missing")
        inner, _, behind = " ".join(self.plain[at : end + 1]).partition("<!--")[2].partition("-->")
        if behind.strip():
            says = f"{behind.strip()[:40]!r} stands behind a marker: it needs its own line"
            raise self.document.refuse(end + 1, says)
        return inner.strip(), end + 1

    def after(self, at: int) -> int:
        fence = _FENCE.match(self.plain[at])
        if fence is None or (fence[1][0] == "`" and "`" in fence[2]):
            return at + 1
        closing = re.compile(rf" {{0,3}}{re.escape(fence[1][0])}{{{len(fence[1])},}}\s*$")
        return self.first_line(at + 1, closing.match) + 1


class _Rst(_Scanner):
    """Comments at the left margin; lines that are indented below the first one belong to it."""

    first, last = ".. bench:NAME …", ".. /bench"
    begin = re.compile(r"\.\.\s+bench:(?!:)")  # `.. name::` would be a directive
    end = re.compile(r"\.\.\s+/bench\s*$")

    def marker(self, at: int) -> tuple[str, int]:
        if at and self.plain[at - 1].strip() and not self.plain[at - 1].startswith(".."):
            raise self.document.refuse(at + 1, "an empty line is missing before it: without one this is no comment")
        end = self.first_line(at + 1, lambda line: not re.match(r"[ \t]+\S", line))
        return " ".join(self.plain[at:end])[2:].strip(), end
