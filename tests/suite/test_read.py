"""Every refusal that needs no catalogue, by its message."""

# ruff: noqa: E501  # tables of messages read best with one case a line

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.suite.read import read_suite

TRAIN = "[train]\nepochs = 1\n"
LOW = "expected an integer of at least 1"


def test_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    for path, words in {
        tmp_path / "none.toml": "no such file; give the path of a suite file",
        tmp_path: "cannot be read: Is a directory",
        tmp_path / "a\0b": "cannot be read: embedded null byte",
        tmp_path / ("x" * 300): "cannot be read: File name too long",
    }.items():
        with pytest.raises(BenchError, match=words):
            read_suite(path)


def test_what_a_file_says(tmp_path: Path) -> None:
    (tmp_path / "wide.py").touch()
    path = tmp_path / "x.toml"
    path.write_text(
        '\ufeffname = "x"\nplugins = ["wide.py", "package.module"]\n[grid]\ndataset = ["digits"]\n'
        'model = [{ name = "mlp", hidden = [1, 2] }]\nseed = { count = 3, start = 5 }\n"train.learning_rate" = [1, 0.5]\n',
        encoding="utf-8",
    )
    file = read_suite(path)
    assert (file.name, file.title) == ("x", "x")
    assert file.plugins == (str(tmp_path / "wide.py"), "package.module")
    assert file.plugins_written == ("wide.py", "package.module")
    assert file.grid["seed"] == range(5, 8)
    assert file.grid["model"] == [{"name": "mlp", "hidden": [1, 2]}]
    assert file.grid["train.learning_rate"] == [1.0, 0.5]
    assert file.grid["device"] == ["auto"]
    assert list(file.grid) == ["dataset", "model", "seed", "batch_size", "device", "train.learning_rate"]


def test_plugins_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie relative to where the command runs; a path from the root is not published."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "wide.py").touch()
    path = tmp_path / "x.toml"
    path.write_text('name = "x"\n[grid]\ndataset = ["digits"]\nmodel = ["mlp"]\n')
    monkeypatch.chdir(tmp_path / "here")
    file = read_suite(path, plugins=["wide.py", str(tmp_path / "here" / "wide.py"), "a.b"])
    assert file.plugins == (str(tmp_path / "here" / "wide.py"), "a.b")
    assert read_suite(path, plugins=[str(tmp_path / "here/wide.py")]).plugins_written == ("wide.py",)
    with pytest.raises(BenchError, match=r"--plugin 'none.py': no such file"):
        read_suite(path, plugins=["none.py"])
