"""The suites that come with bench: `bench run smoke` finds them from any folder."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_OWN_FOLDERS = (Path(), Path("suites"))  # smoke, smoke.toml, and suites/smoke.toml as in a checkout


def shipped_suites() -> list[Path]:
    """Their files: in `bench/_suites` of an installed bench, else in `suites` beside the package in a checkout."""
    installed = _PACKAGE / "_suites"
    return sorted((installed if installed.is_dir() else _PACKAGE.parent / "suites").glob("*.toml"))


def suite_file(written: Path) -> Path:
    """The suite file that a user means: the one there, else the one of that name that comes with bench.

    What is neither is given back as it was written: who opens it says so.
    """
    if written.is_file() or written.parent not in _OWN_FOLDERS or written.suffix not in ("", ".toml"):
        return written
    for path in shipped_suites():
        if path.stem == written.stem:
            return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return written


def suite_or_results(written: Path) -> Path:
    """The same where a folder of results may be meant too: what is there comes first."""
    return written if written.exists() else suite_file(written)
