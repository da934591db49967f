"""`bench fetch`: download a data set into the data root."""

from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK

if TYPE_CHECKING:
    from rich.progress import TaskID

    from bench.base.records import Json


def fetch(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="mnist, fashion_mnist, cifar10 or optdigits.")],
    data_root: opt.DataRoot = None,
) -> int:
    """Download a data set, and check it against its checksum.

    \b
    Examples:
      python -m bench fetch mnist
      python -m bench fetch cifar10 --data-root /data
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from bench.execute.ask_worker import Question
    from bench.execute.prepare import find_data_root

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def show(line: "dict[str, Json]") -> None:
        if "message" in line:
            bar.console.print(line["message"], markup=False, highlight=False)
        if "file" in line:
            name, total = line["file"], line["total"]
            if not tasks:
                bar.start()
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=line["done"], total=total)

    request = {"name": dataset, "data_root": str(find_data_root(data_root))}
    try:
        question = Question("bench.worker.datasets.fetch", request=request, failed=f"{dataset} cannot be fetched")
        question.answer(told=show)
    finally:
        if tasks:
            bar.stop()
    return EXIT_OK
