"""Every network that a conversion has to carry to the end, by name.

    @pytest.mark.parametrize("network", cases())
    def test_something(network: Network) -> None:
        module = network.build()
        onnx, _ = export(module, network.inputs, network.outputs)

A new network is a file beside this one and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import pytest
from support.networks import modnet
from support.networks.matting_mobilenetv2 import MattingMobileNetV2
from support.networks.mobilenet_v3 import MobileNetV3Small
from support.networks.modnet_dense import MODNetDense
from support.networks.randomise import randomise
from support.networks.repvgg import RepVGG
from support.networks.resnet18 import ResNet18
from support.networks.unet import UNet
from torch import nn

from npukit.runtime.declaration import InputSpec


@dataclass(frozen=True)
class Network:
    """How to make a network, and what goes in and comes out.

    Attributes:
        name: unique.
        factory: makes it, with weights of PyTorch's choice.
        inputs: shapes by name, in the order of its arguments; standard normal noise fits.
        outputs: names, in the order of its results.
        parameters: how many it has in all, those of training included.
        slow: exporting and running it takes seconds.
    """

    name: str
    factory: Callable[[], nn.Module]
    inputs: Mapping[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    parameters: int
    slow: bool = False

    @property
    def specs(self) -> dict[str, InputSpec]:
        """The inputs as a conversion takes them."""
        return {name: InputSpec(shape) for name, shape in self.inputs.items()}

    def build(self, seed: int = 0) -> nn.Module:
        """The network in evaluation mode, with the weights of this seed."""
        return randomise(self.factory(), self.inputs, seed)


def _modnets(size: int) -> tuple[Network, ...]:
    picture, previous = (1, 3, size, size), (1, 1, size, size)
    # By the number in the published checkpoint; the previous alpha adds one 3x3 kernel to each of
    # the 32 filters of the first layer.
    plain, more = 6_487_075, 6_487_075 + 32 * 9
    slow = size > 320
    with_previous = modnet.build_with_previous_alpha
    return (
        Network(f"modnet_{size}", modnet.build, {"image": picture}, ("alpha",), plain, slow),
        Network(
            f"modnet_previous_{size}", with_previous,
            {"image": picture, "alpha_prev": previous}, ("alpha",), more, slow,
        ),
        Network(
            f"modnet_4ch_{size}", with_previous, {"image": (1, 4, size, size)}, ("alpha",), more,
            slow,
        ),
    )  # fmt: skip


def _picture(height: int, width: int) -> dict[str, tuple[int, ...]]:
    return {"image": (1, 3, height, width)}


_MATTING = 309_972

NETWORKS = (
    Network("resnet18", ResNet18, _picture(224, 224), ("scores",), 11_689_512),
    Network("mobilenet_v3", MobileNetV3Small, _picture(224, 224), ("scores",), 2_542_856),
    Network("repvgg", RepVGG, _picture(64, 96), ("scores",), 208_922),
    Network(
        "unet_transposed", partial(UNet, transposed=True),
        _picture(96, 128), ("mask",), 482_737,
    ),
    Network(
        "unet_bilinear", partial(UNet, transposed=False),
        _picture(96, 128), ("mask",), 450_481,
    ),
    Network(
        "matting_mobilenetv2", MattingMobileNetV2,
        _picture(128, 128), ("fgr", "pha"), _MATTING,
    ),
    Network(
        "matting_mobilenetv2_batchnorm", partial(MattingMobileNetV2, instance_norm=False),
        _picture(128, 128), ("fgr", "pha"), _MATTING,
    ),
    Network("modnet_dense", MODNetDense, _picture(64, 64), ("alpha",), 1_043_873),
    *_modnets(320),
    *_modnets(512),
)  # fmt: skip


def cases() -> list[object]:
    """All of them as parameters of a test, the slow ones marked."""
    return [
        pytest.param(network, id=network.name, marks=[pytest.mark.slow] if network.slow else [])
        for network in NETWORKS
    ]


def find(name: str) -> Network:
    """The network of this name.

    Raises:
        KeyError: there is none.
    """
    return {network.name: network for network in NETWORKS}[name]
