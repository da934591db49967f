"""`bench plan`: what a run is going to take, before it starts."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK

if TYPE_CHECKING:
    from bench.base.records import Json
    from bench.execute.pilot import Further, Preview
    from bench.planning.costs import DeviceEstimate

SCHEMA = 1  # of what --json prints


def plan(
    suite: opt.Suite,
    set_: opt.Set = None,
    only: opt.Only = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    shard: opt.Shard = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="As if all trials were to run again.")] = False,
    plugin: opt.Plugin = None,
    pilot: Annotated[
        bool | None,
        typer.Option(
            "--pilot/--no-pilot",
            help="Run short trials first [default: of kinds that have no result].",
            show_default=False,
        ),
    ] = None,
    price: Annotated[
        opt.Strings, typer.Option(metavar="DEVICE=PRICE", help="What an hour costs: cuda=2.5; may be given again.")
    ] = None,
    until_decided: opt.UntilDecided = None,
    json_: opt.Json = False,
) -> int:
    """Estimate time, memory and money of a run.

    With their uncertainty. Nothing is stored.

    \b
    Examples:
      python -m bench plan suites/mnist.toml
      python -m bench plan suites/devices.toml --price cuda=2.5 --price cpu=0.1
      python -m bench plan suites/mnist.toml --no-pilot --json
    """
    from bench.execute.opening_lines import counts, title_line, wrapped
    from bench.execute.pilot import preview
    from bench.execute.prepare import Options
    from bench.execute.progress import Voice
    from bench.execute.signals import Stopped
    from bench.planning.text import plan_text
    from bench.present.format import printable_line

    options = Options(
        suite=suite,
        sets=set_ or (),
        only=only or (),
        results=results,
        data_root=data_root,
        shard=shard,
        fresh=fresh,
        plugins=plugin or (),
        until_decided=until_decided,
    )
    voice = Voice()
    try:
        found = preview(options, prices=price or (), pilot=pilot, voice=voice)
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; nothing is stored")
        return stopped.exit_code
    if json_:
        print(json.dumps(_preview_json(found)))
        return EXIT_OK
    print(printable_line(title_line(found.prepared.suite)))
    for line in [*counts(found.plan), *_known_from(found)]:
        print("\n".join(wrapped(line)))
    print("\n" + plan_text(found.estimate, pretty=sys.stdout.isatty()))
    if found.further is not None:
        print("\n".join(wrapped(further_line(found.further))))
    return EXIT_OK


def _known_from(preview: "Preview") -> list[str]:
    """Where the figures come from."""
    found = [f"  from {preview.earlier:,} earlier trials of this environment"] if preview.earlier else []
    done = preview.pilot
    if done is not None:
        of = "" if done.kinds == done.of_kinds else f" of {done.of_kinds:,}"
        found.append(
            f"  from a pilot: {done.trials:,} short trials of {done.kinds:,}{of} kinds in {done.seconds:.0f} s"
        )
        found += [f"  not ok in the pilot: {text}" for text in done.problems]
    return found


def further_line(found: "Further") -> str:
    """How many seeds it is going to take until it is decided, in a sentence."""
    from bench.planning.text import further_text

    if not found.cells:
        return "until it is decided: nothing more, every pair is"
    seeds = min(each.low for each in found.cells.values()), max(each.high for each in found.cells.values())
    return further_text(seeds, found.trials, found.seconds, known=found.known)


def _preview_json(preview: "Preview") -> "Json":
    done, estimate = preview.pilot, preview.estimate
    pilot = None if done is None else {
        "trials": done.trials, "kinds": done.kinds, "of_kinds": done.of_kinds, "seconds": round(done.seconds, 3),
        "problems": done.problems,
    }  # fmt: skip
    rows = [
        {
            "model": row.trial.model.label,
            "dataset": row.trial.dataset.label,
            "device": row.kind.device,
            "batch_size": row.kind.batch_size,
            "jobs": row.jobs,
            "seeds_a_job": row.kind.seeds,
            "seconds_a_job": None if row.each is None else round(row.each.seconds, 3),
            "looked_at": row.looked_at,
        }
        for row in estimate.rows
    ]
    return {
        "schema": SCHEMA,
        "suite": preview.prepared.suite.name,
        "earlier_jobs": preview.earlier,
        "pilot": pilot,
        "devices": {name: _part_json(part) for name, part in estimate.devices.items()},
        "total": _part_json(estimate.all),
        "kinds": rows,
        "upper_bound": estimate.upper,
        "until_decided": None if preview.further is None else _further_json(preview.further),
    }


def _further_json(found: "Further") -> "Json":
    from bench.planning.progress import span_json

    return {
        "cells": {
            cell: {"low": each.low, "high": each.high, "planned": each.planned} for cell, each in found.cells.items()
        },
        "more_trials": list(found.trials),
        "seconds": [None if each is None else span_json(each) for each in found.seconds],
        "known": found.known,
    }


def _part_json(part: "DeviceEstimate") -> "Json":
    from bench.planning.costs import MEMORY
    from bench.planning.progress import span_json

    return {
        "trials": part.trials,
        "there": part.there,
        "to_run": part.to_run,
        "unknown": part.unknown,
        "seconds": None if part.seconds is None else span_json(part.seconds),
        "memory": {name: part.memory.get(name) for name in MEMORY},
        "price_of_an_hour": part.price,
        "cost": None if part.cost is None else span_json(part.cost),
    }
