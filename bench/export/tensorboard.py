"""TensorBoard: one folder a trial under <results>/tensorboard, for its scalars and its HParams page.

Written with what the package `tensorboard` itself has: torch.utils.tensorboard and tensorboardX both import torch,
which the parent never does, and put the host's name into the names of files.
"""

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.summary.writer.record_writer import RecordWriter

from bench.base import files
from bench.base.records import Result
from bench.errors import BenchError
from bench.export.sinks import Value, curve_points, epoch_seconds, key_of, name_of, parameters, tags

FOLDER = "tensorboard"
FILE = "events.out.tfevents.{seconds}.bench"  # what tensorboard looks for; no host name in it
UNSAFE = re.compile(r"[^A-Za-z0-9_.=-]+")


def log(results: Sequence[Result], *, folder: Path, suite_name: str) -> tuple[int, str]:
    """Log what is not there yet: whole folders, put in place at once. BenchError where they cannot be written."""
    root = folder / FOLDER
    try:
        files.folder(root, inside=folder)
        there = {path.name.rpartition("-")[2] for path in root.iterdir() if path.is_dir()}
        new = [result for result in results if key_of(result) not in there]
        for result in new:
            _write(root, result)
        if new:
            _write_experiment(root, results)
    except OSError as error:
        raise BenchError(f"{root}: TensorBoard's files cannot be written there ({files.why(error)})") from error
    return len(new), f"tensorboard --logdir {root}"


def _write(root: Path, result: Result) -> None:
    name = f"{UNSAFE.sub('-', name_of(result)).strip('-')[:80]}-{key_of(result)}"
    aside = root / f".{name}.{os.getpid()}"
    try:
        aside.mkdir()
        began = epoch_seconds(result.started_at)
        _events(aside / FILE.format(seconds=int(began)), _of(result, began), at=began)
        aside.replace(root / name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _of(result: Result, began: float) -> Iterable[tuple[Summary, int, float]]:
    """(summary, step, wall time): hyper-parameters, curves by epoch, figures behind the last one, the end."""
    ended = epoch_seconds(result.finished_at)
    yield hparams.hparams_pb(parameters(result), trial_id=result.trial_id, start_time_secs=began), 0, began
    yield _text("trial", "\n".join(f"- {key}: {value}" for key, value in tags(result).items())), 0, began
    last = 0
    for name, epoch, value, seconds in curve_points(result):
        last = max(last, epoch)
        yield _scalar(f"curves/{name}", value), epoch, began + seconds
    for name, value in result.metrics.items():
        yield _scalar(f"metrics/{name}", value), last, ended
    yield _session_end(result, ended), 0, ended


def _scalar(tag: str, value: float) -> Summary:
    return Summary(value=[Summary.Value(tag=tag, simple_value=float(value))])


def _text(tag: str, text: str) -> Summary:
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()])
    kind = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    return Summary(value=[Summary.Value(tag=tag, metadata=kind, tensor=tensor)])


def _session_end(result: Result, ended: float) -> Summary:
    status = api_pb2.STATUS_SUCCESS if result.status == "ok" else api_pb2.STATUS_FAILURE
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ended)
    kind = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    return Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=kind, tensor=metadata.NULL_TENSOR)])


def _write_experiment(root: Path, results: Sequence[Result]) -> None:
    """What the HParams page has as columns; written anew, since new trials may have new ones."""
    values: dict[str, list[Value]] = {}
    for result in results:
        for name, value in parameters(result).items():
            values.setdefault(name, []).append(value)
    figures = dict.fromkeys(name for result in results for name in result.metrics)
    columns = [hparams.HParam(name, _domain(found)) for name, found in values.items()]
    shown = [hparams.Metric(f"metrics/{name}", display_name=name) for name in figures]
    began = min((epoch_seconds(result.started_at) for result in results), default=0.0)
    summary = hparams.hparams_config_pb(columns, shown, time_created_secs=began)
    _events(root / FILE.format(seconds=0), [(summary, 0, began)], at=began)


def _domain(values: Sequence[Value]) -> Any:
    """The values that a parameter has, so that the page can filter by it; None where they are of several kinds."""
    kinds = {type(value) for value in values}
    if kinds <= {int, float}:
        return hparams.Discrete(sorted({float(value) for value in values}), dtype=float)
    return hparams.Discrete(sorted(set(values)), dtype=kinds.pop()) if len(kinds) == 1 else None


def _events(path: Path, summaries: Iterable[tuple[Summary, int, float]], *, at: float) -> None:
    with files.replacing(path) as file:
        writer: Any = RecordWriter(file)
        writer.write(Event(wall_time=at, file_version="brain.Event:2").SerializeToString())
        for summary, step, when in summaries:
            writer.write(Event(wall_time=when, step=step, summary=summary).SerializeToString())
        writer.flush()
