"""OMG, the compiler of the DDK (HiLens Kit, older Atlas 200 DK).

Flags: Atlas 500 model conversion guide, OMG parameters; HiLens guide, model import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from npukit.arrays import F32
from npukit.errors import ConfigError
from npukit_convert.compilers.command import CAFFE, Command, Request
from npukit_convert.compilers.job import Install
from npukit_convert.compilers.omg_calibration import cal_conf

_LIBRARIES = {
    "LD_LIBRARY_PATH": "$DDK_HOME/uihost/lib",
    "PYTHONPATH": "$DDK_HOME/site-packages",
    "PATH": "$DDK_HOME/toolchains/ccec-linux/bin:$DDK_HOME/uihost/bin",
}


class Omg(Command):
    """The `omg` program."""

    tool = "omg"
    forms = (CAFFE,)
    output_types = ("FP32", "UINT8")
    quantising = "cal_conf"
    flags = frozenset(
        "mode model weight framework output input_shape input_format insert_op_conf op_name_map "
        "ddk_version plugin_path check_report cal_conf out_nodes net_format fp16_high_prec "
        "output_type om json input_fp16_nodes is_output_fp16 encrypt_mode encrypt_key certificate "
        "hardware_key private_key target".split()
    )
    installs = (
        Install("$DDK_HOME/uihost/bin/omg", prepend=_LIBRARIES),
        Install("$DDK_HOME/bin/x86_64-linux-gcc5.4/omg", prepend=_LIBRARIES),
        Install("~/tools/che/ddk/ddk/uihost/bin/omg"),
        Install("/opt/ddk/bin/aarch64-linux-gcc7.3.0/omg"),
    )
    environment: ClassVar = {"SLOG_PRINT_TO_STDOUT": "1"}  # else errors go to a log daemon

    def calibration(
        self,
        name: str,
        feeds: Sequence[Mapping[str, F32]],
        excluded: Sequence[str],
        symmetric: bool,
        soc_version: str | None,
    ) -> dict[str, bytes]:
        """See `Command.calibration`."""
        return cal_conf(name, feeds, excluded, symmetric)

    def _own(self, request: Request) -> dict[str, str]:
        return {"fp16_high_prec": "1"} if request.high_precision else {}

    def _check(self, request: Request) -> None:
        super()._check(request)
        for key, value in (
            ("dynamic_batch", request.batches),
            ("dynamic_image_size", request.sizes),
            ("precision_mode", request.precision_mode),
        ):
            if value:
                raise ConfigError(
                    "omg compiles for one shape and in float16",
                    where=f"compiler.{key}",
                    hint="atc has this, for boards with CANN: --compiler.tool atc",
                )
