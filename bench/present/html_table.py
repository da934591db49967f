"""A table as a piece of HTML, for pages of the user's own: no style, no script, texts that show as they are."""

from html import escape

from bench.present.format import printable
from bench.present.tables import Table, TableCell


def to_html(table: Table) -> str:
    """A `<figure>` of class `bench` with the table, its title as its caption, and its notes below."""
    table = table.in_files
    kinds = ["number" if column.numeric else "text" for column in table.columns]
    heads = "".join(
        f'<th scope="col" class="{kind}">{_text(column.head)}</th>'
        for column, kind in zip(table.columns, kinds, strict=True)
    )
    rows = ["".join(_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)) for row in table.rows]
    lines = [
        '<figure class="bench">',
        "<table>",
        f"<caption>{_text(table.caption or table.title)}</caption>",
        f"<thead>\n<tr>{heads}</tr>\n</thead>",
        "<tbody>",
        *(f"<tr>{row}</tr>" for row in rows),
        "</tbody>\n</table>",
        "<figcaption>",
        *(f"<p>{_text(note)}</p>" for note in table.notes),
        "</figcaption>\n</figure>",
    ]
    return "\n".join(lines) + "\n"


def _cell(cell: TableCell, kind: str) -> str:
    text = _text(cell.text)
    return f'<td class="{kind}">{f"<strong>{text}</strong>" if cell.best and text else text}</td>'


def _text(text: str) -> str:
    return escape(printable(text))
