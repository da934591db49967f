"""`python -m bench.worker template FD` serves forks; `python -m bench.worker spawn FD` is one trial."""

import sys

from bench.worker.measure import environment as _first  # noqa: F401  it reads the allowed cores: before torch


def main() -> None:
    """Called by the parent only."""
    match sys.argv[1:]:
        case ["template", descriptor]:
            from bench.worker.process import template

            template.main(int(descriptor))
        case ["spawn", descriptor]:
            from bench.worker.process import process

            process.spawned_main(int(descriptor))
        case _:
            raise SystemExit("bench.worker is started by `bench run`, not by hand")


if __name__ == "__main__":
    main()
