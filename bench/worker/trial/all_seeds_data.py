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
from bench.worker.train.augment import Augmentation, augmentations_of
from bench.worker.train.loaders import Batch, Fetch, Ready, Resident, Scale, Source, even_parts, samples_kept
from bench.worker.trial.data import Sizes, as_trained, judge_of, notes_on, open_set


@dataclass(frozen=True, slots=True, eq=False)
class SeedsSplit:
    """One split of every seed. `rows` (K, n): places in `pool`; (n,) where all seeds have the same samples."""

    pool: Resident
    rows: torch.Tensor

    def __len__(self) -> int:
        return self.rows.shape[-1]

    def first(self, count: int) -> "SeedsSplit":
        """Of each seed the first `count` samples."""
        return SeedsSplit(self.pool, self.rows[..., :count])

    def batch(self, start: int, size: int) -> Batch:
        """Inputs (K, b, …) and labels (K, b), or targets (K, b, T); without K where all seeds have the same."""
        return gathered(self.pool, self.rows[..., start : start + size])

    def of(self, place: int) -> torch.Tensor:
        """Rows (n,) of one seed."""
        return self.rows if self.rows.dim() == 1 else self.rows[place]


def gathered(pool: Resident, rows: torch.Tensor) -> Batch:
    """The samples at `rows` (..., b): inputs (..., b, …), labels (..., b) or targets (..., b, T)."""
    images, labels = pool.gather(rows.reshape(-1))
    return images.view(*rows.shape, *images.shape[1:]), labels.view(*rows.shape, *labels.shape[1:])


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
        self.pool, self.batch_size = split.pool, batch_size
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
            return lambda: gathered(self.pool, rows)
        augmentation = self.augmentations[0]

        def moved() -> Batch:
            images, labels = gathered(self.pool, rows)
            return augmentation(images.flatten(0, 1), chances.flatten(0, 1)).view(images.shape), labels

        return moved


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SeedsData(Sizes):
    """The splits of every seed; see TrialData. `train_size` is that of one seed."""

    source: SeedsSource
    probe: SeedsSplit
    validation: SeedsSplit | None
    test: SeedsSplit
    test_part: Split  # as it lies in the data set; `test.rows` are places in it

    def test_samples(self, place: int) -> tuple[Inputs, Targets]:
        """(n, …) and (n,) or (n, T) of one seed, as they lie in the data set."""
        rows = self.test.of(place).cpu().numpy()
        return self.test_part.images[rows], self.test_part.labels[rows]


def load_all_seeds(request: Request, device: torch.device) -> SeedsData:
    """The data of a trial and its others. Raises as `load`, and Unavailable where splits of seeds differ in size, or
    are scaled in ways of their own."""
    trial, share = request.trial, request.trial.train.validation_split
    splits, name, limits = open_set(request)
    trials = [trial, *(other.trial for other in request.others)]
    drawn = [draw_parts(splits, seed=each.split_seed, validation_split=share, **limits) for each in trials]
    orders = [each.order_seed for each in trials]
    affine, unit = _one_scaling(splits, name, drawn)
    scale = Scale.on(device, affine.shift, affine.scale, dims=len(splits.input_shape))
    own = Split(splits.train_inputs, splits.train_targets)
    parts = [part for each in drawn for part in (each.train, each.validation, each.test) if part is not None]
    pool = _pool(as_trained(own, unit), scale, last=max(int(part.max(initial=0)) for part in parts), device=device)
    train = SeedsSplit(pool, _rows([each.train for each in drawn], device))
    validation = SeedsSplit(pool, _rows([each.validation for each in drawn], device))
    tests = [each.test for each in drawn if each.test is not None]
    part = own if tests else own_test(splits, limits["test_limit"])
    if tests:
        test = SeedsSplit(pool, _rows(tests, device))
    else:
        test_pool = _pool(as_trained(part, unit), scale, last=len(part.labels) - 1, device=device)
        test = SeedsSplit(test_pool, torch.arange(len(part.labels), device=device))
    augmentations = augmentations_of(trial.train, fill=scale.black, seeds=orders)
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
        judge=judge_of(trial.train, splits, unit),
        names=tuple(splits.class_names or splits.target_names),
        notes=notes_on(request, splits, limits),
    )


def _one_scaling(splits: Splits, name: Scaling, drawn: Sequence[Drawn]) -> tuple[Affine, Affine | None]:
    """How inputs and targets of every seed are scaled. Raises Unavailable where the seeds' training parts differ in
    it: the set lies on the device once."""
    if splits.maximum is not None and splits.task == "classification":
        return scaling(splits, name), None
    if any(not np.array_equal(each.train, drawn[0].train) for each in drawn):
        why = "each seed has a training part of its own, by which this data set is scaled"
        raise Unavailable(f"engine 'vectorized': {why}: use engine 'eager'")
    train = drawn[0].train
    unit = target_scaling(splits.train_targets[train]) if splits.task == "regression" else None
    return scaling(splits, name, part=splits.train_inputs[train]), unit


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
