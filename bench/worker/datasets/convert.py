"""`bench convert`: a registered data set as files that the data set `hdf5` reads. A process of its own.

    python -m bench.worker.datasets.convert

The request: name, settings, locations (setting → path of a data file), plugins, data_root, path, test_path (used where
the set has test samples of its own), test_path_given.
The answer: {"files": [{"images", "shape", "dtype", "bytes"}], "test_fraction"}.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.base.records import Json
from bench.errors import BenchError
from bench.worker.common.answer import Say, answer, register_all
from bench.worker.datasets.files import replacing, shown
from bench.worker.datasets.hdf5_facts import attributes
from bench.worker.datasets.prepare import BuiltSet, Split, build_set, own_test


def work(request: dict[str, Json], say: Say) -> None:
    """Write the files, each whole or not at all.

    A set whose test part the trial's seed draws is one file: `hdf5` draws the same part by the same seed.
    Raises BenchError (Unavailable, DataError) where the set cannot be read, or a file cannot be written.
    """
    register_all(request["plugins"])
    root = Path(request["data_root"])
    built = build_set(request["name"], request["settings"], locations=request["locations"], root=root)
    _refuse(request, built)
    splits, _, limits = built
    facts, train = attributes(splits), limits["train_limit"]
    written = []
    if splits.test_fraction is None:  # first: a training file without its test file would be taken for a whole set
        part = own_test(splits, limits["test_limit"])
        written.append(_write(Path(request["test_path"]), part, facts=facts))
    part = Split(splits.train_images[:train], splits.train_labels[:train])
    written.insert(0, _write(Path(request["path"]), part, facts=facts))
    say({"files": written, "test_fraction": splits.test_fraction})


def _refuse(request: Mapping[str, Json], built: BuiltSet) -> None:
    splits = built.splits
    if splits.task != "classification" or len(splits.input_shape) != 3 or splits.maximum is None:
        raise BenchError(
            f"{request['name']}: a file of `hdf5` holds images of classes, with a maximum: this set is a {splits.task} "
            f"of samples {splits.input_shape}"
        )
    if built.splits.test_fraction is None:
        return
    if request["test_path_given"]:
        raise BenchError(
            f"{request['name']}: it has no test part of its own, the trial's seed draws one: leave --test-file out"
        )
    if limited := [name for name, limit in built.limits.items() if limit is not None]:
        raise BenchError(
            f"{request['name']}: {limited[0]} counts after the trial's seed has drawn the test part: set it in the "
            "suite, for the data set hdf5"
        )


def _write(path: Path, part: Split, *, facts: Mapping[str, Json]) -> dict[str, Json]:
    image = _image(part, facts)
    try:
        with replacing(path) as aside, aside.open("wb") as file:
            file.write(image)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BenchError(f"{shown(path)}: cannot be written ({error.strerror}); choose another place") from error
    return {
        "images": len(part.labels),
        "shape": list(part.images.shape[1:]),
        "dtype": str(part.images.dtype),
        "bytes": len(image),
    }


def _image(part: Split, facts: Mapping[str, Json]) -> bytes:
    """The file as it is to lie on disk, put together in memory: HDF5 ends the process where a disk is full."""
    import h5py

    with h5py.File("image", "w", driver="core", backing_store=False) as file:
        file["images"], file["labels"] = part.images, part.labels
        for name, value in facts.items():
            texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
            file.attrs[name] = np.array(value, dtype=h5py.string_dtype()) if texts else value
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


if __name__ == "__main__":
    sys.exit(answer(work))
