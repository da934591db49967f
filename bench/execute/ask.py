"""Ask a worker process what there is: models, data sets, devices, settings, environment. The parent has no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

from bench.errors import BenchError
from bench.suite.catalogue import Catalogue

# One plugin may take 30 s; importing torch from a cold disk takes a while too.
LIMIT_SECONDS = 120.0

# Importing numpy alone starts OpenBLAS's threads, and a process with threads cannot be forked safely.
WORKER_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


class Question:
    """A catalogue that is being put together while the parent does something else."""

    def __init__(self, plugins: Sequence[str] = ()) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self._limit = LIMIT_SECONDS + 30 * len(plugins)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker.describe", *plugins],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **WORKER_ENVIRONMENT},
            start_new_session=True,
        )

    def answer(self) -> Catalogue:
        """Wait for the catalogue. BenchError where the worker cannot say."""
        with self._errors:
            return Catalogue.from_json(json.loads(self._text()))

    def _text(self) -> bytes:
        try:
            text, _ = self._process.communicate(timeout=self._limit)
        except BaseException as error:
            self._process.kill()
            self._process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise BenchError(f"no answer about models and devices after {self._limit:.0f} s") from error
            raise
        if self._process.returncode != 0:
            raise BenchError(f"models and devices cannot be listed: {last_line(self._errors)}")
        return text


def last_line(errors: IO[bytes]) -> str:
    """The last line that a process wrote: where Python says what went wrong."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
