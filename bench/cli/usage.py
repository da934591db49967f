"""Mistakes on the command line itself, which typer finds: one line instead of its three."""

from __future__ import annotations

from typing import Any, cast

import typer

# typer's own copy of click on some versions, click itself on others; this one it gives away.
_CLICK = (base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
UsageError = cast("type[Exception]", next(_CLICK))


def usage_line(error: Any) -> str:
    """What is wrong with the command line, and where to read what is right; the help itself where nothing was given."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return f"{error.format_message()}\n"
    context, text = getattr(error, "ctx", None), " ".join(error.format_message().split()).rstrip(".")
    command = context.command_path if context is not None else "python -m bench"
    return f"{text[:1].lower()}{text[1:]} (see {command} --help)\n"
