"""What gets published names neither the user, nor the host, nor the home."""

from __future__ import annotations

import platform

import pytest

from bench.base.privacy import published, reason


@pytest.fixture(autouse=True)
def alice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/alice")
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "alice")
    monkeypatch.setattr(platform, "node", lambda: "wonderland")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no file /home/alice/x.py", "no file ~/x.py"),
        ("/home/alice", "~"),
        ("/home/alice2/x", "/home/alice2/x"),
        ("/scratch/alice/x", "/scratch/user/x"),
        ("on wonderland, at night", "on host, at night"),
        ("malice in wonderlands", "malice in wonderlands"),
    ],
)
def test_names_are_taken_out_and_nothing_else(text: str, said: str) -> None:
    assert published(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No such file: '/home/alice/set/x.npy'", "No such file: '~/set/x.npy'"),
        ("No such file: '/data/alices/set/x.npy'", "No such file: 'x.npy'"),
        ("/tmp/bench-77-ab/log/x.txt: full", "x.txt: full"),
        ("in /usr/lib/python3.11/json/decoder.py, line 3", "in json/decoder.py, line 3"),
        ("/opt/venv/lib/python3.12/site-packages/torch/nn/x.py", "torch/nn/x.py"),
        ("(/srv/my suites/models.py:7)", "(my suites/models.py:7)"),  # a blank ends a path
        ("needs /dev/shm/x of /proc/self/status", "needs /dev/shm/x of /proc/self/status"),
        ("1/2 of N/A, https://x.org/a/b.html, a/b/c", "1/2 of N/A, https://x.org/a/b.html, a/b/c"),
        ("pip install 'bench-models[x]'; --shm-size=1g", "pip install 'bench-models[x]'; --shm-size=1g"),
        ("/data", "/data"),
    ],
)  # fmt: skip
def test_a_reason_names_files_and_not_where_they_lie(text: str, said: str) -> None:
    assert reason(text) == said
