"""`bench tune`: search for the best settings of each model, and print them to paste."""

from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.execute.run import Ran


def tune(
    suite: opt.Suite,
    set_: opt.Set = None,
    only: opt.Only = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    executor: Annotated[str, typer.Option(help="local (this machine), ray (a cluster) or inline.")] = "local",
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="The Ray cluster [default: $RAY_ADDRESS, else the one here]."),
    ] = None,
    shard: opt.Shard = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Search again; earlier results stay on file.")] = False,
    retry: Annotated[
        str | None, typer.Option(metavar="STATUS[,STATUS]", help="Train again what ended so: failed,timeout.")
    ] = None,
    plugin: opt.Plugin = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Limit for a training, in place of the suite's.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop after 90s, 30m, 1h30m; the same command goes on.")
    ] = None,
) -> int:
    """Search for the best settings of each model.

    Those that [tune] of the suite names. Prints [[override]] blocks: pasted in
    place of [tune] they give the trainings that `run` makes after its search.

    \b
    Examples:
      python -m bench tune suites/tuned.toml
      python -m bench tune suites/tuned.toml --only model=mlp --set tune.trials=32
      python -m bench tune my/suite.toml --budget 30m
    """
    from bench.execute.prepare import Options, read
    from bench.execute.progress import make_voice
    from bench.execute.signals import Stopped
    from bench.run_suite import run_suite

    options = Options(
        suite=suite,
        sets=set_ or (),
        only=only or (),
        results=results,
        data_root=data_root,
        executor=executor,
        address=address,
        shard=shard,
        fresh=fresh,
        retry=retry,
        plugins=plugin or (),
        timeout_seconds=timeout,
        budget=budget,
        until_decided=False,
        search_only=True,
    )
    if read(options).tune is None:
        raise BenchError(f"{suite}: it has no [tune], so there is nothing to search; docs/tuning.md shows one")
    voice = make_voice()
    try:
        ran = run_suite(options, voice=voice)
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; what is done is stored, the same command goes on from here")
        return stopped.exit_code
    _print(ran)
    return ran.exit_code


def _print(ran: "Ran") -> None:
    """What each search has chosen, and the blocks."""
    from bench.execute.opening_lines import wrapped
    from bench.planning.search_text import chosen_line
    from bench.results.searches import searches_of
    from bench.tune.overrides import override_blocks

    found = searches_of(ran.suite, ran.store.searches)
    for search in found:
        print("\n".join(wrapped(f"# {chosen_line(ran.suite, search)}")).replace("\n  ", "\n# "))
    for block in override_blocks(ran.suite, found, ran.default_of):
        print(f"\n{block}")
