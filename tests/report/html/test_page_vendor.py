"""The libraries in the page are what their makers published, with their licences, and nothing else lies there."""

from __future__ import annotations

import hashlib
import json

from bench.report.html.write import HERE, LIBRARIES

VENDOR = HERE / "vendor"
KNOWN = json.loads((VENDOR / "vendor.json").read_text(encoding="utf-8"))


def test_files_have_their_checksums() -> None:
    known = {name: told["sha256"] for package in KNOWN for name, told in package["files"].items()}
    there = {path.name for path in VENDOR.iterdir() if path.is_file()} - {"vendor.json", "README.md"}
    assert set(known) == there
    assert known == {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in known}
    assert set(LIBRARIES) < set(known)


def test_every_library_has_its_licence_and_its_place_in_the_readme() -> None:
    readme = (VENDOR / "README.md").read_text(encoding="utf-8")
    for package in KNOWN:
        assert any(name.endswith(".LICENSE") for name in package["files"])
        assert package["tarball"].startswith("sha512-")
        assert package["licence"] in readme


def test_no_library_ends_the_element_that_it_stands_in() -> None:
    for name in (*LIBRARIES, "tabulator_simple.min.css"):
        text = (VENDOR / name).read_text(encoding="utf-8").lower()
        assert not [part for part in ("</script", "<!--", "</style") if part in text]
