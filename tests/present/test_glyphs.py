"""Characters that the font of the plots lacks: another font of the machine draws them, or they are named once."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from bench.present import glyphs
from bench.present.files import save_figures

ABSENT = "模型"  # where no Chinese font is installed


def figure_of(*texts: str) -> Any:
    figure = Figure(figsize=(2, 1))
    ax = figure.subplots()
    ax.set_yticks(range(len(texts)), texts)
    return figure


def of_another_font() -> str:
    """A character that comes with matplotlib, but not in DejaVu Sans."""
    own, other = (get_font(findfont(FontProperties(family=name))).get_charmap() for name in (glyphs.OWN, "STIXGeneral"))
    return chr(next(code for code in sorted(other) if code > 0x2000 and code not in own))


def test_a_font_that_has_it_draws_it() -> None:
    character = of_another_font()
    fonts = glyphs.families(glyphs.lacking(f"a{character}"))
    assert fonts[0] == glyphs.OWN
    assert len(fonts) == 2
    figure = figure_of("plain", f"x {character}")
    assert glyphs.dress(figure) == set()
    plain, odd = figure.axes[0].get_yticklabels()
    assert plain.get_fontfamily() == ["sans-serif"]
    assert odd.get_fontfamily() == list(fonts)


@pytest.mark.parametrize("text", ["mlp", "µs ± 95 % · n ≥ 3 — „ü“ αβγ Жя", "a\u00a0b"])
def test_what_the_own_font_has_needs_no_other(text: str) -> None:
    assert glyphs.lacking(text) == frozenset()


@pytest.mark.skipif(len(glyphs.families(frozenset(ABSENT))) > 1, reason="a font here has Chinese characters")
def test_what_no_font_has_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = [(f"plot-{index}", "a plot", figure_of("mlp", ABSENT)) for index in range(3)]
    save_figures(figures, tmp_path)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("pictures: no font on this machine has 型 and 模, so PNG files show boxes; install one")
    save_figures([("plain", "a plot", figure_of("mlp"))], tmp_path)
    assert capsys.readouterr().err == ""
    texts = [each.text for each in ElementTree.parse(tmp_path / "plot-0.svg").getroot().iter() if each.text]
    assert ABSENT in texts


def test_many_absent_ones_are_counted() -> None:
    note = glyphs.absent_note(map(chr, range(0x4E00, 0x4E00 + 20)))
    assert "12 others" in note
    assert glyphs.absent_note([]) == ""
