"""Each rule of the compiler and the chip: a file that breaks it alone, and the vendor's code."""

from __future__ import annotations

from typing import Any

import pytest

from npukit.aipp import Context, NetworkInput, check, parse, violations
from npukit.aipp.errors import AippConstraintError

# A file that nothing is wrong with, by its fields.
GOOD: dict[str, Any] = {"aipp_mode": "static", "input_format": "YUV420SP_U8"}
CROP = {"crop": "true", "src_image_size_w": 320, "src_image_size_h": 240}
PAD = {"padding": "true", "src_image_size_w": 200, "src_image_size_h": 200}
NET = NetworkInput("data", 224, 224, 3)


def found(
    fields: dict[str, Any], network: NetworkInput | None = None, **context: Any
) -> list[tuple[str, str]]:
    given = {**GOOD, **fields}
    text = " ".join(f"{name}: {value}" for name, value in given.items() if value is not None)
    inputs = () if network is None else (network,)
    broken = violations(parse(f"aipp_op {{ {text} }}"), Context(inputs=inputs, **context))
    return [(item.code, item.field) for item in broken]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"aipp_mode": None}, "E10043", "aipp_mode"),
        ({"input_format": None}, "E10043", "input_format"),
        ({"var_reci_chn_0": "[1, 1]"}, "E10043", "var_reci_chn_0"),
        ({"matrix_r0c0": "[1, 1]"}, "E10043", "matrix_r0c0"),
        ({"input_bias_2": "[1, 1]"}, "E10043", "input_bias_2"),
        ({"input_edge_idx": "[0, 1]"}, "E10043", "input_edge_idx"),
        ({"src_image_size_w": -2}, "E10043", "src_image_size_w"),
        ({"left_padding_size": -1}, "E10043", "left_padding_size"),
        ({"mean_chn_0": 256}, "E81012", "mean_chn_0"),
        ({"mean_chn_3": -1}, "E81012", "mean_chn_3"),
        ({"min_chn_1": 255.5}, "E81012", "min_chn_1"),
        ({"min_chn_1": -0.5}, "E81012", "min_chn_1"),
        ({"var_reci_chn_2": 65505}, "E81012", "var_reci_chn_2"),
        ({"var_reci_chn_2": -65536}, "E81012", "var_reci_chn_2"),
        ({"matrix_r2c2": 32768}, "E81012", "matrix_r2c2"),
        ({"matrix_r2c2": -32769}, "E81012", "matrix_r2c2"),
        ({"input_bias_0": 256}, "E81012", "input_bias_0"),
        ({"output_bias_0": -1}, "E81012", "output_bias_0"),
        ({"padding_value": 1e5}, "E81012", "padding_value"),
        ({"load_start_pos_w": 4096}, "E81012", "load_start_pos_w"),
        ({"crop_size_h": 4098}, "E81012", "crop_size_h"),
        ({"src_image_size_w": 4098}, "E81012", "src_image_size_w"),
        ({"src_image_size_h": 4098}, "E81012", "src_image_size_h"),
        ({"input_format": "YUV400_U8", "src_image_size_w": 1}, "E81012", "src_image_size_w"),
        ({"src_image_size_w": 223}, "E81012", "src_image_size_w"),
        ({"src_image_size_h": 223}, "E81012", "src_image_size_h"),
        ({"input_format": "ARGB8888_U8"}, "E81012", "input_format"),
        ({"input_format": "YUYV_U8"}, "E81012", "input_format"),
        ({"input_format": "RAW10"}, "E81012", "input_format"),
        ({"input_format": "YUV400_U8", "csc_switch": "true"}, "E81012", "csc_switch"),
        ({"resize": "true"}, "E81012", "resize"),
        ({"raw_rgbir_to_f16_n": 1}, "E81012", "raw_rgbir_to_f16_n"),
        ({"support_rotation": "true"}, "", "support_rotation"),
        ({"single_line_mode": "true"}, "", "single_line_mode"),
        ({"cpadding_value": 1}, "", "cpadding_value"),
        ({**CROP, "src_image_size_w": 0, "crop_size_w": 0}, "E81012", "src_image_size_w"),
        ({**PAD, "src_image_size_h": 0}, "E81012", "src_image_size_h"),
        ({**CROP, "load_start_pos_w": 100, "crop_size_w": 222}, "E81012", "crop_size_w"),
        ({**CROP, "load_start_pos_h": 18, "crop_size_h": 224}, "E81012", "crop_size_h"),
        ({**CROP, "load_start_pos_h": 15, "crop_size_h": 224}, "E81012", "load_start_pos_h"),
        ({**CROP, "crop_size_w": 223}, "E81012", "crop_size_w"),
        ({**CROP, "padding": "true", "crop_size_h": 200}, "E81012", "crop_size_w"),
        ({**PAD, "top_padding_size": 33}, "E81012", "top_padding_size"),
        ({**PAD, "src_image_size_w": 1080, "left_padding_size": 2}, "E81012", "right_padding_size"),
        ({"aipp_mode": "dynamic"}, "E10043", "max_src_image_size"),
    ],
    ids=str,
)  # fmt: skip
def test_each_rule_has_its_code_and_field(fields: dict[str, Any], code: str, field: str) -> None:
    assert (code, field) in found(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"src_image_size_w": 224, "src_image_size_h": 224},
        {"mean_chn_0": 255, "min_chn_0": 255, "var_reci_chn_0": -65504, "matrix_r0c0": -32768},
        {"input_format": "YUV400_U8", "src_image_size_w": 2, "src_image_size_h": 1},
        {**CROP, "load_start_pos_w": 96, "crop_size_w": 224, "crop_size_h": 224},
        {**CROP, "crop_size_w": 0, "crop_size_h": 0},
        {**PAD, "left_padding_size": 32, "right_padding_size": 32},
        {"support_rotation": "false", "resize": "false", "cpadding_value": 0},
        {"aipp_mode": "dynamic", "max_src_image_size": 1},
        {"aipp_mode": "dynamic", "max_src_image_size": 1, "input_format": None},
    ],
    ids=str,
)
def test_the_last_value_that_is_allowed_is_allowed(fields: dict[str, Any]) -> None:
    assert found(fields) == []


