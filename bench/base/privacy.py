"""Results get published: no user name, host name or home path is in them."""

from __future__ import annotations

import getpass
import os
import platform
import re
from functools import cache
from pathlib import Path

# Names that say nothing of anybody, and stand in texts for other reasons.
COMMON = frozenset({"", "root", "user", "localhost", "home", "runner", "ubuntu"})


def published(text: str) -> str:
    """`text` with ~ for the home path, and without the user's name as a part of a path and the host's as a word."""
    return _rules(str(Path("~").expanduser()), _user(), platform.node())(text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return os.environ.get("USER", "")


class _Rules:
    def __init__(self, home: str, user: str, host: str) -> None:
        self._rules: list[tuple[re.Pattern[str], str]] = []
        if len(home) > 1:
            # Up to a border: /home/alice is no part of /home/alice2.
            self._rules.append((re.compile(re.escape(home.rstrip("/")) + r"(?![\w.-])"), "~"))
        if user not in COMMON:
            self._rules.append((re.compile(rf"(?<=/){re.escape(user)}(?![\w.-])"), "user"))
        if host not in COMMON:
            self._rules.append((re.compile(rf"(?<![\w./-]){re.escape(host)}(?![\w./-])"), "host"))

    def __call__(self, text: str) -> str:
        for pattern, instead in self._rules:
            text = pattern.sub(instead, text)
        return text


@cache
def _rules(home: str, user: str, host: str) -> _Rules:
    return _Rules(home, user, host)
