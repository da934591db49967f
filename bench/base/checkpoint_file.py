"""The file of a checkpoint: what torch.save wrote, then one line of JSON that says whose it is.

The parent has no torch, and the line is all that it needs: is the file whole, of which trial is it. The digest finds
damage, not forgery: so what torch.save wrote is read by nothing but `torch.load(..., weights_only=True)`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from bench.base import files
from bench.base.records import canonical_json

FORMAT = 1
FOLDER = "checkpoints"  # in the folder of a suite's results; in it one folder a trial, called by its trial_id
LAST, BEST, ASIDE = "last.pt", "best.pt", ".part"
MOST_LINE_BYTES = 4096


class Damaged(ValueError):
    """The file is not a whole checkpoint; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Label:
    """The trial of a checkpoint, and how far it came. `kept`: it stays when its trial is ok."""

    trial_id: str
    environment_id: str
    code_id: str
    torch: str
    epoch: int
    kept: bool
    size_bytes: int = 0
    sha256: str = ""

    def line(self) -> bytes:
        """The label as the last line of the file."""
        return b"\n" + canonical_json({"format": FORMAT} | asdict(self)).encode() + b"\n"


def read(path: Path) -> tuple[Label, bytes]:
    """The label and the content of a checkpoint. Raises Damaged, or OSError where it cannot be read."""
    whole = files.read(path, inside=path.parents[2], most_bytes=files.ANY_BYTES)
    if not whole.endswith(b"\n"):
        raise Damaged("cut off")
    at = whole.rfind(b"\n", 0, -1)
    label = _label(whole[at + 1 :])
    content = whole[: max(0, at)]
    if len(content) != label.size_bytes or hashlib.sha256(content).hexdigest() != label.sha256:
        raise Damaged("its SHA-256 is not the one in its label")
    return label, content


def _label(line: bytes) -> Label:
    try:
        value = json.loads(line) if len(line) <= MOST_LINE_BYTES else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, Mapping):
        raise Damaged("cut off, or not a checkpoint")
    if value.get("format") != FORMAT:
        raise Damaged("written by another version of bench")
    if any(type(value.get(f.name)) is not f.type for f in fields(Label)):
        raise Damaged("its label is damaged")
    return Label(**{f.name: value[f.name] for f in fields(Label)})
