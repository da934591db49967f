"""Models that people write, each with what a trial of it gives: its parameters, or the one line that refuses it.

They take images (N, 1, 8, 8) and have ten classes. `ZOO` has each by its name; tests/conformance/test_zoo.py runs them.
"""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

Build = Callable[[tuple[int, int, int], int], Any]


@dataclass(frozen=True)
class Kept:
    """A model and what becomes of it.

    parameters: counted by hand, of a model that trains; trainable: where not all of them are. refused: its reason
    without `model '<name>' `. vectorized: why engine `vectorized` does not take it, a part of the reason; empty where
    it does. notes: beginnings of its notes. is_fair: whether a plain loop gives the same figures.
    """

    build: Build
    parameters: int = 0
    trainable: int | None = None
    refused: str = ""
    vectorized: str = ""
    notes: tuple[str, ...] = ()
    is_fair: bool = True


ZOO: dict[str, Kept] = {}


NOT_MAPPED = "torch.func.vmap does not take this model"


def zoo(**what: Any) -> Callable[[Build], Build]:
    """Enters a builder under its name."""

    def enter(build: Build) -> Build:
        ZOO[build.__name__] = Kept(build, **what)
        return build

    return enter


def module(forward: Callable[..., Any], **parts: Any) -> nn.Module:
    """A module with `parts` that answers with `forward(self, x)`."""

    class Written(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

    Written.forward = forward  # type: ignore[method-assign, assignment]
    return Written()


def head(k: int, n: int = 64) -> nn.Linear:
    return nn.Linear(n, k)


# ---- layers as in every course -------------------------------------------------------------------------------------


@zoo(parameters=650)
def softmax_regression(shape, k):
    return nn.Sequential(nn.Flatten(), head(k))


@zoo(parameters=64 * 32 + 32 + 330)
def perceptron(shape, k):
    return nn.Sequential(OrderedDict(flat=nn.Flatten(), hidden=nn.Linear(64, 32), act=nn.ReLU(), out=head(k, 32)))


@zoo(parameters=80 + 16 * 9 * 8 + 16 + 650)
def small_cnn(shape, k):
    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.one(x)), 2)
        x = functional.max_pool2d(functional.relu(self.two(x)), 2)
        return self.out(x.view(x.size(0), -1))

    return module(forward, one=nn.Conv2d(1, 8, 3, padding=1), two=nn.Conv2d(8, 16, 3, padding=1), out=head(k))


@zoo(parameters=64 * 32 + 32 + 64 + 330)
def batch_normed(shape, k):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), head(k, 32))


@zoo(parameters=80 + 16 + 5130)
def batch_normed_cnn(shape, k):
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), head(k, 512))


@zoo(parameters=2080 + 64 + 330, vectorized=NOT_MAPPED)
def cumulative_batch_norm(shape, k):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32, momentum=None), nn.ReLU(), head(k, 32))


@zoo(parameters=80 + 16 + 5130)
def batch_norm_without_statistics(shape, k):
    norm = nn.BatchNorm2d(8, track_running_stats=False)
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), norm, nn.ReLU(), nn.Flatten(), head(k, 512))


@zoo(parameters=80 + 16 + 5130)
def group_normed(shape, k):
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU(), nn.Flatten(), head(k, 512))


@zoo(parameters=80 + 16 + 5130)
def instance_normed(shape, k):
    norm = nn.InstanceNorm2d(8, affine=True)
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), norm, nn.ReLU(), nn.Flatten(), head(k, 512))


@zoo(parameters=128 + 2080 + 330)
def layer_normed(shape, k):
    return nn.Sequential(nn.Flatten(), nn.LayerNorm(64), nn.Linear(64, 32), nn.GELU(), head(k, 32))


@zoo(parameters=650, vectorized="Dropout would draw other numbers")
def dropout_first(shape, k):
    return nn.Sequential(nn.Dropout(0.2), nn.Flatten(), head(k))


@zoo(parameters=2080 + 330, vectorized="Dropout would draw other numbers")
def dropout_between(shape, k):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5), head(k, 32))


@zoo(parameters=650, vectorized=NOT_MAPPED)
def functional_dropout(shape, k):
    return module(lambda self, x: self.out(functional.dropout(x.flatten(1), 0.3, self.training)), out=head(k))


@zoo(parameters=650, vectorized=NOT_MAPPED)
def noisy_input(shape, k):
    def forward(self, x):
        return self.out((x + 0.1 * torch.randn_like(x) if self.training else x).flatten(1))

    return module(forward, out=head(k))


