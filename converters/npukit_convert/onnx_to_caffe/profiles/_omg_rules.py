"""The limits of Ascend's OMG compiler, one function per layer type.

Each gives one line per broken limit: the number, the limit, what to do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from npukit_convert.onnx_to_caffe.net import Layer

Shapes = Mapping[str, tuple[int, ...]]
BIAS, MIB = 56_832, 1 << 20
POOLED = 10_000
SHRINK = 30
SOFTMAX_CHANNELS, SOFTMAX_LAST = 28_544, 46_080


def free(_layer: Layer, _shapes: Shapes) -> Iterator[str]:
    """No limit that a file shows."""
    return iter(())


def batch_norm(layer: Layer, _: Shapes) -> Iterator[str]:
    """The stored statistics."""
    if _fields(layer, "batch_norm_param").get("use_global_stats") is not True:
        yield "use_global_stats is not true, it must be; export after .eval()"


def concat(layer: Layer, _: Shapes) -> Iterator[str]:
    """1 to 1000 inputs."""
    if not 1 <= len(layer.bottoms) <= 1000:
        yield f"{len(layer.bottoms)} inputs, the limits are 1 and 1000; concatenate in two steps"


def convolution(layer: Layer, _: Shapes) -> Iterator[str]:
    """Kernel, stride, padding, dilation."""
    how = _fields(layer, "convolution_param")
    for axis, index in (("height", 0), ("width", 1)):
        pad, dilation = _axis(how, "pad", index, 0), _axis(how, "dilation", index, 1)
        kernel, stride = _axis(how, "kernel", index, 1), _axis(how, "stride", index, 1)
        if not 0 <= pad < 256:
            yield f"{axis}: pad {pad}, the limit is 255; pad in two convolutions"
        if not 0 < kernel < 256:
            yield f"{axis}: kernel {kernel}, the limit is 255; use several smaller kernels"
        if not 0 < stride < 64:
            yield f"{axis}: stride {stride}, the limit is 63; use several smaller strides"
        if not 0 < dilation < 256:
            yield f"{axis}: dilation {dilation}, the limit is 255; shrink the input before"


def depthwise(layer: Layer, shapes: Shapes) -> Iterator[str]:
    """As many filters and groups as channels."""
    how = _fields(layer, "convolution_param")
    channels, filters = shapes[layer.bottoms[0]][1], how.get("num_output")
    group = how.get("group", channels)
    if not channels == filters == group:
        yield (
            f"{filters} filters and {group} groups for {channels} channels, all three must be "
            "equal; use Convolution"
        )
    yield from convolution(layer, shapes)


def deconvolution(layer: Layer, shapes: Shapes) -> Iterator[str]:
    """No group, no dilation, a padding inside the kernel, and 1 MiB of memory."""
    how = _fields(layer, "convolution_param")
    group = how.get("group", 1)
    if group != 1:
        yield f"group {group}, the limit is 1; write the filters as one dense block"
    for axis, index in (("height", 0), ("width", 1)):
        pad, dilation = _axis(how, "pad", index, 0), _axis(how, "dilation", index, 1)
        kernel = _axis(how, "kernel", index, 1)
        if dilation != 1:
            yield f"{axis}: dilation {dilation}, the limit is 1; put zeros into the kernel"
        if kernel - pad - 1 < 0:
            yield (
                f"{axis}: pad {pad} for kernel {kernel}, the limit is {kernel - 1}; "
                "put zeros around the kernel"
            )
    yield from convolution(layer, shapes)
    size, outputs = shapes[layer.bottoms[0]], int(how.get("num_output", 1))
    kernels = _axis(how, "kernel", 0, 1), _axis(how, "kernel", 1, 1)
    stride = _axis(how, "stride", 1, 1)
    needed = deconvolution_bytes((size[1], outputs), kernels, size[3], stride)
    if needed > MIB:
        yield f"{needed} bytes, the limit is {MIB}; split the channels, or use a smaller kernel"


def deconvolution_bytes(
    channels: tuple[int, int], kernel: tuple[int, int], width: int, stride: int
) -> int:
    """What a Deconvolution sets aside: filters (a) and rows (b).

    The documentation does not say whether its `n` counts inputs or outputs: the larger of both
    readings.

    Args:
        channels: of input and output.
        kernel: height and width.
        width: of the input in pixels.
        stride: along the width.
    """

    def both(n: int, c: int) -> int:
        filters = n * c * kernel[0] * kernel[1] * 2 // (2 if c % 32 == 0 else 1)
        return filters + ((width - 1) * stride + 1) * kernel[0] * n * 4

    first, second = (-(-count // 16) * 16 for count in channels)
    return max(both(first, second), both(second, first))


def eltwise(layer: Layer, _: Shapes) -> Iterator[str]:
    """2 to 4 inputs."""
    if not 2 <= len(layer.bottoms) <= 4:
        yield f"{len(layer.bottoms)} inputs, the limits are 2 and 4; combine in two steps"


def flatten(layer: Layer, shapes: Shapes) -> Iterator[str]:
    """Several axes."""
    how, rank = _fields(layer, "flatten_param"), len(shapes[layer.bottoms[0]])
    first, last = int(how.get("axis", 1)) % rank, int(how.get("end_axis", -1)) % rank
    if first >= last:
        yield f"axis {first}, the limit is end_axis - 1 = {last - 1}; use Reshape"


def inner_product(layer: Layer, _: Shapes) -> Iterator[str]:
    """Along all axes from the first after the batch on."""
    how = _fields(layer, "inner_product_param")
    axis, outputs = int(how.get("axis", 1)), int(how.get("num_output", 0))
    if axis != 1:
        yield f"axis {axis}, it must be 1; use a 1x1 convolution"
    if how.get("transpose", False):
        yield "transpose is true, it must be false; transpose the weights"
    if how.get("bias_term", True) and outputs > BIAS:
        yield f"a bias of {outputs} numbers, the limit is {BIAS}; split the outputs"


def interp(layer: Layer, shapes: Shapes) -> Iterator[str]:
    """Not too small an output, and one way of saying its size."""
    how = _fields(layer, "interp_param")
    old, new = (math.prod(shapes[name][2:]) for name in (layer.bottoms[0], layer.tops[0]))
    if new * SHRINK <= old:
        yield f"an area of {new} from {old}, the limit is 1/{SHRINK} of it; shrink in two steps"
    if "height" in how and ("zoom_factor" in how or "shrink_factor" in how):
        yield "height with zoom_factor or shrink_factor, only one is allowed; say the height alone"


def lrn(layer: Layer, _: Shapes) -> Iterator[str]:
    """Windows with a middle."""
    size = int(_fields(layer, "lrn_param").get("local_size", 5))
    if size < 1 or size % 2 == 0:
        yield f"local_size {size}, it must be odd; use {size + 1}"


def normalize(layer: Layer, _: Shapes) -> Iterator[str]:
    """Across height and width too."""
    if _fields(layer, "norm_param").get("across_spatial", True) is not True:
        yield "across_spatial is false, it must be true; use BatchNorm"


def pooling(layer: Layer, shapes: Shapes) -> Iterator[str]:
    """The padding, and what is pooled at once."""
    how, size = _fields(layer, "pooling_param"), shapes[layer.bottoms[0]]
    if str(how.get("pool", "MAX")) not in ("MAX", "AVE"):
        yield f"pool {how['pool']}, it must be MAX or AVE"
    if how.get("global_pooling", False):
        if size[2] * size[3] > POOLED:
            yield (
                f"global over {size[2]} x {size[3]} = {size[2] * size[3]} places, the limit is "
                f"{POOLED}; pool in two steps"
            )
        return
    for axis, index in (("height", 0), ("width", 1)):
        pad, kernel = _axis(how, "pad", index, 0), _axis(how, "kernel", index, 1)
        if pad >= kernel:
            yield f"{axis}: pad {pad}, the limit is {kernel - 1} for kernel {kernel}; pad less"


def power(layer: Layer, _: Shapes) -> Iterator[str]:
    """The base of a power above 0, as far as the file shows."""
    how = _fields(layer, "power_param")
    exponent, factor, shift = (
        float(how.get(name, usual)) for name, usual in (("power", 1), ("scale", 1), ("shift", 0))
    )
    if exponent != 1 and factor == 0 and shift <= 0:
        yield (
            f"power {exponent:g} of scale 0 and shift {shift:g}, the base must be above 0; "
            "use a constant"
        )


def scale(layer: Layer, shapes: Shapes) -> Iterator[str]:
    """One factor for each channel."""
    how, size = _fields(layer, "scale_param"), shapes[layer.bottoms[0]]
    axis = int(how.get("axis", 1))
    if axis not in (1, -3):
        yield f"axis {axis}, it must be 1 or -3; use one factor for each channel"
        return
    if len(layer.bottoms) > 1:
        factors = shapes[layer.bottoms[1]]
    else:
        factors = layer.blobs[0].shape if layer.blobs else (size[1],)
    if factors != (size[1],):
        yield (
            f"axis 1 to {len(factors)} with {math.prod(factors)} factors, the limit is one for "
            f"each of {size[1]} channels (n, c, 1, 1)"
        )


def softmax(layer: Layer, shapes: Shapes) -> Iterator[str]:
    """Any axis of four, the last of fewer."""
    size = shapes[layer.bottoms[0]]
    axis = int(_fields(layer, "softmax_param").get("axis", 1)) % len(size)
    if len(size) < 4 and axis != len(size) - 1:
        yield f"axis {axis} of {len(size)}, it must be the last; transpose before"
    elif len(size) == 4 and axis == 2 and size[3] != 1:
        yield f"axis 2 with a width of {size[3]}, the limit is 1; transpose before"
    most = SOFTMAX_CHANNELS if len(size) == 4 and axis == 1 else SOFTMAX_LAST
    if size[axis] > most:
        yield f"{size[axis]} places along axis {axis}, the limit is {most}; use fewer"


def upsample(layer: Layer, _: Shapes) -> Iterator[str]:
    """The reverse of a MAX pooling: values and places."""
    if len(layer.bottoms) != 2:
        yield f"{len(layer.bottoms)} inputs, it must have 2; use Deconvolution to enlarge"


def _fields(layer: Layer, message: str) -> Mapping[str, Any]:
    return layer.parameters.get(message, {})


def _axis(how: Mapping[str, Any], name: str, index: int, usual: int) -> int:
    """A window's number for height (0) or width (1), in either of the two ways to say it."""
    if (key := f"{name}_{'hw'[index]}") in how:
        return int(how[key])
    value = how.get("kernel_size" if name == "kernel" else name, usual)
    if isinstance(value, int):
        return value
    numbers = list(value)
    return int(numbers[index if len(numbers) > 1 else 0])
