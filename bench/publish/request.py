"""What one marker asks for, and what it leaves out: filters, links, notes, pictures beside the document."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os.path import normpath
from pathlib import Path

from bench.analysis.cells import Section
from bench.base import files
from bench.errors import nearest
from bench.present.tables import Table
from bench.publish.markup import Markup
from bench.publish.source import AXES, SHORT, BlockError, Source, axis_of, choose, provenance

LINKS = ("none", "copy")  # or an address
NOTES = ("full", "once", "none")
_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\]+")
_FOOTNOTE = re.compile(r"(\([a-z]+\)|[†‡≠–]|Bold:)\s")  # what explains a mark in the table stays with it


@dataclass(slots=True)
class Request:
    """What one marker asks for. `document` is its folder; `check`: nothing may be written. `said`: the notes that
    earlier blocks of the document gave of the same results."""

    attributes: Mapping[str, str]
    source: Source
    markup: Markup
    document: Path
    check: bool = False
    said: set[str] = field(default_factory=set)
    copies: dict[Path, bytes] = field(default_factory=dict)  # what to put beside the document
    shortened: bool = False  # whether `notes=once` left something out

    @property
    def filters(self) -> dict[str, list[str]]:
        """Axis → values: every attribute that is one."""
        given = {key: text for key, text in self.attributes.items() if key in AXES or key in SHORT}
        return {axis_of(key): [part.strip() for part in text.split(",")] for key, text in given.items()}

    def sections(self) -> list[Section]:
        return choose(self.source, self.filters)

    def listed(self, key: str) -> list[str]:
        return [part.strip() for part in self.attributes.get(key, "").split(",") if part.strip()]

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """The value of `key`, one of `choices`; the first where it is not given. BlockError: another one."""
        value = self.attributes.get(key, choices[0])
        if value not in choices:
            raise BlockError(
                f"{key}={value}: no such choice{nearest(value, choices)} (there are: {', '.join(choices)})"
            )
        return value

    @property
    def link(self) -> str:
        """Where links lead: empty (the report where it lies), none, copy, or an address. BlockError: neither."""
        value = self.attributes.get("link", "")
        if value in ("", *LINKS) or _ADDRESS.fullmatch(value):
            return value
        raise BlockError(f"link={value}: none, copy, or an address that begins with https:// or http://")

    def target(self) -> str:
        """What a link to the report names; empty where there is to be none."""
        if self.link == "copy":
            page = self.source.folder / "report" / "index.html"
            return self.copied(page, f"{self.source.name}.html", what="the page of the report")
        if self.link:
            return "" if self.link == "none" else self.link
        return f"{self.source.shown}/report/report.md" if self.source.shown else ""

    def origin(self, sections: Sequence[Section], *, more: str = "") -> list[str]:
        """The line that says where a block is from, with a link to the whole report where there is to be one. `more`
        stands at its end."""
        said, target = self.markup.text(provenance(self.source, sections)), self.target()
        report = f"{self.markup.link('report' if self.link else self.source.shown, target)} · " if target else ""
        return self._kept([f"{self.markup.text('Source:')} {report}{said}{more}."])

    def table(self, table: Table) -> str:
        """A table with as many of its notes as the marker wants."""
        return self.markup.table(replace(table, notes=tuple(self._kept(table.notes))))

    def notes(self, texts: Iterable[str]) -> list[str]:
        """The paragraphs that say under which conditions figures were taken, and what they mean."""
        return [self.markup.text(text) for text in self._kept(texts)]

    def _kept(self, texts: Iterable[str]) -> list[str]:
        """`texts` as the marker wants them: all, those that the document has not said yet, or none. What explains a
        mark in a table is always there."""
        wanted = self.choice("notes", NOTES)
        found = []
        for text in texts:
            again = wanted == "once" and text in self.said
            if _FOOTNOTE.match(text) or (wanted != "none" and not again):
                found.append(text)
            self.shortened |= again
            if wanted != "none":
                self.said.add(text)
        return found

    def copied(self, path: Path, name: str, *, what: str) -> str:
        """Has a file of the report copied into the folder `copy=` as `name`; returns how the document names it.
        BlockError: no such file, or a folder that is not the document's own."""
        folder = self.attributes.get("copy")
        if folder is None:
            raise BlockError("link=copy: into which folder? say copy=FOLDER, one of the document's own")
        copy = Path(folder) / name
        if folder.startswith("~") or not self._may_hold((self.document / copy).parent):
            where = "a folder of the document's own, relative to it: not above it, no link, no folder of results, no ~"
            raise BlockError(f"copy={folder}: pictures and pages go into {where}")
        try:
            self.copies[self.document / copy] = files.read(path, inside=self.source.folder)
        except OSError:
            raise BlockError(f"{path}: {what} cannot be read; remove it and run bench report") from None
        return Path(normpath(copy)).as_posix()

    def _may_hold(self, folder: Path) -> bool:
        """Whether copies may be put into a folder: below the document, without a link, and neither one of results, in
        such a one, nor the one that holds the block's."""
        try:
            files.refuse_links(folder, inside=self.document)
        except OSError:
            return False
        below = [each for each in (folder, *folder.parents) if self.document in each.parents]
        holds_results = folder.absolute() == self.source.folder.absolute().parent
        return not holds_results and not any((each / "trials").is_dir() for each in below)
