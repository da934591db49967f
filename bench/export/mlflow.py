"""MLflow: one experiment a suite, one run a trial; where $MLFLOW_TRACKING_URI says, else in <results>/mlruns."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bench.base import files
from bench.base.records import Result
from bench.errors import BenchError
from bench.export.sinks import curve_points, epoch_seconds, key_of, name_of, parameters, tags

FOLDER = "mlruns"
MOST_METRICS, MOST_TEXT = 900, 4000  # of one call: MLflow takes 1,000 figures; longer texts it refuses


def log(results: Sequence[Result], *, folder: Path, suite_name: str) -> tuple[int, str]:
    """Log what is not there yet. A run that was begun and not ended (a crash) is removed, and logged anew.

    BenchError where the store cannot be written or reached.
    """
    # A benchmark calls nobody on its user's behalf; and since 3.x a local folder has to be asked for.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not given:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    uri = given or (folder / FOLDER).resolve().as_uri()
    try:
        files.refuse_links(folder / FOLDER, inside=folder)
        client = MlflowClient(tracking_uri=uri)
        named = client.get_experiment_by_name(suite_name)
        experiment = str(named.experiment_id if named is not None else client.create_experiment(suite_name))
        there = _there(client, experiment)
        new = [result for result in results if key_of(result) not in there]
        for result in new:
            _log(client, experiment, result)
    except (MlflowException, OSError) as error:
        raise BenchError(f"{given or folder / FOLDER}: MLflow says: {error}") from error
    return len(new), given or f"mlflow ui --backend-store-uri {folder / FOLDER}"


def _there(client: Any, experiment: str) -> set[str]:
    """Keys of the runs that are whole; others of ours are removed."""
    keys: set[str] = set()
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            key = run.data.tags.get("bench.key")
            if key and run.info.status == "RUNNING":
                client.delete_run(run.info.run_id)
            elif key:
                keys.add(key)
        token = page.token
        if not token:
            return keys


def _log(client: Any, experiment: str, result: Result) -> None:
    from mlflow.entities import Param

    began, ended = (round(1000 * epoch_seconds(text)) for text in (result.started_at, result.finished_at))
    own = {key: value[:MOST_TEXT] for key, value in tags(result).items()}
    run = client.create_run(experiment, start_time=began, tags=own, run_name=name_of(result)).info.run_id
    client.log_batch(run, params=[Param(key, str(value)[:MOST_TEXT]) for key, value in parameters(result).items()])
    metrics = _metrics(result, began, ended)
    while part := list(islice(metrics, MOST_METRICS)):
        client.log_batch(run, metrics=part)
    client.set_terminated(run, status="FINISHED" if result.status == "ok" else "FAILED", end_time=ended)


def _metrics(result: Result, began: int, ended: int) -> Iterator[Any]:
    from mlflow.entities import Metric

    for name, epoch, value, seconds in curve_points(result):
        yield Metric(f"curves/{name}", value, began + round(1000 * seconds), epoch)
    for name, value in result.metrics.items():
        yield Metric(name, value, ended, 0)
