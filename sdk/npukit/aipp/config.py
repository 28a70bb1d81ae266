"""The vendor's schema of an AIPP configuration, `domi.InsertNewOps`, typed.

Source: insert_op.proto of Ascend's metadef and GraphEngine (field names, numbers, types); the
order here is the one in which they are printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Optional, Tuple

from npukit.aipp.schema import Message, many, one


class Mode(IntEnum):
    """When the parameters are known: at compilation, or with each inference."""

    undefined = 0
    static = 1
    dynamic = 2


class InputFormat(IntEnum):
    """Layout of the picture's bytes; the Ascend 310 takes the first four and NC1HWC0DI_*."""

    UNDEFINED = 0
    YUV420SP_U8 = 1
    XRGB8888_U8 = 2
    RGB888_U8 = 3
    YUV400_U8 = 4
    NC1HWC0DI_FP16 = 5
    NC1HWC0DI_S8 = 6
    ARGB8888_U8 = 7
    YUYV_U8 = 8
    YUV422SP_U8 = 9
    AYUV444_U8 = 10
    RAW10 = 11
    RAW12 = 12
    RAW16 = 13
    RAW24 = 14
    RGB16 = 15
    RGB20 = 16
    RGB24 = 17
    RGB8_IR = 18
    RGB16_IR = 19
    RGB24_IR = 20


class MultiShapeMode(IntEnum):
    """What the profiles of a dynamic shape vary."""

    batch = 0
    resolution = 1


@dataclass(frozen=True)
class AippOp(Message):
    """One `aipp_op` block: the preprocessing of one input.

    Names, ranges and meanings are the vendor's. Sizes and positions are pixels, angles degrees;
    matrices and biases are integers (1/256 and levels), `var_reci_chn_*` factors.
    """

    aipp_mode: Optional[Mode] = one(1, "enum", Mode)
    related_input_rank: Optional[int] = one(2, "uint32")
    related_input_name: Optional[str] = one(6, "string")
    input_edge_idx: Tuple[int, ...] = many(3, "uint32")
    max_src_image_size: Optional[int] = one(4, "uint32")
    support_rotation: Optional[bool] = one(5, "bool")
    input_format: Optional[InputFormat] = one(51, "enum", InputFormat)
    src_image_size_w: Optional[int] = one(57, "int32")
    src_image_size_h: Optional[int] = one(58, "int32")
    rbuv_swap_switch: Optional[bool] = one(54, "bool")
    ax_swap_switch: Optional[bool] = one(55, "bool")
    single_line_mode: Optional[bool] = one(56, "bool")
    crop: Optional[bool] = one(59, "bool")
    load_start_pos_w: Optional[int] = one(60, "int32")
    load_start_pos_h: Optional[int] = one(61, "int32")
    crop_size_w: Optional[int] = one(62, "int32")
    crop_size_h: Optional[int] = one(63, "int32")
    csc_switch: Optional[bool] = one(52, "bool")
    matrix_r0c0: Tuple[int, ...] = many(30, "int32")
    matrix_r0c1: Tuple[int, ...] = many(31, "int32")
    matrix_r0c2: Tuple[int, ...] = many(32, "int32")
    matrix_r1c0: Tuple[int, ...] = many(33, "int32")
    matrix_r1c1: Tuple[int, ...] = many(34, "int32")
    matrix_r1c2: Tuple[int, ...] = many(35, "int32")
    matrix_r2c0: Tuple[int, ...] = many(36, "int32")
    matrix_r2c1: Tuple[int, ...] = many(37, "int32")
    matrix_r2c2: Tuple[int, ...] = many(38, "int32")
    output_bias_0: Tuple[int, ...] = many(39, "int32")
    output_bias_1: Tuple[int, ...] = many(40, "int32")
    output_bias_2: Tuple[int, ...] = many(41, "int32")
    input_bias_0: Tuple[int, ...] = many(42, "int32")
    input_bias_1: Tuple[int, ...] = many(43, "int32")
    input_bias_2: Tuple[int, ...] = many(44, "int32")
    resize: Optional[bool] = one(64, "bool")
    resize_output_w: Optional[int] = one(65, "int32")
    resize_output_h: Optional[int] = one(66, "int32")
    mean_chn_0: Optional[int] = one(10, "int32")
    mean_chn_1: Optional[int] = one(11, "int32")
    mean_chn_2: Optional[int] = one(12, "int32")
    mean_chn_3: Optional[int] = one(19, "int32")
    min_chn_0: Optional[float] = one(13, "float")
    min_chn_1: Optional[float] = one(14, "float")
    min_chn_2: Optional[float] = one(15, "float")
    min_chn_3: Optional[float] = one(20, "float")
    var_reci_chn_0: Tuple[float, ...] = many(16, "float")
    var_reci_chn_1: Tuple[float, ...] = many(17, "float")
    var_reci_chn_2: Tuple[float, ...] = many(18, "float")
    var_reci_chn_3: Tuple[float, ...] = many(21, "float")
    raw_rgbir_to_f16_n: Optional[int] = one(45, "uint32")
    padding: Optional[bool] = one(67, "bool")
    left_padding_size: Optional[int] = one(68, "int32")
    right_padding_size: Optional[int] = one(69, "int32")
    top_padding_size: Optional[int] = one(70, "int32")
    bottom_padding_size: Optional[int] = one(71, "int32")
    padding_value: Optional[float] = one(72, "float")
    cpadding_value: Optional[float] = one(53, "float")


@dataclass(frozen=True)
class MultiShapeOp(Message):
    """One `multi_shape_op` block: the profiles of an input of dynamic shape."""

    mode: Optional[MultiShapeMode] = one(1, "enum", MultiShapeMode)
    related_input_rank: Optional[int] = one(2, "uint32")
    batch_list: Tuple[int, ...] = many(11, "int32")


@dataclass(frozen=True)
class AippConfig(Message):
    """A whole file: a block for each input."""

    aipp_op: Tuple[AippOp, ...] = many(1, "message", AippOp)
    multi_shape_op: Tuple[MultiShapeOp, ...] = many(2, "message", MultiShapeOp)