@zoo(parameters=2 * 4160 + 650)
def residual(shape, k):
    def forward(self, x):
        x = x.flatten(1)
        for block in self.blocks:
            x = x + functional.relu(block(x))
        return self.out(x)

    return module(forward, blocks=nn.ModuleList(nn.Linear(64, 64) for _ in range(2)), out=head(k))


@zoo(parameters=4160 + 650, vectorized=NOT_MAPPED)
def stochastic_depth(shape, k):
    def forward(self, x):
        x = x.flatten(1)
        if not self.training or torch.rand(()) < 0.5:
            x = x + functional.relu(self.block(x))
        return self.out(x)

    return module(forward, block=nn.Linear(64, 64), out=head(k))


@zoo(parameters=80 + 8 * 9 + 8 + 64 + 8 + 90)
def separable_cnn(shape, k):
    depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
    layers = (nn.Conv2d(1, 8, 3, padding=1), depthwise, nn.Conv2d(8, 8, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(*layers, nn.Flatten(), head(k, 8))


@zoo(parameters=80 + 90)
def convolutional_head(shape, k):
    return module(lambda self, x: self.out(self.one(x)).mean((2, 3)), one=nn.Conv2d(1, 8, 3), out=nn.Conv2d(8, k, 1))


@zoo(parameters=(1 * 4 + 4) + (1 * 9 * 4 + 4) + (8 * 64 * 10 + 10))
def inception(shape, k):
    def forward(self, x):
        return self.out(torch.cat([self.one(x), self.three(x)], dim=1).flatten(1))

    return module(forward, one=nn.Conv2d(1, 4, 1), three=nn.Conv2d(1, 4, 3, padding=1), out=head(k, 512))


@zoo(parameters=(4 * 1 * 4 + 4) + 10250)
def transposed(shape, k):
    return nn.Sequential(nn.ConvTranspose2d(1, 4, 2, stride=2), nn.Tanh(), nn.Flatten(), head(k, 1024))


# ---- sequences and attention ---------------------------------------------------------------------------------------


@zoo(parameters=4 * (8 * 16 + 16 * 16 + 32) + 170, vectorized=NOT_MAPPED)
def rows_by_lstm(shape, k):
    return module(
        lambda self, x: self.out(self.rnn(x.squeeze(1))[0][:, -1]),
        rnn=nn.LSTM(8, 16, batch_first=True),
        out=head(k, 16),
    )


@zoo(parameters=3 * (8 * 16 + 16 * 16 + 32) + 170, vectorized=NOT_MAPPED)
def rows_by_gru(shape, k):
    return module(
        lambda self, x: self.out(self.rnn(x[:, 0].transpose(0, 1))[1][-1]), rnn=nn.GRU(8, 16), out=head(k, 16)
    )


@zoo(parameters=3 * 72 + 72 + 90)
def attention_over_rows(shape, k):
    def forward(self, x):
        rows = x.squeeze(1)
        found, _ = self.attend(rows, rows, rows, need_weights=False)
        return self.out(found.mean(1))

    return module(forward, attend=nn.MultiheadAttention(8, 2, batch_first=True), out=head(k, 8))


@zoo(parameters=17 * 16 + 16 + 4 * 16 + 16 + (4 * 272 + 16 * 32 + 32 + 32 * 16 + 16 + 64) + 170)
def vision_transformer(shape, k):
    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        return self.out(self.body(x)[:, 0])

    body = nn.TransformerEncoderLayer(16, 4, dim_feedforward=32, dropout=0.0, batch_first=True)
    token, place = nn.Parameter(torch.zeros(1, 1, 16)), nn.Parameter(torch.randn(1, 5, 16) * 0.02)
    return module(forward, patch=nn.Conv2d(1, 16, 4, stride=4), token=token, place=place, body=body, out=head(k, 16))


@zoo(parameters=256 * 4 + 2570)
def pixels_as_words(shape, k):
    def forward(self, x):
        return self.out(self.words((x.flatten(1) * 255).long().clamp(0, 255)).flatten(1))

    return module(forward, words=nn.Embedding(256, 4), out=head(k, 256))


# ---- weights out of the ordinary -----------------------------------------------------------------------------------


@zoo(parameters=4160 + 64 + 650)
def tied(shape, k):
    model = module(
        lambda self, x: self.out(functional.relu(self.two(functional.relu(self.one(x.flatten(1)))))),
        one=nn.Linear(64, 64), two=nn.Linear(64, 64), out=head(k),
    )  # fmt: skip
    model.two.weight = model.one.weight
    return model


@zoo(parameters=10 + 640 + 10)
def weight_normed(shape, k):
    return nn.Sequential(nn.Flatten(), parametrizations.weight_norm(head(k)))


@zoo(parameters=10 + 640 + 10)
def weight_normed_of_old(shape, k):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(nn.Flatten(), nn.utils.weight_norm(head(k)))


@zoo(parameters=4160 + 650)
def pruned(shape, k):
    return nn.Sequential(nn.Flatten(), prune.l1_unstructured(nn.Linear(64, 64), "weight", 0.5), nn.Tanh(), head(k))


@zoo(parameters=650, vectorized=NOT_MAPPED)
def scripted(shape, k):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(nn.Sequential(nn.Flatten(), head(k)))


@zoo(parameters=650)
def averaged(shape, k):
    """What trains is the copy."""
    return AveragedModel(nn.Sequential(nn.Flatten(), head(k)))


@zoo(parameters=650, vectorized=NOT_MAPPED)
def spectral_normed(shape, k):
    return nn.Sequential(nn.Flatten(), parametrizations.spectral_norm(head(k)))


@zoo(parameters=4160 + 650)
def orthogonal(shape, k):
    return nn.Sequential(nn.Flatten(), parametrizations.orthogonal(nn.Linear(64, 64)), nn.Tanh(), head(k))


@zoo(parameters=4160 + 650, trainable=650)
def frozen_body(shape, k):
    body = nn.Linear(64, 64).requires_grad_(False)
    return nn.Sequential(nn.Flatten(), body, nn.ReLU(), head(k))


@zoo(parameters=4160 + 650)
def detached_body(shape, k):
    """The body has gradients switched on, and gets none."""
    return module(lambda self, x: self.out(self.body(x.flatten(1)).detach()), body=nn.Linear(64, 64), out=head(k))


@zoo(parameters=640 + 10)
def complex_weights(shape, k):
    def forward(self, x):
        return (torch.fft.fft(x.flatten(1)) @ self.weight).abs() + self.bias

    weight = nn.Parameter(torch.randn(64, k, dtype=torch.complex64) * 0.05)
    return module(forward, weight=weight, bias=nn.Parameter(torch.zeros(k)))


@zoo(parameters=650)
def float64_inside(shape, k):
    return module(lambda self, x: self.out(x.double().flatten(1)), out=head(k).double())


@zoo(parameters=650)
def lazy_head(shape, k):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(k))


@zoo(parameters=80 + 16 + 5130)
def lazy_cnn(shape, k):
    return nn.Sequential(
        nn.LazyConv2d(8, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(k)
    )


@zoo(parameters=650)
def extra_state(shape, k):
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"version": 2, "names": ["a", "b"]}

        def set_extra_state(self, state):
            assert state["version"] == 2

    return nn.Sequential(nn.Flatten(), Extra(64, k))


@zoo(parameters=650)
def cannot_be_copied(shape, k):
    class Alone(nn.Linear):
        def __deepcopy__(self, memo):
            raise TypeError("cannot be copied")

        def __reduce__(self):
            raise TypeError("cannot be pickled")

    return nn.Sequential(nn.Flatten(), Alone(64, k))


@zoo(parameters=650)
def with_a_lock(shape, k):
    model = nn.Sequential(nn.Flatten(), head(k))
    model.lock, model.draw = threading.Lock(), lambda: 3
    return model


@zoo(parameters=650, vectorized=NOT_MAPPED)
def parallel(shape, k):
    return nn.DataParallel(nn.Sequential(nn.Flatten(), head(k)))


# ---- forward passes that do more than answer -----------------------------------------------------------------------


@zoo(parameters=650)
def counts_its_calls(shape, k):
    model = nn.Sequential(nn.Flatten(), head(k))
    model.calls = 0

    def count(module, arguments, answer):
        model.calls += 1

    model.register_forward_hook(count)
    return model


@zoo(parameters=650)
def a_hook_changes_the_answer(shape, k):
    model = nn.Sequential(nn.Flatten(), head(k))
    model.register_forward_hook(lambda module, arguments, answer: answer / 2)
    return model


@zoo(parameters=650, vectorized="a hook on a gradient would see those of all seeds")
def a_hook_clips_gradients(shape, k):
    model = nn.Sequential(nn.Flatten(), head(k))
    model[1].weight.register_hook(lambda gradient: gradient.clamp(-0.01, 0.01))
    return model


@zoo(parameters=650, vectorized=NOT_MAPPED)
def clips_its_weights(shape, k):
    def forward(self, x):
        self.out.weight.data.clamp_(-0.1, 0.1)
        return self.out(x.flatten(1))

    return module(forward, out=head(k))


@zoo(parameters=650)
def keeps_a_running_mean(shape, k):
    def forward(self, x):
        x = x.flatten(1)
        if self.training:
            with torch.no_grad():
                self.mean.mul_(0.9).add_(x.mean(0), alpha=0.1)
        return self.out(x - self.mean)

    model = module(forward, out=head(k))
    model.register_buffer("mean", torch.zeros(64))
    return model


@zoo(parameters=650, vectorized=NOT_MAPPED)
def looks_at_its_data(shape, k):
    def forward(self, x):
        return self.out(x.flatten(1)) * (2.0 if x.mean() > 0.5 else 1.0)

    return module(forward, out=head(k))


@zoo(parameters=650, vectorized=NOT_MAPPED)
def counts_by_numpy(shape, k):
    def forward(self, x):
        scale = float(np.abs(x.detach().cpu().numpy()).max()) or 1.0
        return self.out(x.flatten(1) / scale)

    return module(forward, out=head(k))


@zoo(parameters=650, vectorized=NOT_MAPPED)
def straight_through(shape, k):
    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sign()

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    return module(lambda self, x: self.out(Sign.apply(x.flatten(1) - 0.5)), out=head(k))


@zoo(parameters=4160 + 650, vectorized=NOT_MAPPED)
def checkpointed(shape, k):
    def forward(self, x):
        return self.out(checkpoint(self.body, x.flatten(1), use_reentrant=False))

    return module(forward, body=nn.Sequential(nn.Linear(64, 64), nn.ReLU()), out=head(k))


@zoo(parameters=650)
def takes_more_arguments(shape, k):
    def forward(self, x, labels=None, *, verbose=False, **more):
        return self.out(x.flatten(1))

    return module(forward, out=head(k))


@zoo(parameters=650)
def built_in_eval_mode(shape, k):
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.0), head(k)).eval()


