"""`bench plot`: one picture in the look and size that was asked for; all of it can be read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from matplotlib.text import Text

from bench.analysis.plots import plots_of
from bench.analysis.sections import sections_of
from bench.cli.plot import plot as command
from bench.errors import BenchError
from bench.plots.draw import draw
from bench.plots.looks import LOOKS, dress, picture
from bench.present import style
from bench.present.colours import COLOURS, styles_of
from bench.results.frame import latest
from bench.results.store import Store

KINDS = ("accuracy", "pairs", "accuracy-time", "throughput-by-batch-size", "learning-epochs")


@pytest.fixture(scope="module")
def plots(make: ModuleType) -> dict[str, Any]:
    models = [make.Component(name) for name in ("linear", "mlp", "cnn", "a", "b", "c", "d")]
    plan = make.Plan(models=models, batch_sizes=(64, 256))
    sections = sections_of(latest(make.run_of(plan), None).rows, None)
    return {plot.what: plot for _, plot in plots_of(sections)}


@pytest.fixture(autouse=True)
def set_up() -> Iterator[None]:
    with style.setup():
        yield


def drawn(plot: Any, look: str, size: tuple[int, int] | None = None) -> Any:
    figure = draw(plot, styles_of(cell.model for cell in plot.cells))
    dress(figure, LOOKS[look], size)
    return figure


def luminance(colour: Any) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return float(np.dot(parts, (0.2126, 0.7152, 0.0722)))


def contrast(a: Any, b: Any) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("look", ["slide", "dark"])
def test_everything_can_be_read_and_lies_inside(look: str, kind: str, plots: dict[str, Any]) -> None:
    figure = drawn(plots[kind], look, (1920, 1080))
    figure.canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    assert (round(width), round(height)) == (1920, 1080)
    texts = [each for each in figure.findobj(Text) if each.get_text() and each.get_visible()]
    back = figure.get_facecolor()
    faint = [each.get_text() for each in texts if kind != "pairs" and contrast(each.get_color(), back) < 4.5]
    assert not faint
    box, (across, up) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.x0, box.y0, across - box.x1, up - box.y1) >= 0
    lines = [line.get_color() for ax in figure.axes for line in ax.get_lines() if line.get_color() in COLOURS]
    assert all(contrast(colour, back) >= 3 or look != "dark" for colour in lines)
    assert (luminance(back) < 0.05) == (look == "dark")


def test_margins_keep_their_inches_and_panels_take_the_rest(plots: dict[str, Any]) -> None:
    natural, tall = drawn(plots["learning-epochs"], "paper"), drawn(plots["learning-epochs"], "paper", (800, 1600))

    def inches(figure: Any) -> list[float]:
        _, height = figure.get_size_inches()
        places = sorted((ax.get_position() for ax in figure.axes), key=lambda box: box.y0)
        title = figure.texts[0].get_position()[1]
        gap = places[-1].y0 - places[0].y1
        return [each * height for each in (places[0].y0, 1 - places[-1].y1, 1 - title, gap)]

    assert inches(tall) == pytest.approx(inches(natural))
    assert tall.axes[0].get_position().height * 16 > 1.5 * natural.axes[0].get_position().height * 8


def test_a_flat_size_makes_all_of_it_smaller(plots: dict[str, Any]) -> None:
    natural, flat = drawn(plots["accuracy"], "paper"), drawn(plots["accuracy"], "paper", (2000, 400))
    assert flat.get_size_inches()[1] == pytest.approx(natural.get_size_inches()[1])
    assert flat.dpi < natural.dpi


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_same_figure_gives_the_same_bytes(form: Any, plots: dict[str, Any]) -> None:
    first, second = (picture(drawn(plots["accuracy"], "dark"), form) for _ in range(2))
    assert first == second
    assert first.lstrip()[:4] == {"png": b"\x89PNG", "svg": b"<?xm", "pdf": b"%PDF"}[form]


@pytest.fixture
def folder(make: ModuleType, tmp_path: Path) -> Path:
    writer = Store(tmp_path / "mine").writer("run")
    for each in make.run_of(make.Plan(datasets=[make.Component("digits"), make.Component("mnist")])):
        writer.append(each)
    writer.close()
    return tmp_path / "mine"


def test_the_command_draws_what_it_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder.parent / "one.png"
    only = ["dataset=mnist", "model=mlp,cnn"]
    assert (
        command(folder, kind="accuracy", style="dark", title="Which one?", size="900x600", only=only, output=out) == 0
    )
    assert capsys.readouterr().out == f"{out}\n"
    pixels = imread(io.BytesIO(out.read_bytes()))
    assert pixels.shape[:2] == (600, 900)
    assert pixels[5, 5, :3].max() < 0.15
    svg = folder.parent / "one.svg"
    command(folder, kind="accuracy", style="paper", title="Which one?", only=only, output=svg)
    text = svg.read_text()
    assert all(each in text for each in ("Which one?", ">mlp<", ">cnn<", "torch 2.15.0"))
    assert ">linear<" not in text
    assert COLOURS[0].lower() not in text  # a model keeps the colour that it has beside all others
    assert COLOURS[1].lower() in text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": "acuracy", "only": ["dataset=mnist"]}, "--kind acuracy: no such plot; did you mean accuracy?"),
        ({"kind": "accuracy"}, "there is one of digits · cpu and mnist · cpu; choose with --only dataset="),
        (
            {"kind": "accuracy", "only": ["dataset=mnits"]},
            "--only dataset=mnits: dataset=mnits: no such value; did you",
        ),
        ({"kind": "accuracy", "only": ["mnist"]}, "--only mnist: expected KEY=VALUE"),
        ({"kind": "accuracy", "only": ["seed=1"]}, "seed is no axis"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_line(options: dict[str, Any], says: str, folder: Path) -> None:
    with pytest.raises(BenchError) as told:
        command(folder, style="paper", **options)
    assert says in str(told.value)
    assert "\n" not in str(told.value)
