"""A Ray cluster of some nodes on this machine, for tests: python ray_nodes.py COUNT CPUS FOLDER

Prints the address. Reads commands: `kill K` kills node K (0 is the head) as a power cut would; the end of input, or
`stop`, ends them all. Each node has a lock of its own: it stands for a machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ray.cluster_utils import Cluster


def main(count: int, cpus: int, folder: Path) -> None:
    """Start, obey, end."""
    cluster = Cluster()
    try:
        nodes = []
        for number in range(count):
            place = folder / f"node{number}"
            place.mkdir(parents=True, exist_ok=True)
            own = {"BENCH_LOCK": str(place / "lock"), "TMPDIR": str(place)}
            head = {"include_dashboard": False} if number == 0 else {}
            nodes.append(cluster.add_node(num_cpus=cpus, env_vars=own, **head))
        print(cluster.address, flush=True)
        for line in sys.stdin:
            word, _, number_text = line.strip().partition(" ")
            if word == "stop":
                break
            if word == "kill":
                cluster.remove_node(nodes[int(number_text)], allow_graceful=False)
                print("killed", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
