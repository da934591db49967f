"""The data of all seeds at once: one copy of the set on the device, and for each seed the places of its samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bench.base.records import Scaling
from bench.errors import Unavailable
from bench.worker.common import randomness
from bench.worker.common.messages import Request
from bench.worker.datasets.prepare import Drawn, Split, draw_parts, own_test
from bench.worker.datasets.scaling import Affine, scaling, target_scaling
from bench.worker.datasets.splits import Inputs, Splits, Targets
from bench.worker.evaluate.judge import Judge
from bench.worker.train.augment import Augmentation, augmentations_of
from bench.worker.train.loaders import Batch, Fetch, Ready, Resident, Scale, Source, even_parts, samples_kept
from bench.worker.trial.data import Sizes, as_trained, judge_of, notes_on, open_set


@dataclass(frozen=True, slots=True, eq=False)
class OwnScales:
    """What each seed does to samples of the pool beside what was done to all of them: x → (x - shift) * scale.

    inputs: shift and scale (K, 1, C, 1, …); targets: the same as (K, 1, T), of a regression.
    """

    inputs: Scale
    targets: Scale | None

    def __call__(self, inputs: torch.Tensor, targets: torch.Tensor) -> Batch:
        """Inputs (K, b, …) or (b, …), and their targets, to (K, b, …); labels stay as they are."""
        return self.inputs(inputs), targets if self.targets is None else self.targets(targets)


@dataclass(frozen=True, slots=True, eq=False)
class SeedsSplit:
    """One split of every seed. `rows` (K, n): places in `pool`; (n,) where all seeds have the same samples. `own`: how
    each seed scales them, where that is by its own training part."""

    pool: Resident
    rows: torch.Tensor
    own: OwnScales | None = None

    def __len__(self) -> int:
        return self.rows.shape[-1]

    def first(self, count: int) -> "SeedsSplit":
        """Of each seed the first `count` samples."""
        return SeedsSplit(self.pool, self.rows[..., :count], self.own)

    def batch(self, start: int, size: int) -> Batch:
        """Inputs (K, b, …) and labels (K, b), or targets (K, b, T); without K where all seeds have the same."""
        return gathered(self.pool, self.rows[..., start : start + size], self.own)

    def of(self, place: int) -> torch.Tensor:
        """Rows (n,) of one seed."""
        return self.rows if self.rows.dim() == 1 else self.rows[place]


def gathered(pool: Resident, rows: torch.Tensor, own: OwnScales | None = None) -> Batch:
    """The samples at `rows` (..., b): inputs (..., b, …), labels (..., b) or targets (..., b, T)."""
    images, labels = pool.gather(rows.reshape(-1))
    found = images.view(*rows.shape, *images.shape[1:]), labels.view(*rows.shape, *labels.shape[1:])
    return found if own is None else own(*found)


class SeedsSource(Source):
    """Batches of every seed, each in the order that the seed would have alone."""

    def __init__(
        self,
        split: SeedsSplit,
        *,
        seeds: Sequence[int],
        batch_size: int,
        augmentations: Sequence[Augmentation] = (),  # of each seed, or none: they differ in their generators
        drop_last: bool = False,
    ) -> None:
        self.rows = split.rows.expand(len(seeds), -1)
        self.pool, self.own, self.batch_size = split.pool, split.own, batch_size
        self._kept = samples_kept(self.rows.shape[1], batch_size, drop_last=drop_last)
        self.samples = self._kept * len(seeds)  # of all seeds together
        self._orders = [randomness.generator(seed, randomness.ORDER) for seed in seeds]
        self.augmentations = augmentations
        drawn = {f"augment.{place}": each.generator for place, each in enumerate(augmentations)}
        self.generators = {f"order.{place}": each for place, each in enumerate(self._orders)} | drawn

    def epoch(self, *, steps_per_chunk: int) -> Iterator[list[Ready]]:
        orders = [torch.randperm(self.rows.shape[1], generator=each) for each in self._orders]
        order = torch.stack(orders)[:, : self._kept]
        batches = self.rows.gather(1, order.to(self.rows.device)).split(self.batch_size, dim=1)
        drawn: Sequence[torch.Tensor | None] = [None] * len(batches)
        if self.augmentations:
            drawn = self._chances(self._kept).split(self.batch_size, dim=1)
        ready = [Ready(self._gather(rows, chances), rows.numel()) for rows, chances in zip(batches, drawn, strict=True)]
        for start, end in even_parts(len(ready), most=steps_per_chunk):
            yield ready[start:end]

    def fetch(self, rows: torch.Tensor) -> Fetch:
        """The batch of places `rows` (K, b) in the pool, moved about where that is asked for."""
        return self._gather(rows, self._chances(rows.shape[1]) if self.augmentations else None)

    def _chances(self, samples: int) -> torch.Tensor:
        """(K, samples, CHANCES): of each seed those that it would draw alone."""
        return torch.stack([each.chances(samples) for each in self.augmentations])

    def _gather(self, rows: torch.Tensor, chances: torch.Tensor | None) -> Fetch:
        """The call that gives a batch; its images are moved about by chances (K, b, CHANCES), where there are some."""
        if chances is None:
            return lambda: gathered(self.pool, rows, self.own)
        augmentation = self.augmentations[0]

        def moved() -> Batch:
            images, labels = gathered(self.pool, rows)
            return augmentation(images.flatten(0, 1), chances.flatten(0, 1)).view(images.shape), labels

        return moved


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SeedsData(Sizes):
    """The splits of every seed; see TrialData. `train_size` is that of one seed, `judge` the first seed's."""

    source: SeedsSource
    probe: SeedsSplit
    validation: SeedsSplit | None
    test: SeedsSplit
    judges: tuple[Judge, ...]  # of each seed
    test_part: Split  # as it lies in the data set; `test.rows` are places in it

    def test_samples(self, place: int) -> tuple[Inputs, Targets]:
        """(n, …) and (n,) or (n, T) of one seed, as they lie in the data set."""
        rows = self.test.of(place).cpu().numpy()
        return self.test_part.images[rows], self.test_part.labels[rows]


