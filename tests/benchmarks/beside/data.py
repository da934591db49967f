"""`... FILE mnist|synthetic`: write 12,800 images in the shape of MNIST for the contenders, as .npz."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from bench.registry import DATASETS
from bench.worker.common import discover

IMAGES = 12_800


def main() -> None:
    target, source = sys.argv[1:]
    discover.load_builtin()
    settings = {} if source == "mnist" else {"shape": (1, 28, 28), "train": IMAGES, "test": 1000}
    splits = DATASETS.get(source).build(Path(os.environ.get("BENCH_DATA", ".")), **settings)
    images, labels = np.array(splits.train_images[:IMAGES]), np.array(splits.train_labels[:IMAGES])
    np.savez(target, images=images, labels=labels.astype(np.int64))
    print(json.dumps({"shape": images.shape}))


if __name__ == "__main__":
    main()
