"""Ascend's preprocessing unit (AIPP).

`text` reads and writes the vendor's configurations, `config` is their schema, `constraints` what
the compiler refuses; `lower` makes one of the neutral declaration and `lift` the way back;
`steps` is what one does to a picture, `reference` and `execute` do it; `dynamic` is the block of
parameters that comes with an inference, `presets` the files of `aipp_configs/`.
"""

from npukit.aipp.cases import Context, NetworkInput
from npukit.aipp.config import AippConfig, AippOp, InputFormat, Mode
from npukit.aipp.constraints import check, violations
from npukit.aipp.execute import Executor, executor
from npukit.aipp.lower import LoweringError, lift, lower, lowering_error
from npukit.aipp.presets import load_preset, preset_names
from npukit.aipp.steps import Rounding, Steps, steps
from npukit.aipp.text import parse, read_config, to_text, write_config

__all__ = [
    "AippConfig",
    "AippOp",
    "Context",
    "Executor",
    "InputFormat",
    "LoweringError",
    "Mode",
    "NetworkInput",
    "Rounding",
    "Steps",
    "check",
    "executor",
    "lift",
    "load_preset",
    "lower",
    "lowering_error",
    "parse",
    "preset_names",
    "read_config",
    "steps",
    "to_text",
    "violations",
    "write_config",
]
