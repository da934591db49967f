"""Fault 39: standard streams that are closed, full, without a reader or of few characters change no exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TITLE = "Über die Maße → 测试 ✓"
SUITE = f'name = "{{}}"\ntitle = "{TITLE}"\n[grid]\ndataset = ["digits"]\nmodel = ["linear"]\n'
GOOD, MISTAKE = ["list", "suites"], ["run", "nowhere-ü→.toml"]  # one says its line on stdout, the other on stderr

RESTS = {
    "closed": ">&-",
    "closed errors": "2>&-",
    "all closed": "<&- >&- 2>&-",
    "full": ">/dev/full",
    "full errors": "2>/dev/full",
    "both full": ">/dev/full 2>&1",
    "no reader": "| true",
    "one character": "2>&1 | head -c 1",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "suites").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / f"suites/{name}.toml").write_text(SUITE.format(name), encoding="utf-8")
    return tmp_path


def shell(place: Path, words: list[str], rest: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a shell, with what comes behind it; the exit code is the command's own."""
    line = " ".join([f"'{sys.executable}' -m bench", *words, rest])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(("words", "code"), [(GOOD, 0), (MISTAKE, 2)], ids=["good", "mistake"])
@pytest.mark.parametrize(
    "rest",
    [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1", "| true", "2>&1 | head -c 1"],
    ids=["closed", "errors closed", "all closed", "full", "errors full", "both full", "nobody", "head"],
)
def test_a_stream_that_takes_nothing_changes_nothing(place: Path, words: list[str], code: int, rest: str) -> None:
    done = shell(place, words, rest)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    if code and "2>" not in rest:
        assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("environment", "title"),
    [
        ({"PYTHONIOENCODING": "latin-1"}, "Über die Maße ? ?? ?".encode("latin-1")),
        ({"PYTHONIOENCODING": "ascii"}, b"?ber die Ma?e ? ?? ?"),
        ({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, b"?ber die Ma?e ? ?? ?"),
        ({"PYTHONIOENCODING": "cp1252:strict"}, "Über die Maße ? ?? ?".encode("cp1252")),
        ({"LC_ALL": "C"}, TITLE.encode()),
        ({"PYTHONIOENCODING": "utf-8"}, TITLE.encode()),
        ({"PYTHONIOENCODING": "ascii:xmlcharrefreplace"}, b"&#220;ber die Ma&#223;e &#8594; &#27979;&#35797; &#10003;"),
    ],
)
def test_what_a_terminal_cannot_show_is_replaced(place: Path, environment: dict[str, str], title: bytes) -> None:
    listed, refused = (shell(place, words, **environment) for words in (GOOD, MISTAKE))
    assert (listed.returncode, refused.returncode) == (0, 2)
    assert listed.stdout.count(title) == 3
    assert listed.stderr == b""
    assert refused.stderr.count(b"\n") == 1


def test_a_pipe_that_does_not_wait_gets_all_of_it(place: Path) -> None:
    """As some programs leave the terminal's."""
    for number in range(2000):
        (place / f"suites/suite-{number:04}.toml").write_text(SUITE.format("x"), encoding="utf-8")
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bench", *GOOD]
    with subprocess.Popen(command, cwd=place, env=environment, stdout=writing, stderr=subprocess.PIPE) as started:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read()
        assert started.stderr is not None
        assert started.stderr.read() == b""
    assert started.returncode == 0
    assert text.count(TITLE.encode()) == 2003
