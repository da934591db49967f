"""The compilers that torch.compile calls on this machine."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

USE_EAGER = "or use engine 'eager'"


def missing_compiler(variable: str, *, default: str) -> str:
    """Why the compiler that `variable` of the environment names cannot be used, in one line; empty where it can."""
    compiler = os.environ.get(variable, default)
    if shutil.which(compiler) is None:
        return f"no compiler {compiler!r}: install it, or set {variable} to another one, {USE_EAGER}"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return f"no Python.h: install the headers of this Python (python3-dev), {USE_EAGER}"
    return ""
