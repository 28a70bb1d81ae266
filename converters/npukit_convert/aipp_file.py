"""The AIPP configuration of a network: a block for each of its pictures."""

from __future__ import annotations

from collections.abc import Mapping

from npukit.aipp import AippConfig, lower
from npukit.runtime.declaration import InputSpec


def aipp_config(inputs: Mapping[str, InputSpec], sized: bool = True) -> AippConfig:
    """The configuration of all declared pictures; without a block where there is none.

    Args:
        inputs: of the network, in its order.
        sized: whether each picture has one size, to be written into its block.

    Raises:
        AippError: AIPP cannot do what an input declares.
    """
    blocks = [
        block
        for rank, spec in enumerate(inputs.values())
        if spec.preprocess is not None
        for block in lower(
            spec.preprocess, rank, (spec.shape[3], spec.shape[2]) if sized else None
        ).aipp_op
    ]
    return AippConfig(aipp_op=tuple(blocks))
