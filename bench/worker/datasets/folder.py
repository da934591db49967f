"""A user's own images in a folder a class. What may lie there is in `folder_tree`, how one is read in
`folder_images`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
from annotated_types import Ge, Gt, Le, Lt

from bench.base.records import canonical_json
from bench.base.trees import entries, folder_sha256
from bench.errors import DataError, Unavailable
from bench.registry import dataset
from bench.worker.datasets.arrays import Arrays, cached
from bench.worker.datasets.files import unreadable
from bench.worker.datasets.folder_images import Header, Resize, header, pixels
from bench.worker.datasets.folder_tree import find, shown
from bench.worker.datasets.splits import Splits

VERSION = 1  # of the decoder: raise it when the decoded arrays change


@dataset("folder")
def folder(
    root: Path,
    *,
    path: Path,
    image_size: Annotated[int, Ge(1), Le(4096)] | None = None,
    resize: Resize = "crop",
    test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
) -> Splits:
    """Your own images in a folder a class: PNG, JPEG, WebP or TIFF, in train/ and test/, or in one part.

    Without train/ and test/ the class folders lie directly in `path`, and the trial's seed draws test_fraction.
    image_size: height and width that each image is brought to; without it all have to be of one size.
    resize: "crop" (the middle of it), "pad" (all of it, with a black border) or "stretch".
    Classes are called as their folders, sorted. A set that mixes grey and colour is colour. The maximum is 255.
    Raises Unavailable where the folder is missing, DataError where anything in it is not as above.
    """
    if image_size is None and resize != "crop":
        raise DataError(f'folder: found resize = "{resize}" without image_size; set image_size too')
    settings = canonical_json({"image_size": image_size, "resize": resize})
    sources = {"folder": _digest(path), settings: ""}
    arrays = cached("folder", sources=sources, version=VERSION, decode=lambda: _decode(path, image_size, resize))
    images, labels = arrays["train_images"], arrays["train_labels"]
    is_drawn = "test_images" not in arrays
    return Splits(
        train_images=images,
        train_labels=labels,
        test_images=images[:0] if is_drawn else arrays["test_images"],
        test_labels=labels[:0] if is_drawn else arrays["test_labels"],
        class_names=json.loads(arrays["class_names"].tobytes()),
        maximum=255,
        licence="not stated: the user's own files",
        source=shown(path.name),
        test_fraction=test_fraction if is_drawn else None,
    )


def _digest(path: Path) -> str:
    if not path.is_dir():
        raise Unavailable(f"folder: {path.name} is no folder that is there: put it where the suite says, or set `path`")
    try:
        return folder_sha256(path.resolve())
    except OSError as error:
        raise unreadable(Path(path.name), error) from error  # reasons are published: no folder of this machine


def _decode(path: Path, image_size: int | None, resize: Resize) -> Arrays:
    inside, label = path.resolve(), shown(path.name)
    found = find(entries(inside), label=label)
    parts = {"train": found.train} | ({} if found.test is None else {"test": found.test})
    headers = {
        name: header(inside / name, inside=inside, label=f"{label}/{shown(name)}")
        for part in parts.values()
        for name, _ in part
    }
    shape = _shape(headers, image_size, label=label)

    def part_of(part: Sequence[tuple[str, int]]) -> np.ndarray:
        images = np.empty((len(part), *shape), dtype=np.uint8)
        for row, (name, _) in enumerate(part):
            at = f"{label}/{shown(name)}"
            one = pixels(
                inside / name, inside=inside, label=at, is_grey=shape[0] == 1, image_size=image_size, resize=resize
            )
            if one.shape != shape:
                raise DataError(f"{at}: found {one.shape[2]}×{one.shape[1]} pixels, other than its header says")
            images[row] = one
        return images

    arrays = {f"{name}_images": part_of(part) for name, part in parts.items()}
    arrays |= {f"{name}_labels": np.array([each for _, each in part], dtype=np.int64) for name, part in parts.items()}
    return arrays | {"class_names": np.frombuffer(canonical_json(list(found.class_names)).encode(), dtype=np.uint8)}


def _shape(headers: dict[str, Header], image_size: int | None, *, label: str) -> tuple[int, int, int]:
    """(C, H, W) of every image. Raises DataError where they differ in size, or are too many for the memory."""
    first_name, first = next(iter(headers.items()))
    other = next((name for name, each in headers.items() if each.size != first.size), None)
    if image_size is None and other is not None:
        sizes = (f"{shown(name)} is {headers[name].size[0]}×{headers[name].size[1]}" for name in (first_name, other))
        raise DataError(f"{label}: found images of two sizes: {', '.join(sizes)}; set image_size = 32, say")
    width, height = (image_size, image_size) if image_size else first.size
    shape = (1 if all(each.is_grey for each in headers.values()) else 3, height, width)
    needed, available = len(headers) * shape[0] * height * width, psutil.virtual_memory().available
    if needed > available // 2:
        found = f"{len(headers):,} images of {width}×{height}, {needed:,} bytes"
        raise DataError(f"{label}: found {found}; needs to fit half of the {available:,} of memory: set image_size")
    return shape
