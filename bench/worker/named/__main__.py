"""`python -m bench.worker.named` says the names of all models of the libraries that are installed."""

import sys

from bench.base.records import Json
from bench.worker.common.answer import Say, answer
from bench.worker.named import model_names


def work(request: dict[str, Json], say: Say) -> None:
    """Answer {"names": […]}."""
    say({"names": model_names()})


if __name__ == "__main__":
    sys.exit(answer(work))
