"""Rule 13: host peak is VmHWM after a reset, over a baseline. What is allocated in a forward pass is read back."""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")
MIB = 2**20
SUITE = """
dataset = [{ name = "synthetic", train = TRAIN, test = 64, shape = [1, 28, 28] }]
model = [MODELS]
batch_size = [BATCH]
device = ["cpu"]
[measure]
warmup_steps = 2
[train]
epochs = 1
threads = 1
"""
# The peak of cnn at batch 512 on 1×28×28, by hand: in the backward pass of the second ReLU. Floats a sample:
CNN_BYTES = (512 * 4) * (
    28 * 28  # the batch
    + 16 * 28 * 28  # what the first ReLU gave, which it has kept
    + 2 * 16 * 14 * 14  # where the first pooling found its maxima, as int64
    + 16 * 14 * 14  # what it gave, which the second convolution has kept
    + 3 * 32 * 14 * 14  # what the second ReLU gave, the gradient of that, and the gradient of what came in
)


def suite(models: str, *, batch: int, steps: int) -> str:
    """A step or two have the peak of all: an epoch of few."""
    return SUITE.replace("MODELS", models).replace("BATCH", str(batch)).replace("TRAIN", str(steps * batch))


def read(bench: Any, models: str, *, batch: int) -> dict[str, float]:
    found = {}
    for result in bench.run(suite(models, batch=batch, steps=3)):
        assert result.status == "ok", result.traceback
        assert result.instruments["host_peak_bytes"] == "VmHWM after a reset"
        found[result.trial.model.label] = result.metrics["host_peak_bytes"]
    return found


def test_known_allocations_are_read_back_and_a_linear_model_is_small(bench: Any) -> None:
    sizes = (64, 256, 1024)
    models = ", ".join(f'{{ name = "allocates", mebibytes = {size} }}' for size in sizes)
    found = read(bench, f'{models}, "linear"', batch=64)
    for size in sizes:
        assert abs(found[f"allocates(mebibytes={size})"] - size * MIB) <= max(0.02 * size * MIB, 4 * MIB)
    assert found["linear"] < 4 * MIB


def test_a_cnn_takes_what_was_counted_by_hand(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With glibc told to give each large block back at once. As it comes it keeps free ones, and they are resident
    too: then a process takes up to twice as much, and that is what is read. Less than is needed is never read: that
    is what a baseline after the warm-up would do.
    """
    assert read(bench, '"cnn"', batch=512)["cnn"] > 0.97 * CNN_BYTES
    with monkeypatch.context() as patch:
        patch.setenv("MALLOC_MMAP_THRESHOLD_", "131072")
        exact = read(bench, '"cnn"', batch=512)["cnn"]
    assert abs(exact / CNN_BYTES - 1) < 0.03


def test_a_checkpoint_takes_no_memory_that_is_measured(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, gradients and both moments of adam are 25 MiB. As above, without blocks that glibc keeps: which of them
    it keeps moves the peak of the same trial by one matrix, 6 MiB, from one run to the next.
    """
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "131072")
    wide = '{ name = "mlp", hidden = 2000 }'
    text = suite(wide, batch=64, steps=4).replace("epochs = 1", "epochs = 2")
    text += 'optimizer = "adam"\nlearning_rate = 0.001\n'
    (plain,) = bench.run(text)
    _, each = bench.run(text + "checkpoint_every_epochs = 1\n", "--fresh")
    assert plain.trial_id == each.trial_id
    peaks = [result.metrics["host_peak_bytes"] for result in (plain, each)]
    assert peaks[0] > 24 * MIB
    assert abs(peaks[1] - peaks[0]) <= max(0.02 * peaks[0], 4 * MIB)
