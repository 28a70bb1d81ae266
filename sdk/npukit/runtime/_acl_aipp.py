"""Dynamic AIPP: the declaration's preprocessing, set at run time by pyACL calls."""

from __future__ import annotations

from typing import Tuple

import acl

from npukit import aipp
from npukit.preprocess.spec import Preprocess
from npukit.runtime._acl import ask


def steps(spec: Preprocess, size: Tuple[int, int]) -> aipp.Steps:
    """What the unit does for a declaration, to pictures of (width, height).

    Raises:
        AippError: the declaration cannot be lowered.
    """
    return aipp.steps(aipp.lower(spec, size=size), size)


def set_parameters(parameters: int, steps: aipp.Steps, batch: int, where: str) -> None:
    """Write the steps into a parameter set of `acl.mdl.create_aipp(batch)`.

    Raises:
        ModelError: pyACL refuses one.
    """
    mdl = acl.mdl
    width, height = steps.source
    ask(where, mdl.set_aipp_src_image_size, parameters, width, height)
    ask(where, mdl.set_aipp_input_format, parameters, int(steps.input_format))
    ask(where, mdl.set_aipp_rbuv_swap_switch, parameters, int(steps.rbuv_swap))
    ask(where, mdl.set_aipp_ax_swap_switch, parameters, int(steps.ax_swap))
    if steps.csc is not None:
        rows = [value for row in steps.csc.rows for value in row]
        biases = (*steps.csc.output_bias, *steps.csc.input_bias)
        ask(where, mdl.set_aipp_csc_params, parameters, 1, *rows, *biases)
    for picture in range(batch):
        mean, least = _four(steps.mean, 0), _four(steps.minimum, 0.0)
        ask(where, mdl.set_aipp_dtc_pixel_mean, parameters, *mean, picture)
        ask(where, mdl.set_aipp_dtc_pixel_min, parameters, *least, picture)
        ask(where, mdl.set_aipp_pixel_var_reci, parameters, *_four(steps.var_reci, 1.0), picture)


def _four(values: Tuple[float, ...], fill: float) -> Tuple[float, ...]:
    """The calls take four channels."""
    return (*values, *(fill,) * (4 - len(values)))
