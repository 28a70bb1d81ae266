"""Torch blocks of parallel convolutions, by the names that are common and by others."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from support.graphs import operators  # noqa: E402

from npukit.runtime.declaration import InputSpec  # noqa: E402
from npukit_convert.reparameterize import reparameterize  # noqa: E402
from npukit_convert.simplify import simplify  # noqa: E402
from npukit_convert.torch_to_onnx import export  # noqa: E402

nn = torch.nn


def conv_bn(into: int, out: int, side: int, stride: int, groups: int) -> Any:
    conv = nn.Conv2d(into, out, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out))


class RepVgg(nn.Module):
    """As its authors name the parts."""

    def __init__(self, into: int, out: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.rbr_dense = conv_bn(into, out, 3, stride, groups)
        self.rbr_1x1 = conv_bn(into, out, 1, stride, groups)
        same = into == out and stride == 1
        self.rbr_identity = nn.BatchNorm2d(into) if same else None
        self.nonlinearity, self.se = nn.ReLU(), nn.Identity()

    def forward(self, x: Any) -> Any:
        third = 0 if self.rbr_identity is None else self.rbr_identity(x)
        return self.nonlinearity(self.se(self.rbr_dense(x) + self.rbr_1x1(x) + third))


class OverParameterised(nn.Module):
    """Several of each kind in lists, summed in a loop."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.skip = nn.BatchNorm2d(channels)
        self.many = nn.ModuleList([conv_bn(channels, channels, 3, 1, channels) for _ in range(3)])
        self.act = nn.GELU()

    def forward(self, x: Any) -> Any:
        out = self.skip(x)
        for branch in self.many:
            out += branch(x)
        return self.act(out)


class Residual(nn.Module):
    """One after the other: nothing to merge."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = conv_bn(4, 4, 3, 1, 1), conv_bn(4, 4, 3, 1, 1)

    def forward(self, x: Any) -> Any:
        return x + self.second(torch.relu(self.first(x)))


def trained(module: Any) -> Any:
    torch.manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return module.eval()


def convolutions(module: Any) -> int:
    return sum(isinstance(layer, nn.Conv2d) for layer in module.modules())


def agree(one: Any, other: Any, channels: int) -> None:
    x = torch.randn(1, channels, 16, 12)
    with torch.no_grad():
        torch.testing.assert_close(other(x), one(x), atol=1e-4, rtol=1e-4)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(
    groups=st.sampled_from([1, 2, 4]),
    into=st.integers(1, 2),
    out=st.integers(1, 2),
    stride=st.integers(1, 2),
)
def test_repvgg_blocks(groups: int, into: int, out: int, stride: int) -> None:
    block = trained(RepVgg(groups * into, groups * out, stride, groups))
    result = reparameterize(block)
    assert result.merged == ("",)
    assert convolutions(result.module) == 1
    agree(block, result.module, groups * into)


def test_a_network_keeps_what_is_no_block() -> None:
    network = trained(
        nn.Sequential(RepVgg(3, 8, 2), RepVgg(8, 8), Residual_(8), OverParameterised(8))
    )
    result = reparameterize(network)
    assert set(result.merged) == {"0", "1", "3"}
    assert result.refused == ()
    assert convolutions(network) == 2 + 2 + 2 + 3, "the given module is left as it was"
    assert convolutions(result.module) == 1 + 1 + 2 + 1
    agree(network, result.module, 3)


def Residual_(channels: int) -> Any:  # noqa: N802
    block = Residual()
    block.first, block.second = (conv_bn(channels, channels, 3, 1, 1) for _ in range(2))
    return block


def test_nothing_to_merge() -> None:
    network = trained(Residual())
    result = reparameterize(network)
    assert result.merged == result.refused == ()
    agree(network, result.module, 4)


def test_a_block_that_depends_on_data_stays() -> None:
    class Picky(RepVgg):
        def forward(self, x: Any) -> Any:
            return super().forward(x) if x.sum() > 0 else x

    assert reparameterize(trained(Picky(4, 4))).merged == ()


def test_the_graph_of_a_network_is_merged_as_its_modules_are() -> None:
    network = trained(nn.Sequential(RepVgg(3, 8, 2), RepVgg(8, 8), RepVgg(8, 8, groups=4)))
    inputs = {"image": InputSpec((1, 3, 16, 16))}
    result = simplify(
        export(network, {name: spec.shape for name, spec in inputs.items()}, ["y"])[0],
        "caffe",
        inputs=inputs,
    )
    assert all(step.kept for step in result.steps)
    assert operators(result.onnx) == {"Conv": 3, "Relu": 3}
    assert result.relative < 1e-5
