"""Results get published: no user name, host name or home path is in them."""

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
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        user = os.environ.get("USER", "")
    for pattern, instead in _rules(str(Path("~").expanduser()), user, platform.node()):
        text = pattern.sub(instead, text)
    return text


@cache
def _rules(home: str, user: str, host: str) -> list[tuple[re.Pattern[str], str]]:
    """Patterns, and what stands in their place."""
    rules = []
    if len(home) > 1:
        # Up to a border: /home/alice is no part of /home/alice2.
        rules.append((re.compile(re.escape(home.rstrip("/")) + r"(?![\w.-])"), "~"))
    if user not in COMMON:
        rules.append((re.compile(rf"(?<=/){re.escape(user)}(?![\w.-])"), "user"))
    if host not in COMMON:
        rules.append((re.compile(rf"(?<![\w./-]){re.escape(host)}(?![\w./-])"), "host"))
    return rules