@zoo(parameters=650)
def remembers_detached(shape, k):
    """What it keeps of a batch is of no size of batch, and has no graph."""

    def forward(self, x):
        x = x.flatten(1)
        answer = self.out(x + 0.01 * self.last)
        if self.training:
            self.last = x.detach().mean(0)
        return answer

    model = module(forward, out=head(k))
    model.register_buffer("last", torch.zeros(64))
    return model


# ---- in place ------------------------------------------------------------------------------------------------------


@zoo(parameters=650)
def normalises_in_place(shape, k):
    return module(lambda self, x: self.out(x.sub_(0.5).div_(0.5).flatten(1)), out=head(k))


@zoo(parameters=650)
def augmented_assignment(shape, k):
    def forward(self, x):
        x -= 0.3
        x *= 2
        return self.out(x.flatten(1))

    return module(forward, out=head(k))


@zoo(parameters=650)
def activation_first_in_place(shape, k):
    return nn.Sequential(nn.Threshold(0.5, 0.1, inplace=True), nn.Flatten(), head(k))


@zoo(parameters=650)
def leaky_on_a_view(shape, k):
    return module(
        lambda self, x: self.out(functional.hardtanh(x.view(len(x), -1), -0.4, 0.4, inplace=True)), out=head(k)
    )


