"""JSON schema of a suite file, from the types that check it: editors complete and check suites with it.

python -m bench.suite.schema        # writes suites/suite.schema.json
"""

import json
import sys
from pathlib import Path
from typing import Any

from bench.base import files
from bench.suite.document import SECTIONS, SETTINGS, Document

PATH = Path(__file__).resolve().parents[2] / "suites" / "suite.schema.json"
_DROPPED = ("expected", "title")  # words for refusals; and titles that pydantic makes of the names


def suite_schema() -> dict[str, Any]:
    """Draft 2020-12. Dotted keys of a grid may also be written as tables, so the schema knows both."""
    schema = _clean(Document.model_json_schema(by_alias=True))
    definitions = schema["$defs"]
    for name in ("Grid", "Match", "Set"):
        own = definitions[name]["properties"]
        for section in SECTIONS:
            inner = {key.partition(".")[2]: value for key, value in own.items() if key.startswith(section + ".")}
            table = {"type": "object", "properties": inner, "additionalProperties": False}
            # `seed` is an axis of its own too.
            own[section] = own[section] | {"anyOf": [*own[section]["anyOf"], table]} if section in own else table
    _add_settings_of_models(definitions)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Suite of bench"}
    return head | {key: value for key, value in schema.items() if key != "title"}


def _add_settings_of_models(definitions: dict[str, Any]) -> None:
    """MODEL.SETTING is a key of what overrides set and of [tune]; any other one that is not known is a mistake."""
    definitions["Searched"] = definitions["Tune"].pop("additionalProperties")
    reference = {"$ref": "#/$defs/Searched"}
    kinds = {"Set": definitions["Set"].pop("additionalProperties"), "Tune": reference}
    for name, kind in kinds.items():
        definitions[name] |= {"patternProperties": {r".\..": kind}, "additionalProperties": False}
    settings = [key for key in SETTINGS if key.startswith("train.")]
    definitions["Tune"]["properties"] |= dict.fromkeys(settings, reference)


def _clean(value: Any, *, names: bool = False) -> Any:
    """The schema without our own keywords and null, which TOML cannot write. `names`: the keys are names of fields."""
    if isinstance(value, list):
        return [_clean(item) for item in value if item != {"type": "null"}]
    if not isinstance(value, dict):
        return value
    noise = {key for key, item in value.items() if key in _DROPPED or (key == "default" and item is None)}
    kept = {key: item for key, item in value.items() if names or key not in noise}
    found = {key: _clean(item, names=key in ("properties", "$defs") and not names) for key, item in kept.items()}
    options = found.get("anyOf")
    if not names and isinstance(options, list) and len(options) == 1:
        found = {key: item for key, item in found.items() if key != "anyOf"} | options[0]
    return found


def schema_text() -> str:
    """What suites/suite.schema.json holds."""
    return json.dumps(suite_schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the schema to suites/suite.schema.json, or to the path given."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PATH
    files.write(path, schema_text())


if __name__ == "__main__":
    main()
