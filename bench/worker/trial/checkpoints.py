"""Checkpoints: all that a training needs to go on bit by bit in another process, written between epochs.

Each part of a trial that changes while it trains gives its state and takes it up again (`Stateful`). A checkpoint is
read with `weights_only=True`. Where it does not fit, every part stays as it was, a note says why, and training starts
anew.
"""

import copy
import hashlib
import io
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Protocol, cast

import torch
from torch import nn

from bench.base import files
from bench.base.checkpoint_file import ASIDE, BEST, LAST, Damaged, Label, read
from bench.errors import one_line
from bench.worker.common import checked
from bench.worker.common.messages import Request, TrialOutcome
from bench.worker.trial.learner_state import model_state

SITTINGS = "resumed_after_epochs"


class Stateful(Protocol):
    """A part of a trial that changes from epoch to epoch."""

    def state_dict(self) -> dict[str, Any]:
        """All that changes, in containers, numbers, texts and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> object:
        """Take it up again. What is raised says that `state` does not fit."""


class Checkpoints:
    """The checkpoints of one trial. Without a place, or settings that ask for one, every call does nothing.

    `parts` by name: all that changes. `model`: its weights are in the best checkpoint. Nothing here is timed, and the
    peaks of memory are paused meanwhile.
    """

    def __init__(
        self, request: Request, *, parts: Mapping[str, Stateful], model: nn.Module, say: Callable[[str], object]
    ) -> None:
        self._parts, self._model, self._say = dict(parts), model, say
        self._every, self._keep = request.trial.train.checkpoint_every_epochs, request.trial.train.keep_checkpoints
        self._place = request.checkpoints if self._every is not None or self._keep else None
        self._epoch = self._saved = 0
        self._best_loss = math.inf
        self.sittings: list[int] = []  # the epochs after which another process went on
        if self._place is not None:
            self._label = Label(
                trial_id=request.trial.trial_id,
                environment_id=self._place.environment_id,
                code_id=self._place.code_id,
                torch=str(torch.__version__),
                epoch=0,
                kept=self._keep,
            )

    @property
    def are_there(self) -> bool:
        """Whether `resume` has something to look at."""
        return self._place is not None and self._place.resume and os.path.lexists(self._place.folder / LAST)

    def resume(self) -> None:
        """Go on from the last checkpoint, where it fits."""
        assert self._place is not None
        path = self._place.folder / LAST
        try:
            label, content = read(path)
            self._refuse_other(label)
            state = loaded(content)
        except Exception as error:  # a stranger's file can raise anything
            self._unused(path, error)
            return
        before = {name: copy.deepcopy(part.state_dict()) for name, part in self._parts.items()}
        try:
            self._take_up(state)
        except Exception as error:  # as above
            for name, part in self._parts.items():
                part.load_state_dict(before[name])
            self._unused(path, error)
            return
        self._say(f"goes on after epoch {self._epoch}, from its checkpoint")

    def _take_up(self, state: dict[str, Any]) -> None:
        parts = checked.mapping(state["parts"])
        if set(parts) != set(self._parts):
            raise ValueError(f"it holds {', '.join(sorted(parts))[:80]}")
        epoch, sittings = checked.whole(state["epoch"]), checked.wholes(state["sittings"])
        best = math.inf if state["best_loss"] is None else checked.number(state["best_loss"])
        for name, part in self._parts.items():
            part.load_state_dict(parts[name])
        self._epoch = self._saved = epoch
        self._best_loss, self.sittings = best, [*sittings, epoch]

    def _refuse_other(self, label: Label) -> None:
        for name, what in (
            ("trial_id", "another trial"),
            ("code_id", "other code"),
            ("environment_id", "another machine, or other software"),
            ("torch", f"torch {label.torch:.40}"),
        ):
            if getattr(label, name) != getattr(self._label, name):
                raise Damaged(f"it is of {what}")

    def _unused(self, path: Path, error: BaseException) -> None:
        why = str(error) if isinstance(error, Damaged) else f"{type(error).__name__}: {error}"
        where = "/".join(path.parts[-3:])  # below the folder of the suite's results
        self._say(one_line(f"{where} is not used ({one_line(why)[:160]}); training starts anew"))

    def after_epoch(self, epoch: int, *, validation_loss: float | None) -> None:
        """Save what is due after `epoch`, counted from 1. OSError: the disk does not take it."""
        if self._place is None:
            return
        self._epoch = epoch
        if self._keep and validation_loss is not None and validation_loss < self._best_loss:
            self._best_loss = validation_loss
            best = {"epoch": epoch, "model": model_state(self._model)}
            write(self._place.folder / BEST, best, label=replace(self._label, epoch=epoch))
        if self._every is not None and epoch % self._every == 0:
            self._save()

    def after_training(self) -> None:
        """Saves after the last epoch too: what follows it may be stopped as well."""
        if self._place is not None and self._saved < self._epoch:
            self._save()

    def _save(self) -> None:
        assert self._place is not None
        state = {
            "epoch": self._epoch,
            "sittings": self.sittings,
            "best_loss": self._best_loss if math.isfinite(self._best_loss) else None,
            "parts": {name: part.state_dict() for name, part in self._parts.items()},
        }
        write(self._place.folder / LAST, state, label=replace(self._label, epoch=self._epoch))
        self._saved = self._epoch

    def mark(self, outcome: TrialOutcome) -> None:
        """Says in the record that its figures come from several processes, where they do."""
        if not self.sittings:
            return
        epochs = " and ".join(map(str, self.sittings))
        count = len(self.sittings) + 1
        outcome.samples[SITTINGS] = [float(epoch) for epoch in self.sittings]
        outcome.validity_notes.append(f"resumed: timed in {count} processes (went on after epoch {epochs})")
        outcome.valid = False
        how = dict.fromkeys(OVER_ALL, f"in {count} processes, the last from epoch {self.sittings[-1] + 1} on")
        for name, words in (how | {"total_seconds": "of the last process alone"}).items():
            known = outcome.instruments.get(name)
            outcome.instruments[name] = f"{known}; {words}" if known else words


# Metrics that come from the samples of all processes.
OVER_ALL = (
    "train_samples_per_second", "step_seconds", "epoch_seconds", "end_to_end_samples_per_second", "fit_seconds",
    "loading_seconds", "achieved_flops_per_second", "host_peak_bytes",
)  # fmt: skip


class _Digesting:
    """A file for torch.save to write to, with the digest of what went into it.

    It raises nothing into torch's writer, which is C++: the disk's error is kept in `error`.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest, self.bytes = file, hashlib.sha256(), 0
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            if self.error is None:
                self._file.write(data)
                self.digest.update(data)
        except OSError as error:
            self.error = error
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """`write` waits for the disk."""


def write(path: Path, state: dict[str, Any], *, label: Label) -> None:
    """Writes a checkpoint whole or not at all: aside, waiting for the disk, then renamed. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ASIDE)
    try:
        with files.created(aside, buffering=0) as raw:
            file = _Digesting(raw)
            torch.save(state, cast("IO[bytes]", file))
            if file.error is not None:
                raise file.error
            raw.write(replace(label, size_bytes=file.bytes, sha256=file.digest.hexdigest()).line())
            os.fsync(raw.fileno())
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
        raise
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def loaded(content: bytes) -> dict[str, Any]:
    """What torch.save wrote, on the host. Raises whatever torch.load does, and Damaged."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # torch reads older forms too, which are one pickle each
        if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
            # torch.save compresses nothing, and a small file could become a large one.
            raise Damaged("it is compressed")
    return checked.mapping(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
