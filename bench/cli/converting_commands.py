"""What `bench convert` does, from Python values to an exit code. A worker process reads the data set and writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.base.records import Json
from bench.errors import EXIT_OK, BenchError
from bench.execute.ask_worker import WORKER_ENVIRONMENT, Question, last_line
from bench.execute.prepare import data_root as root_of
from bench.present.format import plural, scale_of
from bench.suite.components import Builder, Built
from bench.suite.mistakes import Mistake, key_text
from bench.suite.set_option import parse_set

DEFAULT_FRACTION = 0.2  # of the data set hdf5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says. `test_path` None: beside `path`, with `_test` before the ending."""

    name: str
    path: Path
    test_path: Path | None
    sets: Sequence[str]
    force: bool
    data_root: Path | None
    plugins: Sequence[str]


def convert(asked: Asked) -> int:
    """Write the files and print where they lie, and the line of a suite that reads them. BenchError: one line."""
    _refuse_paths([asked.path], force=asked.force)
    test_path = asked.test_path or asked.path.with_name(f"{asked.path.stem}_test{asked.path.suffix}")
    _refuse_paths([asked.path, test_path], force=asked.force)
    plugins = [str(Path(spec).resolve()) if spec.endswith(".py") else spec for spec in asked.plugins]
    root = root_of(asked.data_root)
    built = _built(asked, plugins=plugins, root=root)
    settings = {key: value for key, value in built.component.settings.items() if key not in built.files}
    limits = {key: settings.pop(key, None) for key in ("train_limit", "test_limit")}
    answer = _work(
        {
            "name": asked.name,
            "settings": settings,
            "locations": {key: str(path) for key, path in built.files.items()},
            "limits": limits,
            "data_root": str(root),
            "plugins": plugins,
            "path": str(asked.path.expanduser().absolute()),
            "test_path": str(test_path.expanduser().absolute()),
            "test_path_given": asked.test_path is not None,
        }
    )
    paths = [asked.path, test_path]
    for path, told in zip(paths, answer["files"], strict=False):
        print(_written(path, told))
    print(f"in a suite beside {'it' if len(answer['files']) == 1 else 'them'}: {_entry(paths, answer)}")
    return EXIT_OK


def _refuse_paths(paths: Sequence[Path], *, force: bool) -> None:
    for path in paths:
        whole = path.expanduser()
        if whole.is_dir():
            raise BenchError(f"{path}: is a folder; give the name of a file, as in {path / 'mnist.h5'}")
        if not whole.parent.is_dir():
            raise BenchError(f"{path}: there is no folder {path.parent}; make it first")
        if whole.exists() and not force:
            raise BenchError(f"{path}: is there already; --force replaces it")
    if len({path.expanduser().resolve() for path in paths}) < len(paths):
        raise BenchError(f"{paths[0]}: named for both parts; give --test-file another name")


def _built(asked: Asked, *, plugins: Sequence[str], root: Path) -> Built:
    """The data set with its settings, checked as those of a suite are. Raises BenchError."""
    settings: dict[str, Json] = {}
    for text in asked.sets:
        key, value = parse_set(text)
        settings[".".join(key)] = value
    if "scaling" in settings:
        raise BenchError("--set scaling: pixels are written as they are; set the scaling in the suite")
    builder = Builder(Question(plugins).answer(), folders=(Path.cwd(), root))
    entry: Json = {"name": asked.name, **settings} if settings else asked.name
    try:
        built = builder.build("dataset", entry, key=())
    except Mistake as found:
        where = ": ".join(part for part in (asked.name, key_text(found.key)) if part)
        raise BenchError(f"convert {where}: {found.text}") from None
    if why := builder.unknown.get(f"dataset:{asked.name}"):
        raise BenchError(why)
    return built


def _work(request: Mapping[str, Json]) -> dict[str, Json]:
    with tempfile.TemporaryFile() as errors:
        done = subprocess.run(
            [sys.executable, "-m", "bench.worker.datasets.convert"],
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **WORKER_ENVIRONMENT},
            check=False,
        )
        try:
            answer: dict[str, Json] = json.loads(done.stdout.splitlines()[-1])
        except (ValueError, IndexError) as nothing:
            said = last_line(errors)
            raise BenchError(
                f"{request['name']}: the process that converts it ended without a word: {said}"
            ) from nothing
    if "error" in answer:
        raise BenchError(answer["error"])
    return answer


def _written(path: Path, told: Mapping[str, Json]) -> str:
    scale = scale_of("bytes", [told["bytes"]])
    shape = "×".join(map(str, told["shape"]))
    size = f"{told['bytes'] / scale.divisor:.1f} {scale.unit}"
    return f"{path}: {plural(told['images'], 'image')} of {shape}, {told['dtype']}, {size}"


def _entry(paths: Sequence[Path], answer: Mapping[str, Json]) -> str:
    """The data set as a suite names it."""
    own = [f'path = "{paths[0].name}"']
    if len(answer["files"]) > 1:
        own.append(f'test_path = "{paths[1].name}"')
    elif answer["test_fraction"] != DEFAULT_FRACTION:
        own.append(f"test_fraction = {answer['test_fraction']}")
    return f'{{ name = "hdf5", {", ".join(own)} }}'
