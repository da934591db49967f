"""Tables of a data set: its splits, its classes, its channels with the normalisation that follows, its copies."""

from __future__ import annotations

from bench.inspect.inspection import PARTS, WORDS, Inspection, share_text
from bench.present.format import percent
from bench.present.tables import Column, Table, TableCell

KINDS = {
    "train": "within the training set",
    "test": "within the test set",
    "between": "test images in the training set",
}


def _whole(value: float) -> TableCell:
    return TableCell(f"{int(value):,}", float(value))


def _decimal(value: float) -> TableCell:
    return TableCell(share_text(value), value)


def splits(found: Inspection) -> Table:
    """A row a split: how many, and how bright."""
    columns = (
        Column("split", "split", numeric=False), Column("images", "images"), Column("classes", "classes"),
        Column("minimum", "least pixel"), Column("maximum", "largest pixel"), Column("mean", "pixel mean"),
        Column("sd", "pixel sd"), Column("brightness", "brightness, median"),
        Column("contrast", "contrast, median"), Column("far_out", "far out"),
    )  # fmt: skip
    rows = []
    for part in PARTS:
        low, high = found[f"{part}/range"]
        far = sum(int(found[f"{part}/{name}/far_out"]) for name in ("brightness", "contrast"))
        rows.append((
            TableCell(WORDS[part]), _whole(found.size(part)), _whole(int((found[f"{part}/counts"] > 0).sum())),
            _decimal(low), _decimal(high), _decimal(found.number(f"{part}/pixel_mean")),
            _decimal(found.number(f"{part}/pixel_sd")), _decimal(found[f"{part}/brightness/quantiles"][2]),
            _decimal(found[f"{part}/contrast/quantiles"][2]), _whole(far),
        ))  # fmt: skip
    return Table(
        name="splits", title="Splits", columns=columns, rows=tuple(rows),
        notes=(
            f"Pixels: shares of the set's maximum, {found.maximum:g}. Brightness of an image: the mean of its pixels; "
            "contrast: their standard deviation. Far out: in one of the two, more than three quartile ranges beyond "
            "the quartiles (Tukey 1977).",
        ),
    )  # fmt: skip


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
            cells += [_whole(count), TableCell(percent(share) if count else "0 %", share)]
        rows.append(tuple(cells))
    return Table(name="classes", title="Classes", columns=tuple(columns), rows=tuple(rows))


def channels(found: Inspection) -> Table:
    """A row a channel: mean and standard deviation of its pixels, and what the scaling `standard` takes for them."""
    columns = (
        Column("channel", "channel"), Column("train_mean", "training mean"), Column("train_sd", "training sd"),
        Column("test_mean", "test mean"), Column("test_sd", "test sd"),
        Column("standard_mean", "standard: mean"), Column("standard_sd", "standard: sd"),
    )  # fmt: skip
    rows = [
        (
            _whole(channel),
            *(_decimal(found[f"{part}/channel_{name}"][channel]) for part in PARTS for name in ("mean", "sd")),
            _decimal(found["about/standard_mean"][channel]),
            _decimal(found["about/standard_sd"][channel]),
        )
        for channel in range(len(found["about/standard_mean"]))
    ]
    return Table(
        name="channels", title="Channels", columns=columns, rows=tuple(rows),
        notes=(f"scaling = \"standard\": (x / {found.maximum:g} − mean) / sd, with {standard_from(found)}.",),
    )  # fmt: skip


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
    columns = (
        Column("where", "where", numeric=False), Column("copies", "copies"), Column("conflicts", "of another class"),
        Column("places", "places (first = copy)", numeric=False),
    )  # fmt: skip
    rows = []
    for kind, words in KINDS.items():
        pairs = found[f"copies/{kind}_pairs"][:8]
        listed = ", ".join(f"{first:,} = {place:,}" for first, place in pairs)
        more = int(found[f"copies/{kind}_count"]) - len(pairs)
        listed += f", and {more:,} more" if more > 0 else ""
        counted = (_whole(int(found[f"copies/{kind}_{name}"])) for name in ("count", "conflicts"))
        rows.append((TableCell(words), *counted, TableCell(listed)))
    return Table(
        name="copies", title="Copies", columns=columns, rows=tuple(rows),
        notes=(
            "Equal in every pixel. Places count from 0 in the order of the split. Images that are only nearly the "
            "same are not looked for.",
        ),
    )  # fmt: skip
