"""Fault 38: where /dev/shm is small or not there, a trial with loader workers says so in one line, with the cure."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

LOADER = '\nloader = "dataloader"\nnum_workers = 2\n'
# What is mounted over /dev/shm, in a name space of the test's own: nobody else's changes.
MOUNTS = {
    "full for locks": "mount -t tmpfs -o size=16k tmpfs /dev/shm",
    "full for batches": "mount -t tmpfs -o size=100k tmpfs /dev/shm",
    "read only": "mount -t tmpfs -o ro tmpfs /dev/shm",
    "not there": "mount -t tmpfs tmpfs /dev && mknod /dev/null c 1 3 && mknod /dev/urandom c 1 9 && chmod 666 /dev/*",
}


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts over /dev/shm")
@pytest.mark.parametrize("mount", MOUNTS)
def test_one_line_has_the_cause_and_the_cure(project: Any, mount: str) -> None:
    suite = project.suite("linear", "good", extra=LOADER)
    text = suite.read_text().replace("train = 256", "train = 2048")
    suite.write_text(text.replace('device = ["cpu"]', 'device = ["cpu"]\nbatch_size = [1024]'))
    words = [sys.executable, "-m", "bench", "run", str(suite), "--results", str(project.results), "--no-report"]
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", f'{MOUNTS[mount]} && "$@"', "bash", *words],
        cwd=project.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount: " in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr}")
    rows = {row["model"]: row for row in project.rows()}
    assert done.returncode == 1, done.stderr
    for name in ("linear", "good"):  # the disk is not to blame: the run goes on
        assert rows[name]["status"] == "failed", rows[name]["reason"]
        assert rows[name]["reason"].startswith("shared memory (/dev/shm) has no room or is not there: ")
        assert rows[name]["reason"].endswith("(docker run --shm-size=8g), or set train.num_workers = 0")
    assert "Traceback" not in done.stderr
