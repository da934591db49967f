"""Training images moved about, each by chances of its own: crop with padding, horizontal flip, rotation, in this order.

torchvision.transforms.v2 (RandomCrop with padding, RandomHorizontalFlip, RandomRotation with bilinear interpolation)
draws once for all images of a batch; here each image of a batch has its own, in a few operations on the device.
Chances are drawn for a whole epoch on the host, as the order is, and the step moves the images: neither the device nor
the loader nor the engine changes what is drawn, and nothing is drawn inside a timed block.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from bench.base.records import TrainSettings
from bench.worker.common import randomness

# Of each sample, whatever is asked for: one setting does not change what the others draw.
CHANCES = 4
FLIP, TOP, LEFT, ANGLE = range(CHANCES)


@dataclass(frozen=True, slots=True, eq=False)
class Augmentation:
    """What is done to the images of one source, and the generator that it draws from.

    flip: half of the images are mirrored, left to right. crop_padding: pixels around an image before a piece of its own
    size is cut out. rotation_degrees: most that one is turned either way around its middle. fill (1, C, 1, 1), on the
    device: what lies outside of an image: black, as it is after scaling.
    """

    flip: bool
    crop_padding: int
    rotation_degrees: float
    fill: torch.Tensor
    generator: torch.Generator
    memory_format: torch.memory_format = torch.contiguous_format

    @classmethod
    def of(
        cls,
        settings: TrainSettings,
        *,
        fill: torch.Tensor,
        seed: int,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> "Augmentation | None":
        """What `settings` ask for; None where they ask for nothing."""
        if not (settings.augment_flip or settings.augment_crop_padding > 0 or settings.augment_rotation_degrees > 0):
            return None
        return cls(
            settings.augment_flip,
            settings.augment_crop_padding,
            settings.augment_rotation_degrees,
            fill,
            randomness.generator(seed, randomness.AUGMENT),
            memory_format,
        )

    def chances(self, samples: int) -> torch.Tensor:
        """(samples, CHANCES) float32 on the device, uniform in [0, 1): the next ones of the generator."""
        return torch.rand((samples, CHANCES), generator=self.generator).to(self.fill.device)

    @torch.no_grad()
    def __call__(self, images: torch.Tensor, chances: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) float32, moved as their chances (N, CHANCES) say; leaves `images` as they are.

        Reads nothing back to the host and has shapes that depend on no chance, so that a CUDA graph can hold it.
        """
        if self.crop_padding:
            images = self._cropped(images, chances)
        elif self.flip:
            images = torch.where(_heads(chances)[..., None, None], images.flip(3), images)
        if self.rotation_degrees:
            images = self._turned(images, chances[:, ANGLE])
        return images.contiguous(memory_format=self.memory_format)

    def _cropped(self, images: torch.Tensor, chances: torch.Tensor) -> torch.Tensor:
        """Cut out and mirrored at once: each pixel is fetched from where it lay."""
        count, channels, height, width = images.shape
        row = torch.arange(height, device=images.device)
        column = torch.arange(width, device=images.device).expand(count, width)
        if self.flip:
            column = torch.where(_heads(chances), column.flip(1), column)
        row, column = row + self._shift(chances[:, TOP]), column + self._shift(chances[:, LEFT])
        inside = _between(row, height)[:, None, :, None] & _between(column, width)[:, None, None, :]
        place = row.clamp(0, height - 1)[:, :, None] * width + column.clamp(0, width - 1)[:, None, :]
        pixels = images.flatten(2).gather(2, place.view(count, 1, -1).expand(-1, channels, -1))
        return torch.where(inside, pixels.view(images.shape), self.fill)

    def _shift(self, chance: torch.Tensor) -> torch.Tensor:
        """(N, 1) whole numbers from -crop_padding to crop_padding, each as likely."""
        most = 2 * self.crop_padding
        return (chance[:, None] * (most + 1)).long().clamp(max=most) - self.crop_padding

    def _turned(self, images: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
        """Each turned counter-clockwise by an angle uniform in ±rotation_degrees; bilinear, pixel centres at halves."""
        height, width = images.shape[2:]
        angle = ((2 * chance - 1) * math.radians(self.rotation_degrees))[:, None, None]
        cosine, sine = angle.cos(), angle.sin()
        x = torch.linspace((1 - width) / 2, (width - 1) / 2, width, device=images.device)
        y = torch.linspace((1 - height) / 2, (height - 1) / 2, height, device=images.device)[:, None]
        # Not by affine_grid: autocast would multiply its matrices in bfloat16, which cannot tell pixels apart.
        grid = torch.stack(((cosine * x - sine * y) / (width / 2), (sine * x + cosine * y) / (height / 2)), dim=3)
        lifted = images - self.fill  # what lies outside is then 0
        turned = functional.grid_sample(lifted, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return turned.add_(self.fill)


def augmentations_of(settings: TrainSettings, *, fill: torch.Tensor, seeds: Sequence[int]) -> list[Augmentation]:
    """One for each seed; none where `settings` ask for nothing."""
    each = [Augmentation.of(settings, fill=fill, seed=seed) for seed in seeds]
    return [found for found in each if found is not None]


def _heads(chances: torch.Tensor) -> torch.Tensor:
    """(N, 1): which images are mirrored."""
    return chances[:, FLIP, None] < 0.5


def _between(place: torch.Tensor, length: int) -> torch.Tensor:
    return (place >= 0) & (place < length)
