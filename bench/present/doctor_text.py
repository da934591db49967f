"""What `bench doctor` prints, and how a report cites it."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from bench.present.columns import page_of, wrapped
from bench.present.format import (
    figure,
    listing,
    percent,
    plural,
    printable,
    printable_line,
    scale_of,
    significant,
    times,
)
from bench.results.doctor import Doctor, Finding

# What was tried, what was put in, what was read; the verdict takes the rest.
COLUMNS = (16, 26, 24)
HEADS = ("proof", "put in", "read", "verdict")
UNKNOWN = "Smallest difference in throughput that this machine can tell: not known: run bench doctor --results DIR."


def doctor_text(doctor: Doctor, *, stored_at: str = "") -> str:
    """The whole outcome, for a terminal of 80 columns; the last sentence is the one that counts."""
    facts = doctor.environment.facts
    machine = f"{facts.get('cpu', 'unknown processor')}, {plural(facts.get('usable_cores') or 1, 'core')}"
    blocks = [[f"{machine}, {plural(doctor.threads, 'thread')} · torch {facts.get('torch', '?')}"]]
    blocks.append([_row(HEADS), *(line for each in doctor.findings for line in _finding(each))])
    blocks.append([line for each in doctor.findings if each.verdict != "ok" for line in _why(each)])
    devices = dict.fromkeys(each.device for each in doctor.comparisons)
    blocks += [list(_comparisons(doctor, device)) for device in devices]
    blocks.append([line for text in _peaks(doctor.peaks) for line in wrapped(text)])
    blocks.append([line for text in doctor.advice for line in wrapped(f"- {text}", indent="  ")])
    blocks.append([f"stored  {stored_at}"] if stored_at else [])
    blocks.append(wrapped(last_sentence(doctor)))
    return page_of(map(printable_line, lines) for lines in blocks).rstrip("\n")


def last_sentence(doctor: Doctor) -> str:
    """The smallest difference that can be told from noise, by device where there are several."""
    devices = list(dict.fromkeys(each.device for each in doctor.comparisons))
    if not devices:
        return (
            "How small a difference in throughput can be told from noise here is not known: no trial came to its end."
        )
    shares = [percent(doctor.smallest_difference(device) or 0.0) for device in devices]
    if len(devices) > 1:
        shares = [f"{share} ({device})" for share, device in zip(shares, devices, strict=True)]
    return f"Differences in throughput below {listing(shares)} cannot be told from noise here."


def _finding(finding: Finding) -> list[str]:
    texts = (finding.name, finding.injected, finding.measured)
    cells = [textwrap.wrap(printable(text), width) or [""] for text, width in zip(texts, COLUMNS, strict=True)]
    rows = zip_longest(*cells, [str(finding.verdict)], fillvalue="")
    return [_row(row) for row in rows]


def _row(texts: Sequence[str]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(texts, (*COLUMNS, 8), strict=True)).rstrip()


def _why(finding: Finding) -> list[str]:
    return wrapped(f"{finding.verdict}: {finding.name}, {finding.injected}: {finding.detail}", indent="  ")


def _comparisons(doctor: Doctor, device: str) -> Iterator[str]:
    own = [each for each in doctor.comparisons if each.device == device]
    count = len(own[0].a) + len(own[0].b)
    yield f"A against A on {device}: {count} processes of the same trial, in turns, {plural(own[0].threads, 'thread')}"
    line = "  {:<20} {:>12} {:>8}   {:<22} {:>9}".format
    yield line("trial", "samples/s", "sd", "A / B, 95 %", "smallest")
    for each in own:
        rates = [*each.a, *each.b]
        mean = figure(sum(rates) / len(rates), scale_of("samples/s", rates))
        shown = times(each.ratio, each.low, each.high)
        yield line(each.trial, mean, percent(each.log_sd), shown, percent(each.smallest))


def _peaks(peaks: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    for device, by_threads in peaks.items():
        shown = [f"{flops_text(flops)} with {plural(int(threads), 'thread')}" for threads, flops in by_threads.items()]
        yield f"Peak of a float32 matrix product on {device}: {listing(shown)}."


def flops_text(flops: float) -> str:
    """`144 GFLOP/s`"""
    scale = scale_of("FLOP/s", [flops])
    value = flops / scale.divisor
    return f"{value:.{significant(value)}f} {scale.unit}"


def cited(doctor: Doctor | None, *, device: str) -> str:
    """The line under a table of timings: how small a difference this machine can tell, and by whose word."""
    smallest = None if doctor is None else doctor.smallest_difference(device)
    if doctor is None or smallest is None:
        return UNKNOWN
    wrong = [each.name for each in doctor.findings if each.verdict == "WRONG"]
    doubt = f"; WRONG there: {listing(list(dict.fromkeys(wrong)))}" if wrong else ""
    day, threads = doctor.finished_at[:10], plural(doctor.threads, "thread")
    return (
        f"Smallest difference in throughput that this machine can tell: {percent(smallest)} "
        f"(bench doctor, {day}, {threads}{doubt})."
    )


def doctor_facts(doctor: Doctor | None) -> Iterator[str]:
    """The lines of a machine's conditions: what was found, and when."""
    if doctor is None:
        yield "bench doctor: not run on this machine (bench doctor --results DIR)"
        return
    verdicts = Counter(finding.verdict for finding in doctor.findings)
    counts = listing([f"{count} {verdict}" for verdict, count in verdicts.items()])
    yield f"bench doctor, {doctor.finished_at[:10]}: {plural(len(doctor.findings), 'proof')}, {counts}"
    for finding in doctor.findings:
        if finding.verdict == "WRONG":
            yield f"WRONG instrument: {finding.name}: {finding.injected} put in, {finding.measured} read"
    yield last_sentence(doctor)
    yield from _peaks(doctor.peaks)
