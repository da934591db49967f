"""`bench export-model`: write a trained model as a file for others. A worker process does it: it needs torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, BenchError, nearest

if TYPE_CHECKING:
    from bench.base.records import Result
    from bench.results.store import Store
    from bench.suite.plan import Suite

FORMATS = ("state-dict", "torch-export", "onnx")
WEIGHTS = ("last", "best")


def export_model(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[SUITE_OR_DIR] TRIAL",
            help="A trial_id, or the start of one; before it where it is [default: anywhere under --results].",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")],
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="state-dict, torch-export or onnx.")
    ] = "state-dict",
    weights: Annotated[
        str,
        typer.Option(
            metavar="WHICH", help="last, or best by validation loss (train.keep_checkpoints, early stopping)."
        ),
    ] = "last",
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Write a trained model to a file, and check its answers.

    The file is loaded again, and has to answer as the trained model does.

    \b
    Examples:
      python -m bench export-model 8c1f6b2e -o mlp.pt
      python -m bench export-model results/mnist 8c1f6b2e \\
        --format onnx -o mlp.onnx
      python -m bench export-model suites/mine.toml 8c1f6b2e \\
        --format torch-export -o mlp.pt2
    """
    from bench.base.checkpoint_file import BEST
    from bench.execute.ask_worker import Question, absolute_plugins
    from bench.execute.prepare import find_data_root
    from bench.results.store import newest_ok

    if len(words) > 2:
        raise BenchError(f"export-model takes at most a folder and a trial, not {len(words)} words: {' '.join(words)}")
    for value, choices, option in ((form, FORMATS, "--format"), (weights, WEIGHTS, "--weights")):
        if value not in choices:
            raise BenchError(f"{option} {value}: there is {', '.join(choices)}{nearest(value, choices)}")
    if not output.parent.is_dir():
        raise BenchError(f"{output}: no folder {output.parent}; make it, or choose another -o FILE")
    target, name = Path(words[0]) if len(words) == 2 else None, words[-1]
    store, suite = _holding(name, results) if target is None else _opened(target, results, data_root, plugin)
    result = newest_ok(store.results, name)
    # A folder of results may come from anybody: no plugin that it names is loaded.
    trusted = suite.plugins if suite is not None and target is not None and not target.is_dir() else ()
    request = {
        "trial": result.trial.to_json(),
        "data_root": str(find_data_root(data_root)),
        "locations": _locations(result, suite),
        "plugins": list(dict.fromkeys([*trusted, *absolute_plugins(plugin)])),
        "artifact": str(store.artifact_path(result.run_id, result.trial_id).absolute()),
        "checkpoint": str((store.checkpoint_folder(result.trial_id) / BEST).absolute()),
        "weights": weights,
        "format": form,
        "output": str(output),
    }
    print(Question("bench.worker.export_model", request=request, failed="the export failed").answer()["message"])
    return EXIT_OK


def _opened(target: Path, results: Path, data_root: Path | None, plugins: opt.Strings) -> "tuple[Store, Suite | None]":
    from bench.execute.prepare import open_results

    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins or ())
    store.refresh_some()
    return store, suite


def _holding(trial: str, results: Path) -> "tuple[Store, None]":
    """The one folder under `results` that has the trial. Raises BenchError where none has, or several."""
    from bench.results.store import SUITE_FILE, Store

    stores = [Store(path.parent) for path in sorted(results.glob(f"*/{SUITE_FILE}"))]
    holding = [store for store in stores if any(result.trial_id.startswith(trial) for result in store.refresh())]
    if len(holding) != 1:
        names = ", ".join(str(store.folder) for store in holding[:4])
        found = f"it is in {names}: say in which" if holding else f"in no folder of results under {results}"
        raise BenchError(f"trial {trial!r}: {found}; bench export-model SUITE_OR_DIR TRIAL")
    return holding[0], None


def _locations(result: "Result", suite: "Suite | None") -> dict[str, str]:
    """Where the files lie that the trial's data set is read from, as far as the plan knows."""
    dataset, places = result.trial.dataset, suite.locations if suite is not None else {}
    return {name: at for name in dataset.files if (at := places.get(f"{dataset.canonical}|{name}"))}
