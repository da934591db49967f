"""Names, settings, devices and files against the catalogue."""

# tables of messages read best with one case a line

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.suite.catalogue import Catalogue, PluginInfo
from bench.suite.plan import Suite
from bench.suite.read import read_suite
from bench.suite.resolve import resolve
from bench.suite.stored import suite_to_json


def test_auto_is_resolved_and_an_absent_device_stays(plan: Callable[..., Suite]) -> None:
    assert plan().axis("device").values == ("cpu",)
    assert plan('device = ["auto", "cpu", "mps"]\n').axis("device").values == ("cpu", "mps")


def test_equal_values_of_an_axis_are_one(plan: Callable[..., Suite]) -> None:
    suite = plan(
        text='[grid]\ndataset = ["digits", { name = "digits", scaling = "unit" }]\n'
        'model = ["mlp", { name = "mlp", hidden = 100 }, { name = "mlp", slope = -0.0 }, { name = "mlp", slope = 0 }]\n'
        'seed = [1, 0, 1]\nbatch_size = [64, 64]\n"train.learning_rate" = [1, 1.0, 0.5]\n'
    )
    assert [(axis.name, axis.labels) for axis in suite.axes] == [
        ("dataset", ("digits",)),
        ("model", ("mlp",)),
        ("seed", ("1", "0")),
        ("batch_size", ("64",)),
        ("device", ("cpu",)),
        ("train.learning_rate", ("1.0", "0.5")),
    ]
    assert suite.count() == len(list(suite.trials())) == 4


def test_both_zeros_are_one_value_of_an_axis(plan: Callable[..., Suite]) -> None:
    """Two of one trial would be trained twice: they have one id."""
    suite = plan('"train.l1" = [0.0, -0.0, 0]\n')
    assert suite.axis("train.l1").values == (0.0,)
    ids = [trial.trial_id for trial in suite.trials()]
    assert len(ids) == len(set(ids))


def test_settings_take_their_declared_type(plan: Callable[..., Suite]) -> None:
    models = '["odd", { name = "odd", flag = true, anything = 1 }, { name = "mlp", slope = 2, hidden = [5] }]'
    labels = plan(text=f'[grid]\ndataset = ["digits"]\nmodel = {models}\n').axis("model").labels
    assert labels == ("odd", "odd(anything=1, flag=true)", "mlp(hidden=[5], slope=2.0)")


def test_an_axis_over_what_is_no_identity_is_refused(refusal: Callable[..., str], plan: Callable[..., Suite]) -> None:
    line = refusal('"measure.target_accuracy" = [0.8, 0.9]\n')
    assert line.startswith("mine.toml: grid.measure.target_accuracy: it is not part of a trial's identity")
    assert plan('"measure.target_accuracy" = [0.8]\n').count() == 3


def test_names_that_a_failed_plugin_explains(plan: Callable[..., Suite], broken_plugin: Catalogue) -> None:
    text = '[grid]\ndataset = ["digits"]\nmodel = ["mlp", { name = "wide", width = 3 }]\n[[exclude]]\nmodel = "mlp"\n'
    suite = plan(text=text, catalogue=broken_plugin)
    assert [trial.model.label for trial in suite.trials()] == ["wide(width=3)"]
    reason = "no model 'wide' is registered; wide.py: failed to import: ImportError: no torch"
    assert suite.unknown == {"model:wide": reason}


def test_a_charged_plugin_is_named_as_it_was_written(tmp_path: Path, catalogue: Catalogue) -> None:
    """A worker knows it by its absolute path, which is nobody's business."""
    (tmp_path / "nets").mkdir()
    file = tmp_path / "nets" / "wide.py"
    file.write_text("")
    suite = tmp_path / "x.toml"
    text = "name = 'x'\n[grid]\ndataset = ['digits']\nmodel = ['wide']\n"
    error = f"wide.py: failed to import: FileNotFoundError: {file.parent}/weights.bin"
    rest = "failed to import: FileNotFoundError: weights.bin"
    for plugins, given, shown in [("nets/wide.py", [], "nets/wide.py"), ("", [str(file)], "wide.py")]:
        suite.write_text(f"plugins = [{plugins!r}]\n{text}" if plugins else text)
        failed = {str(file): PluginInfo(error), "elsewhere.nets": PluginInfo("build: odd")}
        found = resolve(read_suite(suite, plugins=given), replace(catalogue, plugins=failed)).unknown["model:wide"]
        assert found == f"no model 'wide' is registered; {shown}: {rest}; elsewhere.nets: build: odd"


def test_timeout_replaces_every_timeout(plan: Callable[..., Suite], refusal: Callable[..., str]) -> None:
    rest = (
        '"measure.timeout_seconds" = [5]\n[measure]\ntimeout_seconds = 6\n'
        '[[override]]\nwhere = { model = "cnn" }\nset = { "measure.timeout_seconds" = 7 }\n'
    )
    seconds = {trial.model.name: trial.measure.timeout_seconds for trial in plan(rest).trials()}
    assert seconds == {"linear": 5.0, "mlp": 5.0, "cnn": 7.0}
    assert {trial.measure.timeout_seconds for trial in plan(rest, timeout_seconds=9).trials()} == {9.0}
    assert refusal(timeout_seconds=0.0) == "--timeout 0.0: expected a number of seconds over 0"


