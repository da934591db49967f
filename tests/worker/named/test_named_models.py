"""Models by name give what one builds by hand, to the bit; what is no model is refused in one line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from bench.errors import BenchError, Unavailable
from bench.registry import MODELS
from bench.worker.catalogue import plugins
from bench.worker.catalogue.entries import settings_of
from bench.worker.common import discover  # noqa: F401  # has MODELS find them
from bench.worker.named import find_model, model_names

COLOURS, GREY = (3, 32, 32), (1, 8, 8)
NETS = '''
import math
from torch import nn


class Net(nn.Sequential):
    """Two layers."""

    def __init__(self, input_shape, num_outputs, width: int = 3, act=nn.ReLU):
        super().__init__(nn.Flatten(), nn.Linear(math.prod(input_shape), width), act(), nn.Linear(width, num_outputs))


def stated(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, outputs))


constant = 3
'''


def built(name: str, shape: tuple[int, ...] = COLOURS, **settings: Any) -> nn.Module:
    torch.manual_seed(3)
    model: nn.Module = MODELS.get(name).build(shape, 10, **settings)
    return model


def same(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def test_torchvision_is_what_one_builds_by_hand() -> None:
    torch.manual_seed(3)
    by_hand = models.resnet18(weights=None, num_classes=10)
    assert same(built("torchvision:resnet18"), by_hand)
    assert not same(built("torchvision:resnet18", zero_init_residual=True), by_hand)


def test_a_small_stem_and_grey_images_are_what_the_guide_says() -> None:
    torch.manual_seed(3)
    by_hand = models.resnet18(weights=None, num_classes=10)
    by_hand.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
    nn.init.kaiming_normal_(by_hand.conv1.weight, mode="fan_out", nonlinearity="relu")
    by_hand.maxpool = nn.Identity()
    model = built("torchvision:resnet18", stem="small")
    assert same(model, by_hand)
    images = torch.rand(2, *COLOURS)
    assert torch.equal(model(images), by_hand(images))

    torch.manual_seed(3)
    by_hand = models.resnet18(weights=None, num_classes=10)
    by_hand.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(by_hand.conv1.weight, mode="fan_out", nonlinearity="relu")
    assert same(built("torchvision:resnet18", GREY), by_hand)


@pytest.mark.parametrize(
    ("name", "pooled"), [("densenet121", True), ("mobilenet_v3_small", False), ("shufflenet_v2_x0_5", True)]
)
def test_a_small_stem_keeps_the_size_of_the_image(name: str, pooled: bool) -> None:
    model = built(f"torchvision:{name}", stem="small")
    first = next(each for each in model.modules() if isinstance(each, nn.Conv2d))
    assert first.stride == (1, 1)
    assert max(first.kernel_size) == 3
    assert any(isinstance(each, nn.Identity) for each in model.modules()) == pooled
    assert model(torch.rand(2, *GREY).expand(2, 3, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("name", ["vit_b_32", "convnext_tiny"])
def test_what_cuts_into_patches_has_no_small_stem(name: str) -> None:
    with pytest.raises(BenchError, match="patches"):
        built(f"torchvision:{name}", stem="small")


def test_a_shape_that_is_no_image_is_skipped() -> None:
    with pytest.raises(Unavailable, match=r"takes images \(C, H, W\), and a sample here is \(13,\)"):
        built("torchvision:resnet18", (13,))
    with pytest.raises(Unavailable, match="square"):
        built("torchvision:vit_b_32", (3, 32, 64))


def test_every_builder_of_torchvision_tells_its_settings() -> None:
    names = [name for name in model_names() if name.startswith("torchvision:")]
    assert len(names) >= 80
    for name in names:
        settings = settings_of(find_model(name).build)
        assert settings["stem"] == {
            "schema": {"enum": ["small", "original"], "type": "string"}, "default": "original",
            "required": False, "file": False,
        }  # fmt: skip
        assert not any(each["required"] for each in settings.values())


def test_timm_is_what_one_builds_by_hand() -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(3)
    by_hand = timm.create_model("resnet10t", pretrained=False, num_classes=10, in_chans=1, drop_rate=0.25)
    assert same(built("timm:resnet10t", GREY, drop_rate=0.25), by_hand)
    torch.manual_seed(3)
    by_hand = timm.create_model("vit_tiny_patch16_224", num_classes=10, in_chans=3, img_size=(32, 32))
    assert same(built("timm:vit_tiny_patch16_224"), by_hand)


def test_a_model_by_the_place_of_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        model = built("own_nets:Net", width=5)
        torch.manual_seed(3)
        assert same(model, sys.modules["own_nets"].Net(COLOURS, 10, 5))
        model = built("own_nets:stated", inputs=3072, outputs=10)
        torch.manual_seed(3)
        assert same(model, sys.modules["own_nets"].stated(3072, 10))
        found = plugins._describe("own_nets:Net")
        settings = found["models"]["own_nets:Net"]["settings"]
        assert settings["width"]["default"] == 3
        assert settings["width"]["schema"] == {"type": "integer"}
        assert list(found["files"]) == [str(tmp_path / "own_nets.py")]  # an edit of which is seen
        assert {name for name, each in plugins._describe("own_nets:stated")["models"]["own_nets:stated"][
            "settings"].items() if each["required"]} == {"inputs", "outputs"}  # fmt: skip
    finally:
        sys.modules.pop("own_nets", None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("torchvision:resnet81", "did you mean resnet18?"),
        ("timm:resnet10x", "did you mean resnet10t?"),
        ("json:dump_", "did you mean dump?"),
        ("json:__doc__", "json has no __doc__ that can be called"),
        ("nowhere.at.all:Net", "there is no module nowhere.at.all"),
        ("two words:Net", "package.module:Class"),
        ("json:", "package.module:Class"),
        ("x:" + "y" * 70, "at most 64 characters"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(name: str, said: str) -> None:
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    told = plugins._describe(name)
    assert said in told["unknown"]
    assert "\n" not in told["unknown"]
    assert not told["models"]


def test_a_module_that_raises_is_charged_to_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_broken.py").write_text("raise OSError('no luck')")
    monkeypatch.syspath_prepend(tmp_path)
    told = plugins._describe("own_broken:Net")
    assert told["error"] == "own_broken:Net: failed to import: OSError: no luck"
    assert "unknown" not in told
