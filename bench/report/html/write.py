"""report/index.html: libraries, styles, scripts and data in one file, under a policy that lets nothing else run."""

import base64
import hashlib
import json
import re
from importlib import util
from pathlib import Path

from bench.base import files
from bench.base.records import Json
from bench.present.colours import COLOURS
from bench.registry import report_format
from bench.report.page import Report

HERE = Path(__file__).resolve().parents[1]  # of the report: assets/ and vendor/ lie there
LIBRARIES = ("d3.min.js", "plot.umd.min.js", "tabulator.min.js")
SCRIPTS = (
    "state.js", "format.js", "filter.js", "table.js", "draw.js", "plots.js", "curves.js", "matrix.js", "trial.js",
    "start.js",
)  # fmt: skip
STYLES = (HERE / "vendor" / "tabulator_simple.min.css", HERE / "assets" / "page.css")
MISSING = "no report/index.html: it needs jinja2; pip install 'bench-models[html]'"
_SOURCE_MAP = re.compile(r"^(//|/\*)# sourceMappingURL=.*$", re.MULTILINE)
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


@report_format("html", file="index.html")
def write_page(report: Report, path: Path) -> str:
    """The whole report as one interactive file. Returns what to say: empty where it was written."""
    if util.find_spec("jinja2") is None:
        return MISSING
    from bench.report.html.payload import payload

    files.write(path, page_html(payload(report)))
    return ""


def page_html(data: Json) -> str:
    """The page of `data` (from `payload`)."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    loader = FileSystemLoader(HERE / "assets")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    libraries = [_read(HERE / "vendor" / name) for name in LIBRARIES]
    own = "\n".join(_read(HERE / "assets" / name) for name in SCRIPTS)
    scripts = [*libraries, f'"use strict";\n{own}']
    return environment.get_template("page.html.j2").render(
        data=data,
        json=Markup(embedded_json(data)),  # noqa: S704 - escaped there
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - ours, and libraries
        styles=[Markup(_colours()), *(Markup(_read(path)) for path in STYLES)],  # noqa: S704
        policy=policy(scripts),
    )


def _colours() -> str:
    """The colours of models, as the page's styles and scripts call them; a dark page has some of its own."""
    return ":root { " + " ".join(f"--c{index}: {colour};" for index, colour in enumerate(COLOURS)) + " }"


def embedded_json(data: Json) -> str:
    """JSON that can stand in a script element: nothing in it ends one, opens a comment, or is no ASCII."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return re.sub("[<>&]", lambda found: _ESCAPED[found[0]], text)


def policy(scripts: list[str]) -> str:
    """A Content-Security-Policy: these scripts run, by their digest, and nothing is loaded from anywhere. Styles are
    inline: the libraries set them by element."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _read(path: Path) -> str:
    return _SOURCE_MAP.sub("", path.read_text(encoding="utf-8")).strip()
