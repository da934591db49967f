"""Ask a worker process what there is: models, data sets, devices, settings, environment. The parent has no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

from bench.base.records import Json
from bench.errors import BenchError
from bench.suite.catalogue import Catalogue

# Plugins take at most 30 s together; importing torch from a cold disk takes a while too.
LIMIT_SECONDS = 150.0
GRACE_SECONDS = 2.0

# Importing numpy alone starts OpenBLAS's threads, and a process with threads cannot be forked safely.
WORKER_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


class Question:
    """A catalogue that is being put together while the parent does something else."""

    def __init__(self, plugins: Sequence[str] = ()) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker.catalogue", *plugins],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **WORKER_ENVIRONMENT},
            start_new_session=True,
        )

    def answer(self) -> Catalogue:
        """Wait for the catalogue. BenchError where the worker cannot say."""
        return Catalogue.from_json(self.raw())

    def raw(self) -> dict[str, Json]:
        """The same as the worker says it."""
        with self._errors:
            found: dict[str, Json] = json.loads(self._text())
            return found

    def _text(self) -> bytes:
        try:
            text, _ = self._process.communicate(timeout=LIMIT_SECONDS)
        except BaseException as error:
            self._end()
            if isinstance(error, subprocess.TimeoutExpired):
                raise BenchError(f"no answer about models and devices after {LIMIT_SECONDS:.0f} s") from error
            raise
        if self._process.returncode != 0:
            raise BenchError(f"models and devices cannot be listed: {last_line(self._errors)}")
        return text

    def _end(self) -> None:
        """Ask it to end, which ends the imports that it has started; then make sure."""
        self._process.terminate()
        try:
            self._process.wait(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def last_line(errors: IO[bytes]) -> str:
    """The last line that a process wrote: where Python says what went wrong."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
