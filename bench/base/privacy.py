"""Results get published: no user name, host name or home path is in them."""

import getpass
import os
import platform
import re
from functools import cache
from pathlib import Path

# Where Python and its packages, and bench itself, are installed: what stands behind says which file it is.
_INSTALLED = re.compile(
    r"(?<![\w.~-])(/[^\s/'\":]+)*/(site-packages|dist-packages|python3\.\d+)/(?=\w)"
    rf"|(?<![\w.~-]){re.escape(str(Path(__file__).resolve().parents[2]))}/(?=bench/|models/|suites/)"
)
_PATH = re.compile(r"(?<![\w.~:/<-])/(?:[^\s/'\"`:;,()<>|]+/)+([^\s/'\"`:;,()<>|]+)")
KERNEL = ("/dev/", "/proc/", "/sys/", "/etc/")  # the same on every machine
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
    return _INSTALLED.sub("", text)


def reason(text: str) -> str:
    """As `published`, for the one line that says why: of a file of this machine it needs the name, not the folders."""
    return _PATH.sub(lambda found: found[0] if found[0].startswith(KERNEL) else found[1], published(text))


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