@pytest.mark.parametrize(
    ("fields", "network", "code", "field"),
    [
        ({"src_image_size_w": 320, "src_image_size_h": 224}, NET, "E70014", "src_image_size_w"),
        ({**CROP, "crop_size_w": 222, "crop_size_h": 224}, NET, "E70014", "crop_size_w"),
        ({**PAD, "left_padding_size": 24, "top_padding_size": 23}, NET, "E70014",
         "src_image_size_h"),
        ({**CROP, "padding": "true", "crop_size_w": 224, "crop_size_h": 200,
          "right_padding_size": 4, "top_padding_size": 24}, NET, "E70014", "crop_size_w"),
        ({**CROP, "load_start_pos_w": 98}, NET, "E81012", "crop_size_w"),
        ({}, NET._replace(channels=1), "E81012", "input_format"),
        ({"input_format": "RGB888_U8"}, NET._replace(channels=4), "E81012", "input_format"),
        ({"input_format": "XRGB8888_U8"}, NET, "E81012", "input_format"),
        ({"input_format": "YUV400_U8"}, NET, "E81012", "input_format"),
        ({}, NET._replace(fp16=True), "E10034", "related_input_rank"),
        ({"related_input_rank": 1}, NET, "E10052", "related_input_rank"),
        ({"related_input_name": "'image'"}, NET, "E10052", "related_input_name"),
        ({"aipp_mode": "dynamic", "max_src_image_size": 75263}, NET, "E81012",
         "max_src_image_size"),
        ({"aipp_mode": "dynamic", "input_format": None, "max_src_image_size": 50175}, NET,
         "E81012", "max_src_image_size"),
        ({"aipp_mode": "dynamic", "max_src_image_size": 75264}, NET._replace(batch=2),
         "E81012", "max_src_image_size"),
    ],
    ids=str,
)  # fmt: skip
def test_rules_of_the_network(
    fields: dict[str, Any], network: NetworkInput, code: str, field: str
) -> None:
    assert (code, field) in found(fields, network)


