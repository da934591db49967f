"""`bench doctor`: are the instruments right on this machine, and how small a difference can it see?"""

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import EXIT_OK, EXIT_TRIALS


def doctor(
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="DIR", help="Store what is found in DIR/doctor; reports under DIR cite it."),
    ] = None,
) -> int:
    """Check that this machine measures right, and how finely.

    Known delays and allocations are put in and read back; a trial compared with itself shows how small a difference
    can be seen. Exit code 1 where an instrument is wrong.

    \b
    Examples:
      python -m bench doctor
      python -m bench doctor --results results
    """
    from bench.doctor.examine import examine
    from bench.execute.progress import make_voice
    from bench.execute.signals import Stopped
    from bench.present.doctor_text import doctor_text
    from bench.results.doctor import refuse_unwritable, save

    voice = make_voice()
    if results is not None:
        refuse_unwritable(results)
    voice.say("bench doctor: known delays and allocations, A against A; takes about 40 s")
    try:
        found = examine(voice)
    except Stopped as stopped:
        voice.say(f"stopped by {stopped}; nothing is stored")
        return stopped.exit_code
    path = save(found, results) if results is not None else ""
    print(doctor_text(found, stored_at=str(path)))
    return EXIT_TRIALS if found.wrong else EXIT_OK