def load_all_seeds(request: Request, device: torch.device) -> SeedsData:
    """The data of a trial and its others. Raises as `load`, and Unavailable where splits of seeds differ in size."""
    trial, share = request.trial, request.trial.train.validation_split
    splits, name, limits = open_set(request)
    trials = [trial, *(other.trial for other in request.others)]
    drawn = [draw_parts(splits, seed=each.split_seed, validation_split=share, **limits) for each in trials]
    orders = [each.order_seed for each in trials]
    affine, unit, own_scales, units = _scalings(splits, name, drawn, device)
    scale = Scale.on(device, affine.shift, affine.scale, dims=len(splits.input_shape))
    own = Split(splits.train_inputs, splits.train_targets)
    parts = [part for each in drawn for part in (each.train, each.validation, each.test) if part is not None]
    pool = _pool(as_trained(own, unit), scale, last=max(int(part.max(initial=0)) for part in parts), device=device)
    train = SeedsSplit(pool, _rows([each.train for each in drawn], device), own_scales)
    validation = SeedsSplit(pool, _rows([each.validation for each in drawn], device), own_scales)
    tests = [each.test for each in drawn if each.test is not None]
    part = own if tests else own_test(splits, limits["test_limit"])
    if tests:
        test = SeedsSplit(pool, _rows(tests, device), own_scales)
    else:
        test_pool = _pool(as_trained(part, unit), scale, last=len(part.labels) - 1, device=device)
        test = SeedsSplit(test_pool, torch.arange(len(part.labels), device=device), own_scales)
    augmentations = augmentations_of(trial.train, fill=scale.black, seeds=orders)
    if augmentations and own_scales is not None:
        why = "each seed scales by its own training part, so that black is another number in each"
        raise Unavailable(f"engine 'vectorized': {why}: use engine 'eager'")
    source = SeedsSource(
        train,
        seeds=orders,
        batch_size=trial.batch_size,
        augmentations=augmentations,
        drop_last=trial.train.drop_last,
    )
    return SeedsData(
        source=source,
        probe=train.first(len(test)),
        validation=validation if len(validation) else None,
        test=test,
        test_part=part,
        train_size=source.samples // len(trials),
        validation_size=len(validation),
        test_size=len(test),
        dropped=len(train) - source.samples // len(trials),
        input_shape=splits.input_shape,
        num_outputs=splits.num_outputs,
        judge=judge_of(trial.train, splits, units[0]),
        judges=tuple(judge_of(trial.train, splits, each) for each in units),
        names=tuple(splits.class_names or splits.target_names),
        notes=notes_on(request, splits, limits),
    )


