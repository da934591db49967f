"""A figure as it is to be shown: on paper, on a slide, on a dark page; in a size of the user's own."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from matplotlib.collections import Collection
from matplotlib.colors import same_color, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from bench.plots.pairs import FILLS
from bench.present.style import DPI, FAINT, GRID, INK

Size = tuple[int, int]  # pixels
Form = Literal["png", "svg", "pdf"]
# Of each form what would hold the time or the program: the same figure gives the same bytes.
METADATA: dict[Form, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@dataclass(frozen=True, slots=True)
class Look:
    """How a figure looks. `colours`: what each colour of the report becomes. `lines`: how many times as thick lines and
    marks are. `size` and `dpi`: where the user asks for no size; without `size` the figure keeps its own."""

    size: Size | None = None
    dpi: int = DPI
    lines: float = 1.0
    colours: Mapping[str, str] = field(default_factory=dict)


DARK = {
    "white": "#16181d", INK: "#e8e8e8", FAINT: "#b4b4b4", GRID: "#3a3d44", "#000000": "#ffffff",
    FILLS["yes"]: "#1f4560", FILLS["alike"]: "#1c4f42", FILLS["reversed"]: "#64401f",
}  # fmt: skip
LOOKS: dict[str, Look] = {
    "paper": Look(dpi=300),
    "slide": Look(size=(1920, 1080), lines=1.5),
    "dark": Look(colours=DARK),
}


def dress(figure: Figure, look: Look, size: Size | None = None) -> None:
    """Gives a finished figure its look, and `size` in pixels where one is asked for."""
    if look.lines != 1.0:
        for line in figure.findobj(Line2D):
            line.set_linewidth(line.get_linewidth() * look.lines)
            line.set_markersize(line.get_markersize() * look.lines)
    if look.colours:
        _recolour(figure, look.colours)
    figure.set_dpi(look.dpi)
    if wanted := size or look.size:
        resize(figure, wanted)


def resize(figure: Figure, size: Size) -> None:
    """Gives a figure `size` in pixels. Margins, titles and the gaps between panels keep their inches, and letters their
    points; the panels take what is left. A size that is too flat for that makes all of it smaller."""
    (width, height), aspect = figure.get_size_inches(), size[0] / size[1]
    flat = width / aspect < height
    new_width, new_height = (height * aspect, height) if flat else (width, width / aspect)
    grid = figure.axes[0].get_gridspec()
    assert grid is not None  # every plot of ours is made of subplots
    pars = figure.subplotpars
    left, right, hspan = _kept(pars.left, pars.right, pars.wspace, grid.ncols, before=width, after=new_width)
    bottom, top, vspan = _kept(pars.bottom, pars.top, pars.hspace, grid.nrows, before=height, after=new_height)
    for text in figure.texts:  # they hang from the top, and stand at the left
        x, y = text.get_position()
        text.set_position((x * width / new_width, 1 - (1 - y) * height / new_height))
    for legend in figure.legends:  # they stand in the middle, on the bottom
        _, y = figure.transFigure.inverted().transform(legend.get_bbox_to_anchor().p0)
        legend.set_bbox_to_anchor((0.5, y * height / new_height), transform=figure.transFigure)
    figure.set_size_inches(new_width, new_height)
    figure.set_dpi(size[0] / new_width)
    figure.subplots_adjust(left=left, right=right, bottom=bottom, top=top, wspace=hspan, hspace=vspan)


def _kept(
    start: float, end: float, gap: float, panels: int, *, before: float, after: float
) -> tuple[float, float, float]:
    """Start, end and gap (a share of a panel) along one direction, after the length of the figure became another, so
    that margins and gaps are as many inches as before."""
    panel = (end - start) * before / (panels + gap * (panels - 1))
    gap_inches, edges = gap * panel, (start + 1 - end) * before
    new_panel = (after - edges - gap_inches * (panels - 1)) / panels
    return start * before / after, 1 - (1 - end) * before / after, gap_inches / new_panel


def _recolour(figure: Figure, colours: Mapping[str, str]) -> None:
    """Replaces the colours of everything that is drawn; each keeps how far it can be seen through."""

    def new(colour: Any) -> Any:
        if isinstance(colour, str) and colour in ("none", "auto"):
            return colour
        rgba = to_rgba(colour)
        found = next((into for old, into in colours.items() if same_color(rgba[:3], old)), None)
        return rgba if found is None else (*to_rgba(found)[:3], rgba[3])

    for line in figure.findobj(Line2D):
        line.set_color(new(line.get_color()))
        line.set_markerfacecolor(new(line.get_markerfacecolor()))
        line.set_markeredgecolor(new(line.get_markeredgecolor()))
    for text in figure.findobj(Text):
        text.set_color(new(text.get_color()))
    for patch in figure.findobj(Patch):
        face, edge = new(patch.get_facecolor()), new(patch.get_edgecolor())
        patch.set_facecolor(face)
        patch.set_edgecolor(edge)
    for collection in figure.findobj(Collection):
        collection.set_facecolor([new(each) for each in collection.get_facecolor()])
        collection.set_edgecolor([new(each) for each in collection.get_edgecolor()])
    for ax in figure.axes:  # ticks that are made while it is drawn
        ax.tick_params(which="both", color=new(FAINT), labelcolor=new(INK), grid_color=new(GRID))


def picture(figure: Figure, form: Form) -> bytes:
    """The figure as a file; the same figure gives the same bytes."""
    out = io.BytesIO()
    figure.savefig(out, format=form, dpi=figure.dpi, facecolor=figure.get_facecolor(), metadata=METADATA[form])
    return out.getvalue()
