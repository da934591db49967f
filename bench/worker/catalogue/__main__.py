"""`python -m bench.worker.catalogue [PLUGIN | MODEL …]` prints what there is as one JSON object.

Models, data sets, devices and metrics, with what each plugin registers, and models by a name with a colon. Importing
torch takes seconds, so what was found is kept in the cache folder, keyed by the content of every file that it came
from. What can change while files stay the same (processor, memory, container, driver) is read each time.
"""

import signal
import sys
import time

from bench.base.kernel import die_with_parent
from bench.base.records import Json, canonical_json
from bench.base.version import PROTOCOL
from bench.errors import BenchError
from bench.worker.catalogue import plugins
from bench.worker.catalogue.entries import KINDS, registered
from bench.worker.catalogue.kept import builtin_key, keep, kept, worker_digest
from bench.worker.common import discover

BEGAN = time.monotonic()


def main(wanted: list[str]) -> None:
    """Print the catalogue."""
    signal.signal(signal.SIGTERM, plugins.end)
    die_with_parent(signal.SIGTERM)
    from bench.worker.measure import environment

    builtin = _builtin()
    specs = list(dict.fromkeys([*wanted, *discover.installed_plugins()]))
    parts = plugins.describe_plugins(specs, began=BEGAN)
    catalogue: dict[str, Json] = {kind: dict(builtin[kind]) for kind in KINDS}
    catalogue |= {"plugins": {}, "named": {}}
    for spec, part in parts.items():
        if plugins.is_name(spec):
            catalogue["named"][spec] = {each: part.get(each, "") for each in ("unknown", "error", "sha256")}
        else:
            catalogue["plugins"][spec] = {"error": part["error"], "sha256": part["sha256"]}
        for kind in KINDS:
            catalogue[kind] |= part[kind]
    catalogue["physical_cores"] = environment.physical_cores()
    here = {name: device for name, device in catalogue["devices"].items() if device["available"]}
    facts = environment.system_facts() | builtin["torch"]
    facts |= {name: device["facts"] for name, device in here.items() if device["facts"]}
    notes = environment.notes() | {"devices": {name: device["label"] for name, device in here.items()}}
    catalogue["environment"] = {"facts": facts, "notes": notes}
    catalogue |= {"worker_sha256": worker_digest(), "protocol": PROTOCOL}
    sys.stdout.write(canonical_json(catalogue) + "\n")


def _builtin() -> dict[str, Json]:
    """Our own models, data sets, devices and metrics, and the facts of torch."""
    key = builtin_key()
    if known := kept("builtin", key):
        return known
    from bench.worker.measure.environment import torch_facts

    discover.load_builtin()
    found: dict[str, Json] = registered(without={}) | {"torch": torch_facts(), "files": {}}
    keep("builtin", key, found)
    return found


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
