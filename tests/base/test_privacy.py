"""What gets published names neither the user, nor the host, nor the home."""

from __future__ import annotations

import platform

import pytest

from bench.base.privacy import published


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