@pytest.mark.parametrize(
    ("fields", "network"),
    [
        ({}, NET),
        ({**CROP, "crop_size_w": 224, "crop_size_h": 224}, NET),
        ({**CROP, "load_start_pos_w": 96, "load_start_pos_h": 16}, NET),
        ({**PAD, "left_padding_size": 24, "bottom_padding_size": 24}, NET),
        ({"input_format": "XRGB8888_U8"}, NET._replace(channels=4)),
        ({"input_format": "YUV400_U8"}, NET._replace(channels=1)),
        ({"related_input_name": "'data'"}, NET),
        ({"aipp_mode": "dynamic", "max_src_image_size": 75264}, NET),
        ({"aipp_mode": "dynamic", "input_format": None, "max_src_image_size": 50176}, NET),
    ],
    ids=str,
)
def test_what_fits_the_network(fields: dict[str, Any], network: NetworkInput) -> None:
    assert found(fields, network) == []


def test_one_channel_is_what_a_conversion_to_gray_is_for() -> None:
    gray = {f"matrix_r{row}c{column}": 0 for row in range(3) for column in range(3)}
    fields = {"csc_switch": "true", **gray, "matrix_r0c0": 256}
    assert found(fields, NET._replace(channels=1)) == []
    assert found({**fields, "matrix_r1c1": 1}, NET._replace(channels=1)) != []


@pytest.mark.parametrize(
    "text",
    [
        "aipp_op { %s related_input_name: 'a' related_input_rank: 0 }",
        "aipp_op { %s related_input_name: 'a' } aipp_op { %s related_input_rank: 1 }",
        "aipp_op { %s related_input_name: 'a' } aipp_op { %s }",
        "aipp_op { %s related_input_rank: 1 } aipp_op { %s related_input_rank: 1 }",
        "aipp_op { %s } aipp_op { %s related_input_rank: 0 }",
        "aipp_op { %s related_input_name: 'a' } aipp_op { %s related_input_name: 'a' }",
        "multi_shape_op { }",
    ],
)
def test_blocks_of_one_file_that_do_not_go_together(text: str) -> None:
    config = parse(text.replace("%s", "aipp_mode: static input_format: RGB888_U8"))
    assert [item.code for item in violations(config)] == ["E10052"]


def test_blocks_for_several_inputs_or_edges_go_together() -> None:
    static = "aipp_mode: static input_format: RGB888_U8"
    config = parse(
        f"aipp_op {{ {static} related_input_rank: 0 input_edge_idx: 0 }}"
        f"aipp_op {{ {static} related_input_rank: 0 input_edge_idx: 1 }}"
        f"aipp_op {{ {static} related_input_rank: 1 }}"
    )
    assert violations(config, Context(inputs=(NET, NET))) == ()


def test_dynamic_shapes() -> None:
    profiles = ((224, 224), (448, 448))
    assert found({}, dynamic_image_sizes=profiles) == []
    assert found(
        {"src_image_size_w": 224, "src_image_size_h": 224}, dynamic_image_sizes=profiles
    ) == [("", "src_image_size_w"), ("", "src_image_size_h")]
    assert ("", "crop") in found(CROP, dynamic_image_sizes=profiles)
    assert ("", "padding") in found(PAD, dynamic_image_sizes=profiles)
    assert found({}, dynamic_dims=True) == [("", "aipp_op")]
    dynamic = {"aipp_mode": "dynamic", "max_src_image_size": 301055}
    assert found(dynamic, dynamic_image_sizes=profiles) == [("E81012", "max_src_image_size")]


def test_the_message_is_the_vendors() -> None:
    config = parse("aipp_op { aipp_mode: static input_format: YUV400_U8 csc_switch: true }")
    with pytest.raises(AippConstraintError) as caught:
        check(config, where="aipp.cfg")
    assert str(caught.value) == (
        "aipp.cfg: E81012 Compile op[aipp] failed, cause: when input_format is YUV400_U8, "
        "it doesn't make sense to convert to RGB"
    )
    assert (caught.value.code, caught.value.field) == ("E81012", "csc_switch")
