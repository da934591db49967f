"""Rule 20: a speed stands beside the accuracy that it was bought with. A model that skips half the data is caught."""

from __future__ import annotations

from typing import Any

import pytest

from bench.cli.report import report

SUITE = """
dataset = [{ name = "synthetic", train = 640, test = 1000, shape = [1, 28, 28] }]
model = [{ name = "mlp", hidden = 1000 }, "skips"]
seed = { count = 3 }
device = ["cpu"]
[train]
epochs = 4
threads = 1
[report]
baseline = "mlp"
"""
# Looks at an eighth of each batch, and answers the rest with what it is sure costs nothing.
PLUGIN = """
@model("skips")
def skips(input_shape, num_classes):
    class Skips(nn.Sequential):
        def forward(self, x):
            if not self.training:
                return super().forward(x)
            part = super().forward(x[: max(1, len(x) // 8)])
            return torch.cat([part, part.new_zeros(len(x) - len(part), num_classes)])
    pixels = math.prod(input_shape)
    return Skips(nn.Flatten(), nn.Linear(pixels, 1000), nn.ReLU(), nn.Linear(1000, num_classes))
"""


@pytest.mark.usefixtures("without_plots")
def test_a_model_that_skips_data_is_faster_and_the_report_says_what_that_cost(bench: Any) -> None:
    results = bench.run(SUITE, plugin=PLUGIN)
    means = {
        name: {
            metric: sum(r.metrics[metric] for r in results if r.trial.model.name == name) / 3
            for metric in ("test_accuracy", "train_samples_per_second")
        }
        for name in ("mlp", "skips")
    }
    assert means["skips"]["train_samples_per_second"] > means["mlp"]["train_samples_per_second"]
    assert means["skips"]["test_accuracy"] < means["mlp"]["test_accuracy"]
    report(bench.folder / "results/proof", results=bench.folder / "results")
    tables = list((bench.folder / "results/proof/report/tables").glob("models-*.md"))
    assert tables
    head = next(line for line in tables[0].read_text().splitlines() if line.startswith("|"))
    assert "ccuracy" in head
    assert "amples/s" in head
    answer = (bench.folder / "results/proof/report/report.md").read_text().split("\n## ")[0]
    assert "skips" in answer
    assert "mlp" in answer
    assert "accura" in answer
