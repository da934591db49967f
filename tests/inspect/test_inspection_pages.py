"""bench inspect dataset: a page with its figures, a table in the terminal, and one line where it cannot be done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

FIGURES = ("samples", "classes", "class-means", "pixels", "brightness", "extremes")


def inspect(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "inspect", "dataset", *arguments]
    return subprocess.run(
        command, cwd=place, capture_output=True, text=True, check=False, env={**os.environ, "BENCH_DATA": str(place)}
    )


@pytest.fixture
def own_files(tmp_path: Path) -> Path:
    """train.h5 and test.h5, with two test images that the training set has, one under another class."""
    rng = np.random.default_rng(0)
    images = {"train": rng.normal(size=(40, 6, 6)), "test": rng.normal(size=(12, 6, 6))}
    images["test"][3], images["test"][5] = images["train"][10], images["train"][11]
    labels = {name: np.arange(len(found)) % 3 for name, found in images.items()}
    labels["train"][10], labels["train"][11], labels["test"][3], labels["test"][5] = 0, 1, 0, 2
    for name in images:
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["images"], file["labels"] = images[name].astype(np.float32), labels[name]
    return tmp_path


def test_a_page_has_every_figure_and_the_terminal_80_columns(tmp_path: Path) -> None:
    done = inspect(tmp_path, "digits")
    assert (done.returncode, done.stderr) == (0, "")
    page = tmp_path / "results/inspect/digits/report.md"
    assert done.stdout.endswith("page  results/inspect/digits/report.md\n")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert re.search(r"^images +1,438 +359$", done.stdout, re.MULTILINE)
    text = page.read_text(encoding="utf-8")
    for name in FIGURES:
        assert f"({name}.png)" in text
        assert page.with_name(f"{name}.png").stat().st_size > 1000
        assert page.with_name(f"{name}.svg").is_file()
    assert "copies-" not in text
    assert "python -m bench inspect dataset digits" in text


def test_copies_are_shown_and_gone_when_they_are_gone(own_files: Path) -> None:
    asked = ("hdf5", "--set", "path=train.h5", "--set", "test_path=test.h5", "--output", "look")
    done = inspect(own_files, *asked)
    assert done.returncode == 0, done.stderr
    assert "2 test images (17 % of them) are in the training set; 1 of these under another class." in " ".join(
        done.stdout.split()
    )
    text = (own_files / "look/report.md").read_text(encoding="utf-8")
    assert "10 = 3, 11 = 5" in text
    assert "(copies-between.png)" in text
    assert str(own_files) not in text
    (own_files / "look/copies-mine.txt").write_text("the user's own")
    with h5py.File(own_files / "test.h5", "r+") as file:
        file["images"][3], file["images"][5] = 0.0, 1.0
    assert inspect(own_files, *asked).returncode == 0
    left = {path.name for path in (own_files / "look").glob("copies-*")}
    assert left == {"copies-mine.txt"}


def test_many_classes_and_an_odd_shape(tmp_path: Path) -> None:
    settings = ("shape=[2,5,9]", "classes=120", "train=360", "test=120")
    done = inspect(tmp_path, "synthetic", *(word for each in settings for word in ("--set", each)))
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    (page,) = (tmp_path / "results/inspect").glob("*/report.md")
    assert "The first 100 of 120 rows" in page.read_text(encoding="utf-8")