Units = list[Affine | None]


def _scalings(
    splits: Splits, name: Scaling, drawn: Sequence[Drawn], device: torch.device
) -> tuple[Affine, Affine | None, OwnScales | None, Units]:
    """How inputs and targets in the pool are scaled, what each seed does beside that where the set is scaled by its
    training part, and the scaling of each seed's targets in all."""
    units: Units = [None] * len(drawn)
    if splits.task == "regression":
        units = [target_scaling(splits.train_targets[each.train]) for each in drawn]
    alike = all(np.array_equal(each.train, drawn[0].train) for each in drawn)
    if alike or (splits.maximum is not None and splits.task == "classification"):
        part = splits.train_inputs[drawn[0].train] if splits.maximum is None else None
        return scaling(splits, name, part=part), units[0], None, units
    channels, dims = splits.input_shape[0], len(splits.input_shape)
    parts = [scaling(splits, name, part=splits.train_inputs[each.train]) for each in drawn]
    inputs = _of_seeds(parts, device, dims=dims)
    unit, targets = None, None
    if splits.task == "regression":
        # The pool has them near 0 already: in float32 a large mean would cost digits.
        unit = target_scaling(splits.train_targets)
        targets = _of_seeds([_beyond(unit, each) for each in units if each is not None], device, dims=1)
    return Affine((0.0,) * channels, (1.0,) * channels), unit, OwnScales(inputs, targets), units


def _beyond(first: Affine, whole: Affine) -> Affine:
    """What is left of `whole` to do behind `first`."""
    pairs = list(zip(first.shift, first.scale, whole.shift, whole.scale, strict=True))
    return Affine(tuple((b - a) * r for a, r, b, _ in pairs), tuple(s / r for _, r, _, s in pairs))


def _of_seeds(each: Sequence[Affine], device: torch.device, *, dims: int) -> Scale:
    """Scalings of K seeds as one of (K, 1, C, 1, …)."""
    own = [Scale.on(device, affine.shift, affine.scale, dims=dims) for affine in each]
    return Scale(torch.stack([scale.shift for scale in own]), torch.stack([scale.scale for scale in own]))


def _pool(part: Split, scale: Scale, *, last: int, device: torch.device) -> Resident:
    """The samples up to place `last`, on the device."""
    images, labels = part.images[: last + 1], part.labels[: last + 1]
    return Resident(images, labels, device=device, scale=scale, batch_size=len(labels), seed=0)


def _rows(places: Sequence[np.ndarray], device: torch.device) -> torch.Tensor:
    """(K, n), or (n,) where all are the same."""
    if len({len(each) for each in places}) > 1:
        raise Unavailable("engine 'vectorized': the seeds' splits differ in size: use engine 'eager'")
    if all(np.array_equal(each, places[0]) for each in places):
        return torch.from_numpy(places[0]).to(device)
    return torch.from_numpy(np.stack(places)).to(device)
