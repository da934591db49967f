"""Tables of a data set: its splits, its classes, its channels with the normalisation that follows, its copies."""

from collections.abc import Callable
from typing import SupportsFloat

from bench.inspect.inspection import PARTS, WORDS, Inspection, share_text
from bench.present.format import percent
from bench.present.tables import Column, Table, TableCell, count_cell, table_of

KINDS = {
    "train": "within the training set",
    "test": "within the test set",
    "between": "test images in the training set",
}


def _share(value: SupportsFloat) -> TableCell:
    return TableCell(share_text(value), float(value))


def splits(found: Inspection) -> Table:
    """A row a split: how many, and how bright."""

    def far_out(part: str) -> TableCell:
        return count_cell(sum(int(found[f"{part}/{name}/far_out"]) for name in ("brightness", "contrast")))

    return table_of(
        "splits",
        "Splits",
        PARTS,
        [
            (Column("split", "split", numeric=False), lambda part: WORDS[part]),
            (Column("images", "images"), lambda part: count_cell(found.size(part))),
            (Column("classes", "classes"), lambda part: count_cell(int((found[f"{part}/counts"] > 0).sum()))),
            (Column("minimum", "least pixel"), lambda part: _share(found[f"{part}/range"][0])),
            (Column("maximum", "largest pixel"), lambda part: _share(found[f"{part}/range"][1])),
            (Column("mean", "pixel mean"), lambda part: _share(found[f"{part}/pixel_mean"])),
            (Column("sd", "pixel sd"), lambda part: _share(found[f"{part}/pixel_sd"])),
            (Column("brightness", "brightness, median"), lambda part: _share(found[f"{part}/brightness/quantiles"][2])),
            (Column("contrast", "contrast, median"), lambda part: _share(found[f"{part}/contrast/quantiles"][2])),
            (Column("far_out", "far out"), far_out),
        ],
        notes=[
            f"Pixels: shares of the set's maximum, {found.maximum:g}. Brightness of an image: the mean of its pixels; "
            "contrast: their standard deviation. Far out: in one of the two, more than three quartile ranges beyond "
            "the quartiles (Tukey 1977)."
        ],
    )


def classes(found: Inspection) -> Table:
    """A row a class: how many images of each split."""
    columns = [Column("class", "class", numeric=False)]
    for part in PARTS:
        columns += [Column(part, WORDS[part]), Column(f"{part}_share", f"share of {WORDS[part]}")]
    rows = []
    for label, name in enumerate(found.class_names):
        cells = [TableCell(name)]
        for part in PARTS:
            count = int(found[f"{part}/counts"][label])
            share = count / found.size(part)
            cells += [count_cell(count), TableCell(percent(share) if count else "0 %", share)]
        rows.append(tuple(cells))
    return Table("classes", "Classes", tuple(columns), tuple(rows))


def channels(found: Inspection) -> Table:
    """A row a channel: mean and standard deviation of its pixels, and what the scaling `standard` takes for them."""
    arrays = {
        Column(f"{part}_{name}", f"{WORDS[part]} {name}"): found[f"{part}/channel_{name}"]
        for part in PARTS
        for name in ("mean", "sd")
    }
    arrays |= {
        Column(f"standard_{name}", f"standard: {name}"): found[f"about/standard_{name}"] for name in ("mean", "sd")
    }
    rows = [
        (count_cell(number), *map(_share, values)) for number, values in enumerate(zip(*arrays.values(), strict=True))
    ]
    note = f'scaling = "standard": (x / {found.maximum:g} − mean) / sd, with {standard_from(found)}.'
    return Table("channels", "Channels", (Column("channel", "channel"), *arrays), tuple(rows), (note,))


def standard_from(found: Inspection) -> str:
    """Where mean and sd of `standard` come from."""
    mean, sd = (bool(declared) for declared in found["about/declared"])
    if mean and sd:
        return "mean and sd as the data set declares them"
    if mean or sd:
        return f"the {'mean' if mean else 'sd'} as the data set declares it, the other of the training images"
    return "mean and sd of all the images that the set has to train on"


def copies(found: Inspection) -> Table:
    """Images that are equal in every pixel."""

    def number_of(name: str) -> Callable[[str], TableCell]:
        return lambda kind: count_cell(int(found[f"copies/{kind}_{name}"]))

    def places(kind: str) -> str:
        pairs = found[f"copies/{kind}_pairs"][:8]
        more = int(found[f"copies/{kind}_count"]) - len(pairs)
        listed = ", ".join(f"{first:,} = {place:,}" for first, place in pairs)
        return listed + (f", and {more:,} more" if more > 0 else "")

    return table_of(
        "copies",
        "Copies",
        KINDS,
        [
            (Column("where", "where", numeric=False), lambda kind: KINDS[kind]),
            (Column("copies", "copies"), number_of("count")),
            (Column("conflicts", "of another class"), number_of("conflicts")),
            (Column("places", "places (first = copy)", numeric=False), places),
        ],
        notes=[
            "Equal in every pixel. Places count from 0 in the order of the split. Images that are only nearly the "
            "same are not looked for."
        ],
    )
