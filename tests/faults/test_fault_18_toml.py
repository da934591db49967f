"""Fault 18, malformed TOML: one line with file, line and column, at once; exit code 2."""

# ruff: noqa: E501  # tables of messages read best with one case a line

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.suite.read import read_suite
from bench.suite.toml_text import LIMIT_BYTES

WHOLE: dict[str, tuple[str | bytes, str]] = {
    "a syntax error": ('name = "x"\n[grid\n', "line 2, column 6: Expected ']' at the end of a table declaration"),
    "an open string": ('name = "x', "line 1, column 10: Unterminated string"),
    "a NUL": (b"name = \0", "line 1, column 8: Invalid value"),
    "not UTF-8": (b'name="caf\xe9"\n', "line 1, column 10: not UTF-8 (byte 0xe9); save the file as UTF-8"),
    "deep nesting": ("q = " + "[" * 3000 + "]" * 3000, "line 1, column 17: nested too deeply; at most 12 levels"),
    "deep dotted keys": ("\n" + ".".join("a" * 30) + " = 1", "line 1, column 1: nested too deeply; at most 12 levels"),
    "a key of many parts": (".".join("a" * 30_000) + " = 1", "line 1, column 1: a key of more than 64 parts"),
    "5000 digits": ("\nq = " + "9" * 5000, "line 2, column 5: a number that is too long"),
    "5000 hexadecimal digits": ("q = 0x" + "f" * 5000, "q: expected an integer from -2^63 to 2^63 - 1, found an integer of 20,000 bits"),
    "nothing": ("", "name: missing; expected 1 to 64 of the characters a-z, 0-9, _ and -"),
    "no grid": ('name = "x"\n', "grid: missing; expected a table"),
    "no model": ('name = "x"\n[grid]\ndataset = ["x"]', "grid.model: missing; expected a list of names or tables { name = …, … }"),
    "grid misspelt": ('name = "x"\n[gird]\n', "gird: unknown key; did you mean grid?"),
    "a path for a name": ('name = "../../x"\n', "name: expected 1 to 64 of the characters a-z, 0-9, _ and -, found '../../x'"),
    "a long name": (f'name = "{"x" * 65}"\n', f"name: expected 1 to 64 of the characters a-z, 0-9, _ and -, found '{'x' * 58}…"),
    "a name of lines": ('name = "a\\nb"\n', "name: expected 1 to 64 of the characters a-z, 0-9, _ and -, found 'a\\nb'"),
    "a name with a line at its end": ('name = "a\\n"\n', "name: expected 1 to 64 of the characters a-z, 0-9, _ and -, found 'a\\n'"),
    "an escape in a title": ('title = "\\u001b[31m"\n', "title: expected 1 to 200 characters without control characters, found '\\x1b[31m'"),
    "an escape in a key": ('"\\u001b[31m" = 1\n', "'\\x1b[31m': unknown key; the keys are name, title, plugins, grid, exclude, override, train, measure, seed, decide, tune, report"),
    "a setting at the top": ("epochs = 3\n", "epochs: unknown key; did you mean train.epochs?"),
    "a section that is a number": ("train = 3\n", "train: expected a table, found 3"),
    "a model that is a number": ('[grid]\nmodel = [3]\n', "grid.model[0]: expected a name or a table { name = …, … }, found 3"),
    "a model that is no list": ('[grid]\nmodel = "mlp"\n', "grid.model: expected a list of names or tables { name = …, … }, found 'mlp'"),
    "a model without a name": ('[grid]\nmodel = [{ nam = "mlp" }]\n', "grid.model[0].name: missing; expected a string"),
    "a plugin that is not there": ('name = "x"\nplugins = ["wide.py"]\n[grid]\ndataset = ["x"]\nmodel = ["y"]', "plugins[0]: no such file: 'wide.py' (relative to"),
    "a plugin that is no name": ('name = "x"\nplugins = ["a b"]\n[grid]\ndataset = ["x"]\nmodel = ["y"]', "plugins[0]: expected a file (*.py) or a module, found 'a b'"),
    "too large a file": (b"#" * (LIMIT_BYTES + 1), "larger than 1,048,576 bytes; a suite file is smaller than that"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WHOLE.values(), ids=WHOLE.keys())
def test_refuses_a_whole_file(text: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    start = time.monotonic()
    with pytest.raises(BenchError) as caught:
        read_suite(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert time.monotonic() - start < 1


BROKEN = {
    "[grid": "line 1, column 6: Expected ']' at the end of a table declaration",
    "q = " + "[" * 5000: "line 1, column 17: nested too deeply; at most 12 levels",
    "q = " + "9" * 5000: "line 1, column 5: a number that is too long",
}


@pytest.mark.parametrize("text", BROKEN, ids=["syntax", "depth", "digits"])
def test_the_command_says_it_in_one_line(text: str, command: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    for name in ("run", "report", "export"):
        done = command(name, path)
        assert (done.code, done.out, done.err) == (2, "", f"{path}: {BROKEN[text]}\n")
