"""What is asked of the kernel of processes that bench has started."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.base.kernel import end_marked

LEAVES = ["sh", "-c", "sleep 300 > /dev/null & echo $!"]


def runs(pid: int) -> bool:
    """Whether it has not ended, be it waited for or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environment of a process")
def test_what_bears_the_mark_ends_though_it_is_nobodys_child() -> None:
    mark = secrets.token_hex(8)
    ours, another = (
        int(subprocess.run(LEAVES, env=os.environ | {"MARK": word}, stdout=subprocess.PIPE, check=True).stdout)
        for word in (mark, secrets.token_hex(8))
    )
    assert runs(ours)
    end_marked(f"MARK={mark}".encode())
    stop = time.monotonic() + 5
    while runs(ours) and time.monotonic() < stop:
        time.sleep(0.01)
    assert not runs(ours)
    assert runs(another)
    os.kill(another, 9)
