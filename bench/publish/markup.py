"""How a block is written in either kind of document."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from urllib.parse import quote

from bench.present.format import printable
from bench.present.tables import Table, TableCell, escape_markdown, to_markdown


class Markup(ABC):
    """Text becomes what shows as that text; parts of a block are put together with an empty line between."""

    @abstractmethod
    def text(self, text: str) -> str: ...
    @abstractmethod
    def link(self, text: str, target: str) -> str: ...
    @abstractmethod
    def image(self, path: str, *, alt: str, target: str) -> str: ...
    @abstractmethod
    def table(self, table: Table) -> str: ...

    def strong(self, text: str) -> str:
        return f"**{self.text(text)}**"

    def bullets(self, lines: Sequence[str]) -> str:
        return "\n".join(f"- {self.text(line)}" for line in lines)


class Markdown(Markup):
    """GitHub's Markdown."""

    def text(self, text: str) -> str:
        return escape_markdown(text)

    def link(self, text: str, target: str) -> str:
        return f"[{_brackets(escape_markdown(text))}]({_url(target)})"

    def image(self, path: str, *, alt: str, target: str) -> str:
        picture = f"![{_brackets(escape_markdown(alt))}]({_url(path)})"
        return f"[{picture}]({_url(target)})" if target else picture

    def table(self, table: Table) -> str:
        return to_markdown(table).rstrip()


class Rst(Markup):
    """reStructuredText as docutils and Sphinx read it."""

    def text(self, text: str) -> str:
        """`text` so that docutils shows it as it is: no inline markup, no list, no block that a line could begin."""
        escaped = re.sub(r"([\\`*|]|_(?=\W|$))", r"\\\1", printable(text))
        # A backslash before the first character ends every construct that a line begins with: lists, comments, fields.
        escaped = re.sub(r"^(?=[-+•‣⁃.:=~^\"'#(\[>]|\w+[.)]\s)", r"\\", escaped)
        return re.sub(r"::$", r":\\:", escaped)

    def link(self, text: str, target: str) -> str:
        return f"`{self.text(text).replace('<', chr(92) + '<')} <{_url(target)}>`__"

    def image(self, path: str, *, alt: str, target: str) -> str:
        lines = [f".. image:: {_url(path)}", f"   :alt: {printable(alt)}"]
        return "\n".join(lines + ([f"   :target: {_url(target)}"] if target else []))

    def table(self, table: Table) -> str:
        from tabulate import tabulate

        body = tabulate(
            [[self._cell(cell) for cell in row] for row in table.rows],
            headers=[self.text(column.head) for column in table.columns],
            colalign=["right" if column.numeric else "left" for column in table.columns] if table.rows else None,
            tablefmt="grid",
            disable_numparse=True,
        )
        return "\n\n".join([body, *map(self.text, table.notes)])

    def _cell(self, cell: TableCell) -> str:
        text = self.text(cell.text)
        return f"**{text}**" if cell.best and text else text


MARKUPS: dict[str, Markup] = {"md": Markdown(), "rst": Rst()}


def _brackets(text: str) -> str:
    return text.replace("\\[", "[").replace("\\]", "]").replace("[", "\\[").replace("]", "\\]")


def _url(path: str) -> str:
    return quote(path, safe="/:.~=+,@-_")
