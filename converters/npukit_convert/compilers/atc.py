"""ATC, the compiler of CANN (Atlas 200 DK, Orange Pi AIpro).

Flags: ATC instructions of CANN 20.x to 8.x; defaults and rules in GraphEngine, ge/offline/main.cc.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from npukit.arrays import F32
from npukit.errors import ConfigError
from npukit_convert.compilers.atc_calibration import compression_conf
from npukit_convert.compilers.command import CAFFE, ONNX, Command, Request
from npukit_convert.compilers.job import Install

_MODES = ("force_fp16", "force_fp32", "allow_mix_precision", "allow_fp32_to_fp16",
          "must_keep_origin_dtype")  # fmt: skip
_FLOAT32 = ("force_fp32", "must_keep_origin_dtype")
_PROFILES = range(2, 101)
_IMAGE_AXES = 4
_ROOTS = (
    "$ASCEND_TOOLKIT_HOME",
    "/usr/local/Ascend/ascend-toolkit/latest",
    "~/Ascend/ascend-toolkit/latest",
)


class Atc(Command):
    """The `atc` program."""

    tool = "atc"
    forms = (CAFFE, ONNX)
    output_types = ("FP32", "FP16", "UINT8")
    quantising = "compression_optimize_conf"
    flags = frozenset(
        "framework model weight output input_shape input_shape_range insert_op_conf op_name_map "
        "out_nodes om json cal_conf target mode precision_mode input_format input_fp16_nodes "
        "is_input_adjust_hw_layout is_output_adjust_hw_layout output_type soc_version core_type "
        "aicore_num op_select_implmode optypelist_for_implmode buffer_optimize "
        "disable_reuse_memory fusion_switch_file auto_tune_mode enable_small_channel "
        "enable_compress_weight compress_weight_conf compression_optimize_conf "
        "enable_single_stream save_original_model check_report dump_mode op_debug_level "
        "debug_dir op_compiler_cache_dir "
        "op_compiler_cache_mode log dynamic_batch_size dynamic_image_size dynamic_dims "
        "encrypt_mode encrypt_key certificate hardware_key private_key keep_dtype "
        "modify_mixlist".split()
    )
    installs = tuple(
        Install(f"{root}/{folder}/atc", setup=(f"{root}/set_env.sh", f"{root}/../set_env.sh"))
        for root in _ROOTS
        for folder in ("bin", "atc/bin")
    )
    environment: ClassVar = {"ASCEND_SLOG_PRINT_TO_STDOUT": "1", "ASCEND_GLOBAL_LOG_LEVEL": "3"}

    def calibration(
        self,
        name: str,
        feeds: Sequence[Mapping[str, F32]],
        excluded: Sequence[str],
        symmetric: bool,
        soc_version: str | None,
    ) -> dict[str, bytes]:
        """See `Command.calibration`."""
        return compression_conf(name, feeds, excluded, symmetric, str(soc_version))

    def _own(self, request: Request) -> dict[str, str]:
        flags = {"soc_version": str(request.soc_version)}
        if request.high_precision:
            flags["op_select_implmode"] = "high_precision"
        if request.precision_mode is not None:
            flags["precision_mode"] = request.precision_mode
        if request.batches:
            flags["dynamic_batch_size"] = ",".join(map(str, request.batches))
        if request.sizes:
            flags["dynamic_image_size"] = ";".join(f"{h},{w}" for h, w in request.sizes)
        return flags

    def _shape(self, request: Request, shape: tuple[int, ...]) -> tuple[int, ...]:
        if request.batches:
            return (-1, *shape[1:])
        if request.sizes and len(shape) == _IMAGE_AXES:
            return (*shape[:2], -1, -1)
        return shape

    def _check(self, request: Request) -> None:
        super()._check(request)
        if request.soc_version is None:
            raise ConfigError("atc needs the chip's version", where="compiler.soc_version")
        if request.precision_mode not in (None, *_MODES):
            raise ConfigError(
                f"atc has no precision mode {request.precision_mode!r}",
                where="compiler.precision_mode",
                hint=f"it has {', '.join(_MODES)}",
            )
        if request.calibration is not None:
            self._check_quantised(request)
        if request.batches and request.sizes:  # the compiler's E10009
            raise ConfigError(
                "one model has several batches or several sizes, not both",
                where="compiler.dynamic_batch",
            )
        for key, profiles in (
            ("dynamic_batch", request.batches),
            ("dynamic_image_size", request.sizes),
        ):
            if profiles and (len(profiles) not in _PROFILES or len(set(profiles)) < len(profiles)):
                raise ConfigError("give 2 to 100 different ones", where=f"compiler.{key}")

    def _check_quantised(self, request: Request) -> None:
        """The documents rule these out together with calibration."""
        for key, wrong in (
            ("high_precision", request.high_precision),
            ("precision_mode", request.precision_mode in _FLOAT32),
            ("dynamic_batch", request.batches),
            ("dynamic_image_size", request.sizes),
        ):
            if wrong:
                raise ConfigError(
                    "atc does not do this and quantise", where=f"compiler.{key}",
                    hint="leave it out, or take --precision fp16",
                )  # fmt: skip
