"""The page of a trained regression: its figures are those of the file, and a stranger's file is read with care."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score

from bench.analysis.artifacts import Regressed, read_regression
from bench.base.records import Result
from bench.diagnose import regression
from bench.errors import BenchError
from bench.worker.evaluate.residuals import diagnose

TARGETS = np.random.default_rng(0).normal(200, 40, (90, 2)).astype(np.float32)
PREDICTIONS = (TARGETS + np.random.default_rng(1).normal([5, 0], [10, 80], TARGETS.shape)).astype(np.float32)


@pytest.fixture
def written(make: ModuleType, tmp_path: Path) -> tuple[Result, Path]:
    """A result of a regression and its file."""
    result = make.run_of(make.Plan(seeds=(0,)))[0]
    path = tmp_path / "artifacts" / result.run_id / f"{result.trial_id}.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["test/predictions"], file["test/targets"] = PREDICTIONS, TARGETS
        file["test/predictions"].attrs["target_names"] = ["price", "rent"]
        for place, array in diagnose(PREDICTIONS, TARGETS).items():
            file[f"diagnosis/{place}"] = array
        file.create_group("weights")
    return result, path


def test_the_page_says_how_far_off_each_target_is(written: tuple[Result, Path], tmp_path: Path) -> None:
    found = read_regression(*written)
    price, rent = regression.scores_of(found)
    assert price.r2 == pytest.approx(r2_score(TARGETS[:, 0], PREDICTIONS[:, 0]))
    assert rent.mae == pytest.approx(mean_absolute_error(TARGETS[:, 1], PREDICTIONS[:, 1]))
    assert price.bias == pytest.approx(float((PREDICTIONS - TARGETS)[:, 0].mean()), abs=1e-4)
    (tmp_path / "report").mkdir()
    page = regression.page(found, tmp_path / "report", what="mlp on houses").read_text(encoding="utf-8")
    assert f"price is off by {price.mae:.2f} on average, {price.bias:.2f} too high all in all." in page
    assert "confusion" not in page
    pictures = sorted(path.name for path in (tmp_path / "report").glob("*.png"))
    assert pictures == [f"{written[0].trial_id}-residuals-2.png", f"{written[0].trial_id}-residuals.png"]
    worst = int(np.abs((PREDICTIONS - TARGETS) / TARGETS.std(0)).sum(1).argmax())
    assert int(found.worst[0]) == worst
    assert re.search(rf"^\|\s*{worst} \| ", page, re.MULTILINE)


def test_the_figure_shows_every_sample_once(written: tuple[Result, Path]) -> None:
    from bench.diagnose.draw_residuals import residuals

    left, middle, right = residuals(read_regression(*written), 0, title="t", subtitle="s").axes
    drawn = left.lines[-1].get_xydata()
    np.testing.assert_allclose(drawn, np.c_[TARGETS[:, 0], PREDICTIONS[:, 0]])
    np.testing.assert_allclose(middle.lines[-1].get_ydata(), (PREDICTIONS - TARGETS)[:, 0], atol=1e-4)
    assert sum(patch.get_height() for patch in right.patches) == len(TARGETS)
    assert (left.get_xlabel(), left.get_ylabel()) == ("true price", "predicted price")


def _other_shape(file: Any) -> None:
    del file["test/targets"]
    file["test/targets"] = TARGETS[:5]


def _no_numbers(file: Any) -> None:
    file["test/predictions"][0, 0] = np.nan


def _places_beyond(file: Any) -> None:
    file["diagnosis/residuals/worst"][0] = 10**6


def _names_of_others(file: Any) -> None:
    file["test/predictions"].attrs["target_names"] = ["price"]


@pytest.mark.parametrize("spoil", [_other_shape, _no_numbers, _places_beyond, _names_of_others])
def test_a_strangers_file_is_refused_in_one_line(written: tuple[Result, Path], spoil: Any) -> None:
    with h5py.File(written[1], "r+") as file:
        spoil(file)
    with pytest.raises(BenchError, match="no file of a trial, cut off, or without a diagnosis") as caught:
        read_regression(*written)
    assert "\n" not in str(caught.value)


def test_a_target_that_is_constant_has_no_r2(written: tuple[Result, Path]) -> None:
    same = np.full((90, 2), 3, dtype=np.float32)
    found = Regressed(written[0], ("price", "rent"), PREDICTIONS, same, np.arange(3), ())
    assert all(np.isnan(each.r2) for each in regression.scores_of(found))
    assert "R² is" not in regression._answer(regression.scores_of(found))


def test_models_stand_side_by_side_on_the_same_samples(written: tuple[Result, Path]) -> None:
    found = read_regression(*written)
    nearer = Regressed(found.result, found.target_names, (TARGETS + 1).astype(np.float32), TARGETS, found.worst, ())
    text = regression.models_text([found, nearer], ["far", "near"], dataset="houses", which="Two models.")
    assert text.startswith("# Where models differ on houses\n\nTwo models.\n\n## price\n")
    errors = (
        np.abs(PREDICTIONS[:, 0].astype(float) - TARGETS[:, 0]),
        np.abs((TARGETS + 1)[:, 0].astype(float) - TARGETS[:, 0]),
    )
    counts = int((errors[0] < errors[1]).sum()), int((errors[1] < errors[0]).sum())
    (pair,) = re.findall(r"\| far +\| near +\| +(\d+) \| +(\d+) \| +([\d.]+) \[([\d.]+), ([\d.]+)\] \|", text)[:1]
    assert (int(pair[0]), int(pair[1])) == counts
    assert float(pair[2]) == pytest.approx(float((errors[0] - errors[1]).mean()), abs=0.01)
    assert float(pair[3]) < float(pair[2]) < float(pair[4])
    assert text.count("A − B, absolute error") == 2  # a table a target