@zoo(parameters=650)
def masks_a_border(shape, k):
    def forward(self, x):
        x[:, :, 0] = 0.5
        x[:, :, :, -1] += 1
        return self.out(x.flatten(1))

    return module(forward, out=head(k))


@zoo(parameters=650, vectorized="Dropout would draw other numbers")
def dropout_in_place(shape, k):
    return nn.Sequential(nn.Dropout(0.2, inplace=True), nn.Flatten(), head(k))


@zoo(parameters=2080 + 330)
def later_in_place(shape, k):
    """What it writes into is its own."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(inplace=True), head(k, 32))


# ---- with a note ---------------------------------------------------------------------------------------------------


@zoo(parameters=650, notes=("the model's outputs look like probabilities",))
def softmax_last(shape, k):
    return nn.Sequential(nn.Flatten(), head(k), nn.Softmax(dim=1))


@zoo(parameters=650)
def log_softmax_last(shape, k):
    return nn.Sequential(nn.Flatten(), head(k), nn.LogSoftmax(dim=1))


@zoo(parameters=650, notes=("the model's outputs all lie between 0 and 1",))
def sigmoid_last(shape, k):
    return nn.Sequential(nn.Flatten(), head(k), nn.Sigmoid())


@zoo(parameters=650, notes=("the model's start does not follow from the seed: its builder gave other",), is_fair=False)
def unseeded(shape, k):
    model = nn.Sequential(nn.Flatten(), head(k))
    with torch.no_grad():
        model[1].weight.copy_(torch.from_numpy(np.random.default_rng().normal(size=(k, 64)) * 0.1))
    return model


SHARED = nn.Linear(64, 64)


@zoo(
    parameters=4160 + 650,
    notes=("the model's start does not follow from the seed: its builder gave other",),
    is_fair=False,
)
def shares_a_body(shape, k):
    return nn.Sequential(nn.Flatten(), SHARED, nn.ReLU(), head(k))


@zoo(parameters=650, notes=("the model's start does not follow from the seed: its builder sets torch's seed",))
def seeds_itself(shape, k):
    torch.manual_seed(42)
    return nn.Sequential(nn.Flatten(), head(k))


@zoo(
    parameters=650,
    notes=("its builder sets the default type and the number of threads and whether there are gradients of the whole",),
    is_fair=False,
)
def sets_switches_as_it_is_built(shape, k):
    torch.set_num_threads(3)
    torch.set_default_dtype(torch.float64)
    model = nn.Sequential(nn.Flatten(), head(k)).float()
    torch.set_grad_enabled(False)
    return model


@zoo(parameters=650, notes=("its forward pass sets torch's seed",), is_fair=False)
def seeds_each_pass(shape, k):
    def forward(self, x):
        torch.manual_seed(0)
        return self.out(x.flatten(1))

    return module(forward, out=head(k))


@zoo(
    parameters=650,
    notes=("it does not train layers.0.weight, layers.0.bias, …, which the module does not know of",),
    vectorized="the seeds' models differ in more than their weights (layers.0.weight)",
)
def layers_in_a_list(shape, k):
    def forward(self, x):
        x = x.flatten(1)
        for layer in self.layers:
            x = functional.relu(layer(x))
        return self.out(x)

    return module(forward, layers=[nn.Linear(64, 64), nn.Linear(64, 64)], out=head(k))


# ---- refused, in one line ------------------------------------------------------------------------------------------


IN_EVAL = "on 2 images in eval mode"
BOUND = f": only batches of 16 go through it: keep their size, as x.flatten(1) does; it raises RuntimeError {IN_EVAL}"
LOGITS = "to a batch of (2, 1, 8, 8); it has to be a tensor of logits (2, 10)"


class Output(NamedTuple):
    logits: torch.Tensor
    loss: None = None


@zoo(refused=f"answers with tuple {LOGITS}")
def gives_a_tuple(shape, k):
    return module(lambda self, x: (self.out(x.flatten(1)), x), out=head(k))


@zoo(refused=f"answers with dict {LOGITS}")
def gives_a_dict(shape, k):
    return module(lambda self, x: {"logits": self.out(x.flatten(1))}, out=head(k))


@zoo(refused=f"answers with Output {LOGITS}")
def gives_a_model_output(shape, k):
    return module(lambda self, x: Output(self.out(x.flatten(1))), out=head(k))


@zoo(refused=f"answers with NoneType {LOGITS}")
def forgets_to_return(shape, k):
    def forward(self, x):
        self.out(x.flatten(1))

    return module(forward, out=head(k))


@zoo(refused=f"answers with (2, 11) {LOGITS}")
def one_class_more(shape, k):
    return nn.Sequential(nn.Flatten(), head(k + 1))


@zoo(refused=f"answers with (2, 10, 1, 1) {LOGITS}")
def forgets_to_flatten(shape, k):
    return nn.Sequential(nn.Conv2d(1, k, 3), nn.AdaptiveAvgPool2d(1))


@zoo(refused=f"answers with (2,) {LOGITS}")
def gives_the_class(shape, k):
    return module(lambda self, x: self.out(x.flatten(1)).argmax(1), out=head(k))


@zoo(refused="answers with int64: logits are floating-point numbers")
def gives_whole_numbers(shape, k):
    return module(lambda self, x: self.out(x.flatten(1)).round().long(), out=head(k))


@zoo(refused="answers with complex64: logits are floating-point numbers")
def gives_complex_numbers(shape, k):
    return module(lambda self, x: torch.fft.fft(self.out(x.flatten(1))), out=head(k))


NO_GRADIENT = "answers without a gradient, so that nothing would be trained: leave out torch.no_grad, detach and argmax"


@zoo(refused=NO_GRADIENT)
def forward_without_gradients(shape, k):
    return module(torch.no_grad()(lambda self, x: self.out(x.flatten(1))), out=head(k))


@zoo(refused=NO_GRADIENT)
def detaches_its_answer(shape, k):
    return module(lambda self, x: self.out(x.flatten(1)).detach(), out=head(k))


@zoo(refused="sets whether there are gradients of the whole process to False: leave that out")
def switches_gradients_off(shape, k):
    def forward(self, x):
        torch.set_grad_enabled(False)
        return self.out(x.flatten(1))

    return module(forward, out=head(k))


@zoo(refused="sets the default type of the whole process to float64: leave that out")
def sets_the_default_type(shape, k):
    def forward(self, x):
        torch.set_default_dtype(torch.float64)
        return self.out(x.flatten(1))

    return module(forward, out=head(k))


@zoo(refused="sets the number of threads of the whole process to 3: leave that out")
def sets_the_threads(shape, k):
    def forward(self, x):
        torch.set_num_threads(3)
        return self.out(x.flatten(1))

    return module(forward, out=head(k))


@zoo(
    refused=f"raises RuntimeError {IN_EVAL}: mat1 and mat2 must have the same dtype, but got Float and Double; "
    "it has float64 parameters, and images are float32"
)
def in_float64(shape, k):
    return nn.Sequential(nn.Flatten(), head(k)).double()


@zoo(refused=f"{BOUND}: shape '[16, 64]' is invalid for input of size 128")
def bound_to_a_batch(shape, k):
    return module(lambda self, x: self.out(x.view(16, 64)), out=head(k))


@zoo(refused=f"{BOUND}: The size of tensor a (2) must match the size of tensor b (16) at non-singleton dimension 0")
def keeps_noise_for_a_batch(shape, k):
    model = module(lambda self, x: self.out(x.flatten(1) + self.noise), out=head(k))
    model.register_buffer("noise", torch.zeros(16, 64))
    return model


@zoo(refused="has no parameter to train")
def without_parameters(shape, k):
    return module(lambda self, x: x.flatten(1)[:, :k])


@zoo(refused="has no parameter to train")
def frozen(shape, k):
    return nn.Sequential(nn.Flatten(), head(k)).requires_grad_(False)


@zoo(
    refused="makes parameters in its forward pass, too late to be trained: make them in __init__, or use "
    "nn.LazyLinear and its like"
)
def makes_its_body_late(shape, k):
    def forward(self, x):
        if not hasattr(self, "body"):
            self.body = nn.Linear(64, 64)
        return self.out(self.body(x.flatten(1)))

    return module(forward, out=head(k))


@zoo(refused="has a lazy layer that its forward pass does not reach: leave it out")
def lazy_and_not_used(shape, k):
    return module(lambda self, x: self.out(x.flatten(1)), out=head(k), spare=nn.LazyLinear(3))


@zoo(refused="keeps the graph of the step before: detach what it keeps from one batch for the next")
def remembers_its_graph(shape, k):
    def forward(self, x):
        answer = self.out(x.flatten(1) + self.last)
        self.last = answer.mean() if self.training else torch.zeros(())
        return answer

    return module(forward, out=head(k), last=torch.zeros(()))


@zoo(refused="raises ValueError on 2 images in eval mode: activations are too large")
def a_hook_raises(shape, k):
    def stop(module, arguments, answer):
        raise ValueError("activations are too large")

    model = nn.Sequential(nn.Flatten(), head(k))
    model.register_forward_hook(stop)
    return model


@zoo(
    refused="raises RuntimeError on 2 images in eval mode: mat1 and mat2 shapes cannot be multiplied (2x64 and 784x10)"
)
def for_another_size_of_image(shape, k):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, k))


@zoo(refused=f'raises NotImplementedError {IN_EVAL}: Module [Forgetful] is missing the required "forward" function')
def without_a_forward(shape, k):
    class Forgetful(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = head(k)

    return Forgetful()


@zoo(
    refused=f"raises TypeError {IN_EVAL}: wants_labels.<locals>.forward() missing 1 required positional argument: "
    "'labels'"
)
def wants_labels(shape, k):
    def forward(self, x, labels):
        return self.out(x.flatten(1))

    return module(forward, out=head(k))


@zoo(refused=": its builder gave type, not a torch.nn.Module")
def gives_its_class(shape, k):
    return nn.Linear
