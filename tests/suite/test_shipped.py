"""A suite that comes with bench is found by its name from any folder; what lies there comes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.suite.shipped import shipped_suites, suite_file, suite_or_results


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_one_is_found_by_each_of_its_names() -> None:
    assert {"baseline", "smoke"} <= {path.stem for path in shipped_suites()}
    for path in shipped_suites():
        for written in (path.stem, path.name, f"suites/{path.name}", f"./{path.stem}"):
            assert suite_file(Path(written)).samefile(path), written


@pytest.mark.parametrize("written", ["none", "none.toml", "other/smoke", "other/smoke.toml", "smoke.json", "../smoke"])
def test_other_names_stay_as_they_were_written(written: str) -> None:
    assert suite_file(Path(written)) == Path(written)


def test_what_lies_there_comes_first(elsewhere: Path) -> None:
    (elsewhere / "smoke.toml").write_text("")
    (elsewhere / "baseline").mkdir()
    assert suite_file(Path("smoke.toml")) == Path("smoke.toml")
    assert suite_or_results(Path("baseline")) == Path("baseline")
    assert suite_file(Path("baseline")).is_file()  # a folder is no suite
    assert suite_or_results(Path("mnist")).is_file()


def test_in_a_checkout_the_name_stands_for_the_path_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = shipped_suites()[0].parents[1]
    monkeypatch.chdir(checkout)
    assert suite_file(Path("smoke")) == Path("suites/smoke.toml")
