"""`bench convert`: a registered data set as files that the data set `hdf5` reads. A process of its own.

    python -m bench.worker.datasets.convert        the request is a JSON object on standard input

The answer is a JSON object on stdout: {"files": [{"path", "images", "shape", "dtype", "bytes"}], "test_fraction"}, or
{"error": text} with exit code 2.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.base.records import Json
from bench.errors import EXIT_OK, EXIT_USAGE, BenchError
from bench.registry import DATASETS
from bench.worker.datasets.files import shown
from bench.worker.datasets.hdf5_layout import attributes
from bench.worker.datasets.prepare import Part
from bench.worker.datasets.splits import Images, Labels, Splits


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the parent asks for. `settings` are the builder's; `locations` those of them that name a file, absolute."""

    name: str
    settings: Mapping[str, Json]
    locations: Mapping[str, str]
    limits: Mapping[str, int | None]  # train_limit, test_limit
    data_root: str
    plugins: tuple[str, ...]
    path: str
    test_path: str  # used where the set has test samples of its own
    test_path_given: bool


def main() -> int:
    """Convert what standard input says; the exit code."""
    from bench.worker.common import discover as components

    wanted = Wanted(**json.load(sys.stdin))
    code = EXIT_OK
    try:
        for plugin in wanted.plugins:
            components.load_plugin(plugin)
        if wanted.name not in DATASETS:
            components.load_builtin()
        answer = convert(wanted)
    except BenchError as error:
        answer, code = {"error": str(error)}, EXIT_USAGE
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


def convert(wanted: Wanted) -> dict[str, Json]:
    """Write the files, each whole or not at all; what was written, for the parent to say.

    A set whose test part the trial's seed draws is one file: `hdf5` draws the same part by the same seed.
    Raises BenchError (Unavailable, DataError) where the set cannot be read, or a file cannot be written.
    """
    settings = {**wanted.settings, **{key: Path(path) for key, path in wanted.locations.items()}}
    splits: Splits = DATASETS.get(wanted.name).build(Path(wanted.data_root), **settings)
    _refuse(wanted, splits)
    train = _first(splits.train_images, splits.train_labels, wanted.limits.get("train_limit"))
    said = attributes(splits)
    written = []
    if splits.test_fraction is None:  # first: a training file without its test file would be taken for a whole set
        test = _first(splits.test_images, splits.test_labels, wanted.limits.get("test_limit"))
        written.append(_write(Path(wanted.test_path), test, said=said))
    written.insert(0, _write(Path(wanted.path), train, said=said))
    return {"files": written, "test_fraction": splits.test_fraction}


def _refuse(wanted: Wanted, splits: Splits) -> None:
    if splits.test_fraction is None:
        return
    if wanted.test_path_given:
        raise BenchError(
            f"{wanted.name}: it has no test part of its own, the trial's seed draws one: leave --test-file out"
        )
    if limited := [name for name, limit in wanted.limits.items() if limit is not None]:
        raise BenchError(
            f"{wanted.name}: {limited[0]} counts after the trial's seed has drawn the test part: set it in the suite, "
            "for the data set hdf5"
        )


def _first(images: Images, labels: Labels, limit: int | None) -> Part:
    return Part(images[:limit], labels[:limit])


def _write(path: Path, part: Part, *, said: Mapping[str, Json]) -> dict[str, Json]:
    image = _image(part, said)
    aside: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            aside = Path(file.name)
            file.write(image)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(0o644)
        aside.replace(path)
    except OSError as error:
        if aside is not None:
            aside.unlink(missing_ok=True)
        raise BenchError(f"{shown(path)}: cannot be written ({error.strerror}); choose another place") from error
    return {
        "path": str(path),
        "images": len(part.labels),
        "shape": list(part.images.shape[1:]),
        "dtype": str(part.images.dtype),
        "bytes": len(image),
    }


def _image(part: Part, said: Mapping[str, Json]) -> bytes:
    """The file as it is to lie on disk, put together in memory: HDF5 ends the process where a disk is full."""
    import h5py

    with h5py.File("image", "w", driver="core", backing_store=False) as file:
        file["images"], file["labels"] = part.images, part.labels
        for name, value in said.items():
            file.attrs[name] = value if not _are_texts(value) else np.array(value, dtype=h5py.string_dtype())
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


if __name__ == "__main__":
    sys.exit(main())