def _hdf5(folder: Path, catalogue: Catalogue, written: str, *, data_root: Path | None = None) -> Suite:
    path = folder / "x.toml"
    path.write_text(f"name = 'x'\n[grid]\ndataset = [{{ name = 'hdf5', path = '{written}' }}]\nmodel = ['mlp']\n")
    return resolve(read_suite(path), catalogue, data_root=data_root)


def test_a_data_file_counts_by_its_content(tmp_path: Path, catalogue: Catalogue) -> None:
    """Beside the suite first, then under the data root; an absolute path is published as its file name only."""
    root = tmp_path / "root"
    root.mkdir()
    for where in (tmp_path / "a.h5", root / "b.h5"):
        where.write_bytes(b"the same")
    sha = hashlib.sha256(b"the same").hexdigest()
    ids = set()
    for written, shown, found in [
        ("a.h5", "a.h5", tmp_path / "a.h5"),
        ("b.h5", "b.h5", root / "b.h5"),
        (str(root / "b.h5"), "b.h5", root / "b.h5"),
    ]:
        suite = _hdf5(tmp_path, catalogue, written, data_root=root)
        component = next(suite.trials()).dataset
        assert dict(component.settings) == {"path": shown}
        assert dict(component.files) == {"path": sha}
        assert dict(suite.locations) == {f"{component.canonical}|path": str(found)}
        assert str(tmp_path) not in str(suite_to_json(suite))
        ids.add(next(suite.trials()).trial_id)
    assert len(ids) == 1
    (tmp_path / "a.h5").write_bytes(b"another")
    assert next(_hdf5(tmp_path, catalogue, "a.h5").trials()).trial_id not in ids


def test_a_data_file_that_is_not_there_stays_in_the_plan(tmp_path: Path, catalogue: Catalogue) -> None:
    suite = _hdf5(tmp_path, catalogue, "none.h5")
    component = next(suite.trials()).dataset
    assert dict(component.files) == {"path": "absent"}
    assert suite.locations[f"{component.canonical}|path"] == str(tmp_path / "none.h5")
    assert component.canonical != next(_hdf5(tmp_path, catalogue, "neither.h5").trials()).dataset.canonical


def test_a_data_file_with_an_impossible_name_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(BenchError, match=r"grid.dataset\[0\].path: the file 'x+…? cannot be read: File name too long"):
        _hdf5(tmp_path, catalogue, "x" * 300)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_data_file_that_may_not_be_read_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "a.h5").write_bytes(b"x")
    (tmp_path / "a.h5").chmod(0)
    with pytest.raises(BenchError, match="Permission denied"):
        _hdf5(tmp_path, catalogue, "a.h5")


def test_a_plan_of_a_million_is_counted_at_once(plan: Callable[..., Suite]) -> None:
    suite = plan(
        text='[grid]\ndataset = ["digits"]\nmodel = ["linear"]\nseed = { count = 100000 }\n'
        "batch_size = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
    )
    start = time.monotonic()
    assert suite.count() == 1_000_000
    assert time.monotonic() - start < 0.1
    trials = suite.trials()
    first = [next(trials) for _ in range(20_000)]
    assert len({trial.trial_id for trial in first}) == 20_000
    assert len({id(trial.train) for trial in first}) == len({id(trial.model) for trial in first}) == 1


def test_a_card_by_its_number_is_planned_also_where_it_is_not(plan: Callable[..., Suite], catalogue: Catalogue) -> None:
    devices = {**catalogue.devices, "cuda": replace(catalogue.devices["cuda"], numbered=True)}
    suite = plan('device = ["cuda:1", "cpu"]\n', catalogue=replace(catalogue, devices=devices))
    assert suite.axis("device").values == ("cuda:1", "cpu")


def test_a_number_of_what_has_none_is_no_device(refusal: Callable[..., str]) -> None:
    assert "unknown device 'cpu:1'; did you mean cpu?" in refusal('device = ["cpu:1"]\n')


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (
            "target_value = 0.5\ntarget_accuracy = 0.9",
            "measure.target_value: stands beside target_accuracy; one training",
        ),
        ('target_metric = "rmse"', "measure.target_metric: names the metric of a target that is not there: set"),
    ],
)
def test_a_target_is_one_value_of_one_metric(refusal: Callable[..., str], measure: str, said: str) -> None:
    assert said in refusal(f"[measure]\n{measure}\n")


def test_a_target_of_any_metric_is_taken(plan: Callable[..., Suite]) -> None:
    suite = plan('[measure]\ntarget_metric = "mae"\ntarget_value = 3\n')
    assert (suite.measure.target_metric, suite.measure.target_value) == ("mae", 3.0)
    assert len({trial.trial_id for each in (suite, plan()) for trial in each.trials()}) == plan().count()
