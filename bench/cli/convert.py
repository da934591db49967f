"""`bench convert`: a data set as HDF5 files. A worker process reads the data set and writes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, BenchError

if TYPE_CHECKING:
    from bench.base.records import Json

DEFAULT_FRACTION = 0.2  # of the data set hdf5


def convert(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A data set, as `bench list datasets` names it.")],
    file: Annotated[Path, typer.Argument(metavar="FILE.h5", help="Where its training part is written.")],
    test_file: Annotated[
        Path | None,
        typer.Option("--test-file", metavar="FILE.h5", help="Where its test part is written [default: FILE_test.h5]."),
    ] = None,
    set_: opt.DatasetSet = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Write a data set as HDF5 files.

    The data set hdf5 reads them: the same images, the same training.

    \b
    Examples:
      python -m bench convert mnist suites/mnist.h5
      python -m bench convert optdigits my/digits.h5 --set split=writers
    """
    from bench.execute.ask_worker import Question
    from bench.execute.prepare import dataset_request
    from bench.suite.mistakes import Mistake, key_text

    _refuse_paths([file], force=force)  # a folder has no name to make another from
    paths = [file, test_file or file.with_name(f"{file.stem}_test{file.suffix}")]
    _refuse_paths(paths, force=force)
    try:
        built, request = dataset_request(dataset, set_ or (), data_root=data_root, plugins=plugin or ())
    except Mistake as found:
        where = ": ".join(part for part in (dataset, key_text(found.key)) if part)
        raise BenchError(f"convert {where}: {found.text}") from None
    if "scaling" in built.given:
        raise BenchError("--set scaling: pixels are written as they are; set the scaling in the suite")
    request["path"], request["test_path"] = (str(path.expanduser().absolute()) for path in paths)
    request["test_path_given"] = test_file is not None
    question = Question("bench.worker.datasets.convert", request=request, failed=f"{dataset} cannot be converted")
    answer = question.answer()
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
        raise BenchError(
            f"{paths[0]}: the training and the test part would have this one name; give --test-file another"
        )


def _written(path: Path, told: "Mapping[str, Json]") -> str:
    from bench.present.format import plural, scale_of

    scale = scale_of("bytes", [told["bytes"]])
    shape = "×".join(map(str, told["shape"]))
    size = f"{told['bytes'] / scale.divisor:.1f} {scale.unit}"
    return f"{path}: {plural(told['images'], 'image')} of {shape}, {told['dtype']}, {size}"


def _entry(paths: Sequence[Path], answer: "Mapping[str, Json]") -> str:
    """The data set as a suite names it."""
    own = [f'path = "{paths[0].name}"']
    if len(answer["files"]) > 1:
        own.append(f'test_path = "{paths[1].name}"')
    elif answer["test_fraction"] != DEFAULT_FRACTION:
        own.append(f"test_fraction = {answer['test_fraction']}")
    return f'{{ name = "hdf5", {", ".join(own)} }}'
