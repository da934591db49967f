"""How a process that waits gets its trial."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bench.worker.process import process, template

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process in the place of one that waits for its trial."""
    started = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield started
    started.kill()
    started.wait()


@pytest.fixture
def pipe() -> Iterator[int]:
    reading, writing = os.pipe()
    yield writing
    os.close(reading)
    os.close(writing)


def test_a_request_goes_to_a_process_that_is_ready(sleeper: subprocess.Popen[bytes], pipe: int) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(process.READY)
    assert template._give(template._Ready(sleeper.pid, ours), b"{}\n", pipe)
    line, descriptors, _, _ = socket.recv_fds(theirs, 100, 1)
    assert line == b"{}\n"
    assert os.fstat(descriptors[0]).st_ino == os.fstat(pipe).st_ino
    assert theirs.recv(1) == b""  # nobody is going to ask for more
    assert sleeper.poll() is None
    os.close(descriptors[0])
    theirs.close()


def test_a_process_that_ended_before_it_was_ready_gets_none(sleeper: subprocess.Popen[bytes], pipe: int) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    assert not template._give(template._Ready(sleeper.pid, ours), b"{}\n", pipe)


def test_a_process_that_ended_after_it_was_ready_gets_none(sleeper: subprocess.Popen[bytes], pipe: int) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(process.READY)
    theirs.close()
    assert not template._give(template._Ready(sleeper.pid, ours), b"{}\n", pipe)


def test_a_process_that_never_gets_ready_is_killed(
    sleeper: subprocess.Popen[bytes], pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "PATIENCE_SECONDS", 0.05)
    ours, theirs = socket.socketpair()
    assert not template._give(template._Ready(sleeper.pid, ours), b"{}\n", pipe)
    assert sleeper.wait(timeout=10) == -signal.SIGKILL
    theirs.close()


def test_a_process_that_took_its_request_may_close_its_end_at_once(
    sleeper: subprocess.Popen[bytes], pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(process.READY)
    send = socket.send_fds

    def taken_at_once(*arguments: Any) -> int:
        sent = send(*arguments)
        theirs.recv(100)
        theirs.close()
        return sent

    monkeypatch.setattr(socket, "send_fds", taken_at_once)
    assert template._give(template._Ready(sleeper.pid, ours), b"{}\n", pipe)
    assert sleeper.poll() is None


def test_a_waiting_process_that_ended_unseen_is_replaced(
    sleeper: subprocess.Popen[bytes], pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, other_end = socket.socketpair()
    other_end.close()
    parent, link = socket.socketpair()
    server = template._Server.__new__(template._Server)
    server.link, server.ready, server.trials = link, template._Ready(sleeper.pid, ended), set()
    monkeypatch.setattr(server, "_given", lambda line, pipe: template._Ready(4711, ended))
    server._begin({"plugins": []}, os.dup(pipe))
    assert json.loads(parent.recv(100)) == {"started": 4711}
    assert server.ready is None
    parent.close()
    link.close()
