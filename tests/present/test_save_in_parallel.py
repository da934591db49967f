"""Jobs beside each other: what they write, and what becomes of one that fails."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

import pytest

from bench.present.save_in_parallel import InParallel, fork_is_safe


def note(path: Path) -> None:
    path.write_text(str(os.getpid()))


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_every_job_is_done_when_it_is_closed(cores: int, tmp_path: Path) -> None:
    with InParallel(cores=cores) as jobs:
        for number in range(6):
            jobs.run(partial(note, tmp_path / str(number)))
    by = [int((tmp_path / str(number)).read_text()) for number in range(6)]
    if cores == 1:
        assert set(by) == {os.getpid()}
    elif fork_is_safe():
        assert by[0] != os.getpid()


def test_what_a_job_raises_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), InParallel(cores=2) as jobs:
        jobs.run(partial(note, tmp_path / "absent" / "file"))
        jobs.run(partial(note, tmp_path / "good"))
    # Beside a thread that another test left nothing is forked, and the first that fails is the last.
    assert (tmp_path / "good").is_file() is fork_is_safe()


def test_with_other_threads_nothing_is_forked(tmp_path: Path) -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        with InParallel(cores=4) as jobs:
            jobs.run(partial(note, tmp_path / "file"))
    finally:
        done.set()
        other.join()
    assert (tmp_path / "file").read_text() == str(os.getpid())
